"""The steps of the demo, in order. Each does one thing, and says what it proves as a check."""

import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contracts.api import BackupConfigurationBody, RestoreBody, StorageTargetBody, TenantBody, UpkeepBody
from contracts.names import Health, JobKind, JobState, Source, TokenStatus, UpkeepKind
from contracts.restoring import RestorePlace, RestoreSelection
from contracts.texts import Text, render
from contracts.views import HealthView, Job, RestorePoint, Run
from tenantkeep.commands import figures, labels, recovery_key, session, storage, tenant
from tenantkeep.commands.apps_file import read_apps
from tenantkeep.commands.client import Gateway
from tenantkeep.commands.clock import Clock
from tenantkeep.commands.configurations import EVERYTHING
from tenantkeep.commands.demo import embedded, manifest, pieces, recovering
from tenantkeep.commands.demo.manifest import Contents
from tenantkeep.commands.demo.outlook import Outlook
from tenantkeep.commands.demo.results import BackupFigures, Results
from tenantkeep.commands.demo.tenant_source import TENANT, Mailboxes, TenantSource
from tenantkeep.commands.download import to_zip
from tenantkeep.commands.errors import CommandError
from tenantkeep.commands.following import follow
from tenantkeep.commands.health import show_health
from tenantkeep.commands.jobs import show_run
from tenantkeep.commands.output import Screen
from tenantkeep.commands.progress import download_bar
from tenantkeep.commands.waiting import INTERVAL
from tenantkeep.stack import services
from tenantkeep.stack.home import Home

_TOKEN_SECONDS = 30.0
_LEDGER_SECONDS = 15.0
_RUN_SECONDS = 6 * 3600.0
_LEVELS = (0, 1)
_CHECKS = (UpkeepKind.VERIFY, UpkeepKind.RESTORE_DRILL)
RESTORE_USER = "restore-target"


@dataclass
class Demo:
    """What one step leaves for the next."""

    screen: Screen
    clock: Clock
    home: Home
    folder: Path
    gateway: Gateway
    source: TenantSource
    mail: Mailboxes
    results: Results = field(default_factory=Results)
    target_id: str = ""
    configuration: str = ""
    target: StorageTargetBody | None = None
    before: dict[str, Contents] = field(default_factory=dict)
    after: dict[str, Contents] = field(default_factory=dict)
    shown: dict[str, Contents] = field(default_factory=dict)
    """Of these, what people see: without what was deleted and is still recoverable."""
    changes: dict[str, Any] = field(default_factory=dict)
    first: list[RestorePoint] = field(default_factory=list)
    second: list[RestorePoint] = field(default_factory=list)

    @property
    def recovery_key(self) -> Path:
        """The file a customer would keep."""
        return self.folder / f"{TENANT}.recovery-key"

    @property
    def passphrase(self) -> Path:
        return self.folder / "passphrase"


Step = Callable[[Demo], None]


def seed(demo: Demo) -> None:
    file = demo.folder / "seeded.jsonl"
    put = demo.source.fill(demo.mail, file)
    demo.before = manifest.read(file)
    demo.screen.say(
        Text(
            "  {} messages, and {} invented events and {} invented contacts, in {} mailboxes",
            "  {} Nachrichten, dazu {} erfundene Termine und {} erfundene Kontakte, in {} Postfächern",
        ),
        _messages(demo.before),
        put["events"],
        put["contacts"],
        len(demo.before),
    )


def add_tenant(demo: Demo) -> None:
    known = read_apps(demo.source.apps)
    session.save(demo.home, session.EmbeddedSession())
    demo.passphrase.write_text(secrets.token_urlsafe(24))
    public_key = recovery_key.made(demo.screen, TENANT, demo.recovery_key, demo.passphrase, None)
    demo.gateway.register_tenant(
        TenantBody(
            tenant=TENANT,
            entra_tenant_id=known.tenant_id,
            display_name="Contoso (demo)",
            recovery_key=public_key,
        )
    )
    profiles = [token.profile for token in tenant.set_credentials(demo.gateway, TENANT, known)]
    tokens = tenant.wait_for_tokens(demo.gateway, TENANT, profiles, demo.clock, _TOKEN_SECONDS)
    active = [token for token in tokens if token.status is TokenStatus.ACTIVE]
    demo.results.check(
        Text("A token for every app profile", "Ein Token für jedes App-Profil"),
        held=len(active) == len(profiles),
        detail=_both(lambda lang: ", ".join(f"{t.profile}: {labels.code(t.status, lang)}" for t in tokens)),
    )
    if len(active) != len(profiles):
        raise _stop_here(Text("Not every token is active.", "Nicht jedes Token ist aktiv."))


