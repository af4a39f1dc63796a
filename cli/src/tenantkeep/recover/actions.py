"""What each command of `tenantkeep recover` does."""

from pathlib import Path

import typer

from backup_engine import Repository, Snapshot, key_records, shredding
from backup_engine.exporting import letters, mail_rows
from backup_engine.exporting.names import part
from backup_engine.exporting.subject import subject_of
from backup_engine.model import ItemRow
from contracts.texts import Text
from tenantkeep.commands import figures, labels
from tenantkeep.commands.errors import usage
from tenantkeep.commands.output import Screen
from tenantkeep.commands.progress import download_bar
from tenantkeep.exit_codes import ExitCode
from tenantkeep.recover import keyfile, points
from tenantkeep.recover.access import Access
from tenantkeep.recover.explain import explained
from tenantkeep.recover.exports import Selection, Written, write
from tenantkeep.recover.place import repository_at

_FINGERPRINT = 16  # hex digits people compare
_POINTS = Text("Restore points", "Stände")
_NEWEST = Text("Newest", "Neuester")
_FOLDER = Text("Folder", "Ordner")
_RECEIVED = Text("Received", "Empfangen")
_SUBJECT = Text("Subject", "Betreff")
_TRANSIT = Text("Vault key", "Schlüssel im Vault")
_RECOVERY = Text("Recovery key", "Wiederherstellungsschlüssel")


def list_mailboxes(access: Access, screen: Screen) -> None:
    with explained():
        repository = open_repository(access, screen)
        found = points.mailboxes(repository)
    if screen.as_json:
        boxes = [{"mailbox": b.name, "points": len(b.points), "newest": points.shown(b.newest)} for b in found]
        screen.document({"tenant": repository.tenant, "mailboxes": boxes})
        return
    screen.say(Text("Tenant {}: {} mailboxes", "Mandant {}: {} Postfächer"), repository.tenant, len(found))
    rows = [
        (b.name, str(len(b.points)), b.newest.id, figures.moment(b.newest.taken_at), *_contents(b.newest, screen))
        for b in found
    ]
    headers = (labels.MAILBOX, _POINTS, _NEWEST, labels.TAKEN, labels.ITEMS, labels.SIZE, labels.COMPLETE)
    screen.table(headers, rows)


def list_restore_points(access: Access, screen: Screen, mailbox: str | None) -> None:
    with explained():
        known = points.mailboxes(open_repository(access, screen))
    chosen = known if mailbox is None else points.mailboxes_called(known, mailbox)
    found = sorted((p for box in chosen for p in box.points), key=lambda p: (p.taken_at, p.id), reverse=True)
    if screen.as_json:
        screen.document({"items": [points.shown(snapshot) for snapshot in found]})
        return
    names = {box.shard: box.name for box in chosen}
    rows = [(p.id, names[p.shard], figures.moment(p.taken_at), *_contents(p, screen)) for p in found]
    headers = (labels.RESTORE_POINT, labels.MAILBOX, labels.TAKEN, labels.ITEMS, labels.SIZE, labels.COMPLETE)
    screen.table(headers, rows)


def list_items(access: Access, screen: Screen, wanted: str, folders: tuple[str, ...], subject: str | None) -> None:
    with explained():
        repository = open_repository(access, screen)
        snapshot = points.point(points.mailboxes(repository), wanted)
        selection = Selection(folders)
        if subject is None:
            rows = _rows(repository, snapshot, selection)
        else:
            rows = _rows_about(repository, snapshot, selection, subject.casefold())
    if screen.as_json:
        screen.document({"restore_point": snapshot.id, "items": rows})
        return
    headers = (labels.ITEM, _FOLDER, _RECEIVED, labels.SIZE, _SUBJECT)
    screen.table(headers, [tuple(str(value) for value in row.values()) for row in rows])


def export(
    access: Access,
    screen: Screen,
    *,
    point: str | None,
    every: bool,
    out: Path,
    form: str,
    folders: tuple[str, ...],
    items: tuple[str, ...],
) -> None:
    if every == (point is not None):
        raise usage("Give a restore point, a mailbox, or --all.", "Einen Stand, ein Postfach oder --all angeben.")
    with explained():
        repository = open_repository(access, screen)
        known = points.mailboxes(repository)
        chosen = [box.newest for box in known] if point is None else [points.point(known, point)]
        selection = Selection(folders, items)
        done = []
        for snapshot in chosen:
            target = out / _file_name(snapshot, form) if every else out
            with download_bar(screen, snapshot.bytes) as watch:
                done.append(write(repository, snapshot, target, name=form, selection=selection, watch=watch))
            _tell(screen, done[-1])
    if items and not any(written.mails or written.events or written.contacts or written.damaged for written in done):
        raise usage("Nothing has such a key.", "Nichts hat diesen Schlüssel.")
    if screen.as_json:
        screen.document({"exports": [_document(written) for written in done]})
    if any(written.damaged for written in done):
        raise typer.Exit(ExitCode.PARTIAL)


