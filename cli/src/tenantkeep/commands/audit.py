"""`tenantkeep audit …`: who changed what, and whether anybody changed that."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from contracts.audit_chain import AuditRecord, AuditSeal, FaultKind, Findings, check
from contracts.texts import Text
from tenantkeep.commands import audit_file, labels
from tenantkeep.commands.choose import tenant_of
from tenantkeep.commands.client import Gateway, connect
from tenantkeep.commands.options import Json, Lang, TenantName
from tenantkeep.commands.output import Screen, reported
from tenantkeep.exit_codes import ExitCode

app = typer.Typer(help="Who changed what, and whether anybody changed that.", no_args_is_help=True)

_PAGE = 500
_NUMBER = Text("Number", "Nummer")
_WHEN = Text("When (UTC)", "Wann (UTC)")
_WHO = Text("Who", "Wer")
_WHAT = Text("What", "Was")
_OBJECT = Text("Object", "Objekt")
_CHANGE = Text("Change", "Änderung")
_RECORDS = Text("Records", "Einträge")
_FAULTS: dict[FaultKind, Text] = {
    FaultKind.ALTERED: Text("altered", "verändert"),
    FaultKind.REMOVED: Text("removed", "entfernt"),
    FaultKind.INSERTED: Text("inserted", "eingefügt"),
    FaultKind.REORDERED: Text("moved", "verschoben"),
    FaultKind.REWRITTEN: Text("made anew: not what was sealed", "neu geschrieben: nicht das Versiegelte"),
}
_VERDICTS: dict[bool | None, Text] = {
    True: Text(
        "The audit is whole: {} records, sealed in the repositories up to record {}.",
        "Das Audit ist unversehrt: {} Einträge, in den Repositorys versiegelt bis Eintrag {}.",
    ),
    None: Text(
        "Unknown: the {} records agree with each other, but no seal vouches for them (up to record {}).",
        "Unbekannt: Die {} Einträge passen zueinander, doch kein Siegel bürgt für sie (bis Eintrag {}).",
    ),
    False: Text(
        "The audit was tampered with: of {} records, sealed up to {}, not all are what they were.",
        "Das Audit wurde verändert: Von {} Einträgen, versiegelt bis {}, sind nicht alle, was sie waren.",
    ),
}
_EXITS = {True: ExitCode.SUCCEEDED, None: ExitCode.PARTIAL, False: ExitCode.FAILED}


@app.command("list")
@reported
def list_(
    *,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 50,
    actor: Annotated[str | None, typer.Option(help="Only changes of this person, service or source.")] = None,
    action: Annotated[str | None, typer.Option(help="Only these, as configuration.change or legal-hold.")] = None,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """List who changed what, newest first.

    Example: tenantkeep audit list --action configuration --limit 10
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        found = (
            record
            for record in _records(gateway, tenant_of(gateway, tenant), oldest_first=False)
            if actor in {None, record.actor} and _is(record, action)
        )
        shown = list(islice(found, limit))
    if as_json:
        screen.document({"items": shown})
        return
    screen.table((_NUMBER, _WHEN, _WHO, _WHAT, _OBJECT, _CHANGE), [_row(record) for record in shown])


@app.command("export")
@reported
def export(
    *,
    out: Annotated[Path, typer.Option(help="File to write, one JSON object per line.")],
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Write all records and the seals into a file that can be checked anywhere. No secret is in it.

    Example: tenantkeep audit export --out contoso-audit.jsonl
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        # Seals first: a record they vouch for is then among the records, whatever is added meanwhile.
        sealed = list(_seals(screen, gateway, slug))
        written = audit_file.write(out, sealed, _records(gateway, slug, oldest_first=True))
    if as_json:
        screen.document({"file": str(out), "records": written, "seals": len(sealed)})
        return
    screen.say(Text("{}: {} records, {} seals.", "{}: {} Einträge, {} Siegel."), out, written, len(sealed))


@app.command("verify")
@reported
def verify(
    *,
    file: Annotated[Path | None, typer.Option(help="An export to check, without any server.")] = None,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Check that no record was altered, removed, inserted or moved, against the seals in the repositories.

    Exit code 0: whole; 1: tampered with, and where; 3: nothing is wrong, but nothing was sealed yet either.

    Example: tenantkeep audit verify --file contoso-audit.jsonl --tenant contoso
    """
    screen = Screen(lang, as_json=as_json)
    found = _from_server(screen, tenant) if file is None else _from_file(file, tenant)
    if as_json:
        faults = [{"kind": fault.kind.value, "first": fault.first, "last": fault.last} for fault in found.faults]
        verdict = {True: "whole", None: "unknown", False: "tampered"}[found.whole]
        facts = {"records": found.records, "sealed": found.sealed, "head": found.head}
        screen.document({"verdict": verdict, **facts, "faults": faults})
    else:
        screen.say(_VERDICTS[found.whole], found.records, found.sealed)
        if found.faults:
            rows = [(f"{fault.first}–{fault.last}", screen.text(_FAULTS[fault.kind])) for fault in found.faults]
            screen.table((_RECORDS, labels.REASON), rows)
    if _EXITS[found.whole]:
        raise typer.Exit(_EXITS[found.whole])


def _from_server(screen: Screen, tenant: str | None) -> Findings:
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        sealed = list(_seals(screen, gateway, slug))
        records = (record.model_dump(mode="json") for record in _records(gateway, slug, oldest_first=True))
        return check(slug, records, sealed)


def _from_file(file: Path, tenant: str | None) -> Findings:
    slug = tenant or audit_file.tenant(file)
    return check(slug, audit_file.records(file), [seal for seal in audit_file.seals(file) if seal.tenant == slug])


def _records(gateway: Gateway, tenant: str, *, oldest_first: bool) -> Iterator[AuditRecord]:
    asked: dict[str, Any] = {"limit": _PAGE, "oldest_first": oldest_first}
    while True:
        page = gateway.audit_page(tenant, **asked)
        yield from page.items
        if page.cursor is None or page.cursor == asked.get("cursor"):
            return
        asked["cursor"] = page.cursor


def _seals(screen: Screen, gateway: Gateway, tenant: str) -> Iterator[AuditSeal]:
    cursor: str | None = None
    while True:
        page = gateway.audit_seals_page(tenant, cursor=cursor)
        for target in page.unread if cursor is None else ():
            screen.notice(
                Text(
                    f"The seals in storage target {target} cannot be read now.",
                    f"Die Siegel im Speicherziel {target} sind jetzt nicht lesbar.",
                )
            )
        yield from page.items
        if page.cursor is None or page.cursor == cursor:
            return
        cursor = page.cursor


def _is(record: AuditRecord, action: str | None) -> bool:
    return action is None or record.action == action or record.action.startswith(f"{action}.")


def _row(record: AuditRecord) -> tuple[str, ...]:
    names = sorted({*record.before, *record.after})
    changes = [_change(record.before.get(name), name, record.after.get(name)) for name in names]
    moment = record.at[:19].replace("T", " ")
    return str(record.number), moment, record.actor, record.action, record.object, "; ".join(changes)


def _change(before: str | None, name: str, after: str | None) -> str:
    return f"{name}: {after or ''}" if before is None else f"{name}: {before} → {after or ''}"