def add_storage(demo: Demo) -> None:
    demo.target = storage.embedded_target(demo.home, TENANT, "embedded")
    result = demo.gateway.create_storage_target(TENANT, demo.target)
    demo.target_id = result.target.id
    body = BackupConfigurationBody(name="demo", target=result.target.id, sources=EVERYTHING)
    demo.configuration = demo.gateway.create_configuration(TENANT, body).id
    detail = ", ".join(step.name for step in result.steps)
    demo.results.check(
        Text("Connection test of the storage", "Verbindungstest des Speichers"),
        held=all(step.ok for step in result.steps),
        detail=Text(detail, detail),
    )


def first_backup(demo: Demo) -> None:
    run, demo.first = _backup(demo)
    stored, expected = pieces.mail_in(demo.gateway, demo.first), _messages(demo.before)
    demo.results.check(
        Text("First backup stores every message", "Die erste Sicherung speichert jede Nachricht"),
        held=run.state is JobState.SUCCEEDED and stored == expected,
        detail=_both(lambda lang: f"{figures.coverage(stored, expected)}, {labels.code(run.state, lang)}"),
    )


def verify(demo: Demo) -> None:
    _verify(demo, demo.first, demo.before)


def change(demo: Demo) -> None:
    file = demo.folder / "changed.jsonl"
    demo.changes = demo.source.change(file)
    demo.after = manifest.read(file)
    demo.shown = manifest.read(file, recoverable=False)


def second_backup(demo: Demo) -> None:
    run, demo.second = _backup(demo)
    # What was deleted is read where it is recoverable.
    changed = sum(int(demo.changes[kind]) for kind in ("created", "updated", "moved", "deleted"))
    bodies = demo.results.backups[-1].bodies
    demo.results.check(
        Text("Second backup fetches only changes", "Die zweite Sicherung lädt nur Änderungen"),
        held=run.state is JobState.SUCCEEDED and int(demo.changes["created"]) <= bodies <= changed,
        detail=Text(
            f"{bodies} fetched for {changed} changed of {_messages(demo.after)} messages",
            f"{bodies} geladen bei {changed} geänderten von {_messages(demo.after)} Nachrichten",
        ),
    )
    _verify(demo, demo.second, demo.after)


def export(demo: Demo) -> None:
    """The largest mailbox, from both restore points: the older one still gives the older state."""
    user = max(demo.after, key=lambda name: demo.after[name].total())
    for points, expected, when in (
        (demo.first, demo.before, Text("the seed", "der Ausgangslage")),
        (demo.second, demo.after, Text("the changed mailbox", "dem geänderten Postfach")),
    ):
        point = _point_of(points, user)
        archive = demo.folder / f"{point.id}.zip"
        with download_bar(demo.screen, point.bytes) as watch:
            to_zip(demo.gateway, TENANT, point.id, archive, watch)
        found = manifest.compare(expected[user], manifest.of_archive(archive))
        archive.unlink()
        demo.results.check(
            Text(f"Export equals {when.en}, byte for byte", f"Export gleicht {when.de}, Byte für Byte"),
            held=found.held,
            detail=Text(
                f"{_short(user)}: {found.equal} equal, {found.missing} missing, {found.surplus} surplus",
                f"{_short(user)}: {found.equal} gleich, {found.missing} fehlen, {found.surplus} zu viel",
            ),
        )


def recover(demo: Demo) -> None:
    """The same mailbox once more, by a process that is given storage and recovery key and nothing else."""
    assert demo.target is not None  # an earlier step
    user = max(demo.after, key=lambda name: demo.after[name].total())
    archive = demo.folder / "recovered.zip"
    trouble = recovering.export(demo.target, demo.home.ca, demo.recovery_key, demo.passphrase, user, archive)
    found = manifest.compare(demo.after[user], Counter() if trouble else manifest.of_archive(archive))
    demo.results.check(
        Text("Recovered without any service, byte for byte", "Ohne jeden Dienst gerettet, Byte für Byte"),
        held=found.held,
        detail=Text(
            trouble or f"{_short(user)}: {found.equal} equal, {found.missing} missing, {found.surplus} surplus",
            trouble or f"{_short(user)}: {found.equal} gleich, {found.missing} fehlen, {found.surplus} zu viel",
        ),
    )