def show_documents(access: Access, screen: Screen) -> None:
    """The newest export of each service."""
    with explained():
        repository = open_repository(access, screen)
        exported = repository.documents
        found = {service: versions[0] for service in exported.services() if (versions := exported.versions(service))}
    screen.document({"tenant": repository.tenant, "documents": found})


def show_keys(access: Access, screen: Screen) -> None:
    with explained():
        tenant = "" if access.key is None else keyfile.read(access.key).tenant
        records = key_records.everything(repository_at(access, tenant))
        needed = shredding.of_records(records)
    if screen.as_json:
        screen.document(
            {
                "tenant": needed.tenant,
                "records": [
                    {"name": r.name, "transit": sorted(r.transit_keys), "recovery": sorted(r.recipients)}
                    for r in records
                ],
                "transit_keys": sorted(needed.transit_keys),
                "recovery_keys": sorted(needed.recovery_keys),
            }
        )
        return
    rows = [
        (r.name, ", ".join(sorted(r.transit_keys)), ", ".join(_short(f) for f in sorted(r.recipients))) for r in records
    ]
    screen.table((labels.NAME, _TRANSIT, _RECOVERY), rows)
    if not needed.recovery_keys:
        screen.say(
            Text(
                "No recovery key opens this repository: without the vault it is lost.",
                "Kein Wiederherstellungsschlüssel öffnet dieses Repository: ohne Vault ist es verloren.",
            )
        )
    screen.say(
        Text(
            "Unreadable for ever only when all of these are destroyed: {}",
            "Endgültig unlesbar erst, wenn alle diese vernichtet sind: {}",
        ),
        ", ".join(sorted(needed.remaining(transit_keys=(), recovery_keys=()))),
    )


def open_repository(access: Access, screen: Screen) -> Repository:
    """With the recovery key; raises CommandError for a key that cannot be used, and errors of the engine."""
    key = keyfile.opened(access, screen)
    assert access.key is not None  # opened() has refused that
    tenant = keyfile.read(access.key).tenant
    storage = repository_at(access, tenant)
    screen.say(Text("Reading the index …", "Index wird gelesen …"))
    return Repository.open(storage, key, tenant=tenant)


def _rows(repository: Repository, snapshot: Snapshot, selection: Selection) -> list[dict[str, str | int]]:
    """Without subjects: those are in the mails alone."""
    return [_row(row, folder, "") for row, folder in mail_rows(repository, snapshot.shard, snapshot.id, selection)]


def _rows_about(
    repository: Repository, snapshot: Snapshot, selection: Selection, wanted: str
) -> list[dict[str, str | int]]:
    found = letters(repository, snapshot.shard, snapshot.id, selection)
    about = ((letter, "" if letter.body is None else subject_of(letter.body)) for letter in found)
    return [_row(letter.row, letter.folder, subject) for letter, subject in about if wanted in subject.casefold()]


def _row(row: ItemRow, folder: tuple[str, ...], subject: str) -> dict[str, str | int]:
    received = str(row.meta.get("receivedDateTime") or "")
    return {"key": row.key, "folder": "/".join(folder), "received": received, "bytes": row.size, "subject": subject}


def _contents(snapshot: Snapshot, screen: Screen) -> tuple[str, str, str]:
    complete = screen.text(labels.YES if snapshot.complete else labels.NO)
    return str(snapshot.items), figures.size(snapshot.bytes), complete


def _file_name(snapshot: Snapshot, form: str) -> str:
    """One name per mailbox; the configuration keeps two of one mailbox apart."""
    name = part(f"{snapshot.label or 'mailbox'} {snapshot.shard.replace('/', ' ')}", "mailbox")
    return f"{name}.zip" if form == "zip" else name


def _tell(screen: Screen, written: Written) -> None:
    screen.say(
        Text(
            "{}: {} mails, {} events, {} contacts, {}, each compared with its SHA-256 → {}",
            "{}: {} Nachrichten, {} Termine, {} Kontakte, {}, alle mit SHA-256 verglichen → {}",
        ),
        written.snapshot.label or written.snapshot.shard,
        written.mails,
        written.events,
        written.contacts,
        figures.size(written.bytes),
        written.place,
    )
    for letter in written.damaged:
        screen.say(
            Text("  damaged, left out: {} ({})", "  beschädigt, ausgelassen: {} ({})"), letter.row.key, letter.problem
        )


def _document(written: Written) -> dict[str, object]:
    return {
        "restore_point": points.shown(written.snapshot),
        "place": str(written.place),
        "mails": written.mails,
        "events": written.events,
        "contacts": written.contacts,
        "bytes": written.bytes,
        "damaged": [{"key": letter.row.key, "problem": letter.problem} for letter in written.damaged],
    }


def _short(fingerprint: str) -> str:
    return fingerprint[:_FINGERPRINT]