def restore(demo: Demo) -> None:
    """All mail of another mailbox into a different, empty user; the job reads back and compares every message."""
    users = sorted(demo.shown, key=lambda name: demo.shown[name].total())
    user = next((name for name in users if demo.shown[name]), users[-1])
    point = _point_of(demo.second, user)
    target, mail = _restore_user(user), RestoreSelection(sources=(Source.MAIL,))
    body = RestoreBody(restore_point=point.id, target_user=target, selection=mail)
    run = _follow(demo, demo.gateway.start_restore(TENANT, body))
    counts, expected, arrived = run.counts, demo.shown[user].total(), demo.source.messages_of(target)
    created = counts.stored + counts.unchanged  # the latter by a worker that died meanwhile
    demo.results.check(
        Text("Restored mail equals the backup (semantic digest)", "Wiederhergestelltes gleicht der Sicherung (Digest)"),
        held=run.state is JobState.SUCCEEDED and created == counts.verified == arrived == expected > 0,
        detail=Text(
            f"{_short(user)} → {_short(target)}: {counts.verified}/{expected} compared equal, {arrived} arrived",
            f"{_short(user)} → {_short(target)}: {counts.verified}/{expected} gleich, {arrived} angekommen",
        ),
    )


def restore_pieces(demo: Demo) -> None:
    """One event, one contact and one mail into that user; Graph says what is there and in the source."""
    user = max(demo.after, key=lambda name: demo.after[name].total())
    point, target = _point_of(demo.second, user), _restore_user(user)
    with Outlook(demo.home, read_apps(demo.source.apps)) as outlook:
        chosen = pieces.choose(demo.gateway, outlook, point, target)
        if chosen.before.keys() != pieces.NAMES.keys():
            what = ", ".join(chosen.before)
            raise _stop_here(Text(f"To restore there is only: {what}.", f"Wiederherzustellen ist nur: {what}."))
        body = RestoreBody(
            restore_point=point.id,
            target_user=target,
            place=RestorePlace.ORIGINAL,
            selection=RestoreSelection(items=chosen.ids),
        )
        run = _follow(demo, demo.gateway.start_restore(TENANT, body))
        (job,) = demo.gateway.jobs(TENANT, run.id)
        found = pieces.arrivals(outlook, chosen, job, user, target)
    for source, name in pieces.NAMES.items():
        one = found[source]
        where = f"{_short(user)} → {_short(target)}: "
        detail = Text(where + one.told.en, where + one.told.de)
        demo.results.check(name, held=run.state is JobState.SUCCEEDED and one.held, detail=detail)


def upkeep(demo: Demo) -> None:
    """Every byte read again, a sample restored into scratch, and maintenance, which finds nothing to remove yet."""
    ended = {}
    for kind in UpkeepKind:
        body = UpkeepBody(kind=kind, whole=kind is UpkeepKind.VERIFY)
        run = _follow(demo, demo.gateway.start_upkeep(TENANT, demo.target_id, body))
        (job,) = demo.gateway.jobs(TENANT, run.id)
        ended[kind] = job
    checks = [(job.check.level, job.check) for job in ended.values() if job.check is not None]
    whole = all(check.covered == check.denominator > 0 for _, check in checks)
    shown = ", ".join(f"V{level} {figures.coverage(check.covered, check.denominator)}" for level, check in checks)
    demo.results.check(
        Text("Every stored byte is good, a sample restores", "Jedes Byte ist in Ordnung, eine Probe gelingt"),
        held=whole and len(checks) == len(_CHECKS) and _all_succeeded(list(ended.values())),
        detail=Text(shown, shown),
    )


def health(demo: Demo) -> None:
    """The ledger hears of the jobs over the bus, so it may take a moment."""
    deadline = demo.clock.now() + _LEDGER_SECONDS
    found = demo.gateway.health(TENANT)
    while not _all_healthy(found) and demo.clock.now() < deadline:
        demo.clock.pause(INTERVAL)
        found = demo.gateway.health(TENANT)
    if not demo.screen.as_json:
        show_health(demo.screen, found)
    demo.results.check(
        Text("Every kind of job is healthy", "Jede Art von Auftrag ist gesund"),
        held=_all_healthy(found),
        detail=_both(
            lambda lang: ", ".join(
                f"{render(labels.KINDS[item.kind], lang)}: {labels.code(item.health, lang)}" for item in found
            )
        ),
    )


STEPS: Sequence[tuple[Text, Step]] = (
    (Text("Fill the mailboxes of the simulated tenant", "Postfächer des simulierten Mandanten füllen"), seed),
    (Text("Sign in, register the tenant, get tokens", "Anmelden, Mandanten anlegen, Token holen"), add_tenant),
    (Text("Connect the object store, configure the backup", "Speicher verbinden, Sicherung einrichten"), add_storage),
    (Text("First backup", "Erste Sicherung"), first_backup),
    (Text("Verification of the restore points", "Prüfung der Wiederherstellungspunkte"), verify),
    (Text("Change some mail and events", "Einige Nachrichten und Termine ändern"), change),
    (Text("Second backup: changes only", "Zweite Sicherung: nur Änderungen"), second_backup),
    (Text("Export a mailbox and compare the bytes", "Postfach exportieren und Bytes vergleichen"), export),
    (Text("Recover it from storage and recovery key alone", "Nur aus Speicher und Schlüssel retten"), recover),
    (Text("Restore a mailbox's mail into another user", "Mail in anderen Benutzer wiederherstellen"), restore),
    (
        Text("Restore one event, contact and mail alone", "Termin, Kontakt und Mail einzeln wiederherstellen"),
        restore_pieces,
    ),
    (Text("Verify everything, restore a sample, maintain", "Alles prüfen, Probe, Wartung"), upkeep),
    (Text("Health", "Zustand"), health),
)


def _all_healthy(found: Sequence[HealthView]) -> bool:
    """Every kind of job that the demo runs is known to the ledger, and healthy."""
    return {item.kind for item in found if item.health is Health.HEALTHY} == set(JobKind)


def _all_succeeded(jobs: Sequence[Job]) -> bool:
    return all(job.state is JobState.SUCCEEDED for job in jobs)


def _backup(demo: Demo) -> tuple[Run, list[RestorePoint]]:
    known = {point.id for point in demo.gateway.restore_points(TENANT)}
    demo.source.reset_counters()
    run_id = demo.gateway.start_backup(TENANT, demo.configuration)
    run = _follow(demo, run_id)
    asked = demo.source.requests()
    demo.results.backups.append(BackupFigures(run, asked.graph, asked.messages))
    demo.results.peak_memory = embedded.peak_memory(demo.home, services.WORKER)
    if run.state is JobState.FAILED:
        raise _stop_here(Text("The backup failed.", "Die Sicherung ist fehlgeschlagen."))
    return run, [point for point in demo.gateway.restore_points(TENANT) if point.id not in known]


def _follow(demo: Demo, run_id: str) -> Run:
    """Live progress; the jobs and their errors as soon as something is not right."""
    progress = follow(demo.screen, demo.gateway, TENANT, run_id, _RUN_SECONDS)
    assert progress.run is not None
    if progress.run.state is not JobState.SUCCEEDED and not demo.screen.as_json:
        show_run(demo.screen, progress)
    return progress.run


def _verify(demo: Demo, points: list[RestorePoint], expected: dict[str, Contents]) -> None:
    """Each mailbox has a complete restore point, and both levels cover all of their denominator."""
    levels = {level: [v for point in points for v in point.verified if v.level == level] for level in _LEVELS}
    covered = {level: sum(v.covered for v in found) for level, found in levels.items()}
    denominators = {level: sum(v.denominator for v in found) for level, found in levels.items()}
    whole = covered == denominators and denominators[0] > 0
    clean = all(len(found) == len(points) and not any(v.problems for v in found) for found in levels.values())
    missing = expected.keys() - {point.resource_name for point in points}
    shown = ", ".join(f"V{level} {figures.coverage(covered[level], denominators[level])}" for level in _LEVELS)
    demo.results.check(
        Text("Verification covers everything", "Die Prüfung deckt alles ab"),
        held=whole and clean and not missing and all(point.complete for point in points),
        detail=Text(f"{shown}; {len(points)} restore points", f"{shown}; {len(points)} Wiederherstellungspunkte"),
    )


def _messages(mailboxes: dict[str, Contents]) -> int:
    return sum(contents.total() for contents in mailboxes.values())


def _restore_user(of: str) -> str:
    """Who things are restored to, in the domain of the user they were taken of."""
    return f"{RESTORE_USER}@{of.partition('@')[2]}"


def _short(user: str) -> str:
    return user.partition("@")[0]


def _both(words: Callable[[str], str]) -> Text:
    return Text(words("en"), words("de"))


def _point_of(points: list[RestorePoint], user: str) -> RestorePoint:
    found = [point for point in points if point.resource_name.casefold() == user.casefold()]
    if len(found) != 1:
        raise _stop_here(
            Text(f"There is no restore point of {user}.", f"Es gibt keinen Wiederherstellungspunkt von {user}."),
            *(f"{point.resource_name} {point.id}" for point in points),
        )
    return found[0]


def _stop_here(message: Text, *lines: str) -> CommandError:
    remedy = Text("Read the logs named below.", "Die unten genannten Protokolle lesen.")
    return CommandError(message, remedy, lines=lines, code="demo")
