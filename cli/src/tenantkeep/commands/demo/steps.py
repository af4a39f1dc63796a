"""The steps of the demo, in order. Each does one thing, and says what it proves as a check."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contracts.api import BackupConfigurationBody, RestoreBody, TenantBody
from contracts.names import Health, JobState, TokenStatus
from contracts.texts import Text
from contracts.views import HealthView, RestorePoint, Run
from tenantkeep.commands import figures, labels, session, storage, tenant
from tenantkeep.commands.backup import follow
from tenantkeep.commands.client import Gateway
from tenantkeep.commands.clock import Clock
from tenantkeep.commands.demo import embedded, manifest
from tenantkeep.commands.demo.manifest import Contents
from tenantkeep.commands.demo.results import BackupFigures, Results
from tenantkeep.commands.demo.tenant_source import TENANT, Mailboxes, TenantSource
from tenantkeep.commands.download import to_zip
from tenantkeep.commands.errors import CommandError
from tenantkeep.commands.health import show_health
from tenantkeep.commands.output import Screen
from tenantkeep.commands.progress import download_bar
from tenantkeep.commands.waiting import INTERVAL
from tenantkeep.stack import services
from tenantkeep.stack.home import Home

_TOKEN_SECONDS = 30.0
_LEDGER_SECONDS = 15.0
_RUN_SECONDS = 6 * 3600.0
_LEVELS = (0, 1)
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
    configuration: str = ""
    before: dict[str, Contents] = field(default_factory=dict)
    after: dict[str, Contents] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)
    first: list[RestorePoint] = field(default_factory=list)
    second: list[RestorePoint] = field(default_factory=list)


Step = Callable[[Demo], None]


def seed(demo: Demo) -> None:
    file = demo.folder / "seeded.jsonl"
    demo.source.fill(demo.mail, file)
    demo.before = manifest.read(file)
    messages = sum(contents.total() for contents in demo.before.values())
    demo.screen.say(
        Text("  {} messages in {} mailboxes", "  {} Nachrichten in {} Postfächern"), messages, len(demo.before)
    )


def add_tenant(demo: Demo) -> None:
    known = tenant.read_apps(demo.source.apps)
    session.save(demo.home, session.EmbeddedSession())
    demo.gateway.register_tenant(
        TenantBody(tenant=TENANT, entra_tenant_id=known.tenant_id, display_name="Contoso (demo)")
    )
    profiles = [token.profile for token in tenant.set_credentials(demo.gateway, TENANT, known)]
    tokens = tenant.wait_for_tokens(demo.gateway, TENANT, profiles, demo.clock, _TOKEN_SECONDS)
    active = [token for token in tokens if token.status is TokenStatus.ACTIVE]
    detail = ", ".join(f"{t.profile}: {labels.code(t.status, demo.screen.language)}" for t in tokens)
    demo.results.check(
        Text("A token for every app profile", "Ein Token für jedes App-Profil"), len(active) == len(profiles), detail
    )
    if len(active) != len(profiles):
        raise _stop_here(Text("Not every token is active.", "Nicht jedes Token ist aktiv."), detail)


def add_storage(demo: Demo) -> None:
    result = storage.add_embedded(demo.gateway, demo.home, TENANT, "embedded")
    body = BackupConfigurationBody(name="demo", target=result.target.id)
    demo.configuration = demo.gateway.create_configuration(TENANT, body).id
    detail = ", ".join(step.name for step in result.steps)
    demo.results.check(
        Text("Connection test of the storage", "Verbindungstest des Speichers"), all(s.ok for s in result.steps), detail
    )


def first_backup(demo: Demo) -> None:
    run, demo.first = _backup(demo)
    expected = sum(contents.total() for contents in demo.before.values())
    demo.results.check(
        Text("First backup stores every message", "Die erste Sicherung speichert jede Nachricht"),
        run.state is JobState.SUCCEEDED and run.counts.stored == expected,
        f"{figures.coverage(run.counts.stored, expected)}, {labels.code(run.state, demo.screen.language)}",
    )


def verify(demo: Demo) -> None:
    _verify(demo, demo.first, demo.before)


def change(demo: Demo) -> None:
    file = demo.folder / "changed.jsonl"
    demo.changes = demo.source.change(file)
    demo.after = manifest.read(file)


def second_backup(demo: Demo) -> None:
    run, demo.second = _backup(demo)
    changed = sum(int(demo.changes[kind]) for kind in ("created", "updated", "moved"))
    bodies = demo.results.backups[-1].bodies
    demo.results.check(
        Text("Second backup fetches only changes", "Die zweite Sicherung lädt nur Änderungen"),
        run.state is JobState.SUCCEEDED and int(demo.changes["created"]) <= bodies <= changed < run.counts.listed,
        f"{bodies} bodies for {changed} changed of {run.counts.listed} messages",
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
            found.held,
            f"{user}: {found.equal} equal, {found.missing} missing, {found.surplus} surplus",
        )


def restore(demo: Demo) -> None:
    """Another mailbox into a different user; the job reads back and compares every item."""
    users = sorted(demo.after, key=lambda name: demo.after[name].total())
    user = next((name for name in users if demo.after[name]), users[-1])
    point = _point_of(demo.second, user)
    target = f"{RESTORE_USER}@{user.partition('@')[2]}"
    run_id = demo.gateway.start_restore(TENANT, RestoreBody(restore_point=point.id, target_user=target))
    progress = follow(demo.screen, demo.gateway, TENANT, run_id, _RUN_SECONDS)
    run = progress.run
    assert run is not None
    counts, expected = run.counts, demo.after[user].total()
    demo.results.check(
        Text("Restored mail equals the backup (semantic digest)", "Wiederhergestelltes gleicht der Sicherung (Digest)"),
        run.state is JobState.SUCCEEDED and counts.stored == counts.verified == expected > 0,
        f"{user} → {target}: {counts.verified}/{expected} compared equal",
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
    detail = ", ".join(f"{item.kind}: {labels.code(item.health, demo.screen.language)}" for item in found)
    demo.results.check(
        Text("Backup and restore are healthy", "Sicherung und Wiederherstellung sind gesund"),
        _all_healthy(found),
        detail,
    )


STEPS: Sequence[tuple[Text, Step]] = (
    (Text("Put mail into the simulated tenant", "Simulierten Mandanten mit Mail füllen"), seed),
    (Text("Sign in, register the tenant, get tokens", "Anmelden, Mandanten anlegen, Token holen"), add_tenant),
    (Text("Connect the object store, configure the backup", "Speicher verbinden, Sicherung einrichten"), add_storage),
    (Text("First backup", "Erste Sicherung"), first_backup),
    (Text("Verification of the restore points", "Prüfung der Wiederherstellungspunkte"), verify),
    (Text("Change some mail", "Einige Nachrichten ändern"), change),
    (Text("Second backup: changes only", "Zweite Sicherung: nur Änderungen"), second_backup),
    (Text("Export a mailbox and compare the bytes", "Postfach exportieren und Bytes vergleichen"), export),
    (Text("Restore a mailbox into another user", "Postfach in anderen Benutzer wiederherstellen"), restore),
    (Text("Health", "Zustand"), health),
)


def _all_healthy(found: Sequence[HealthView]) -> bool:
    return bool(found) and all(item.health is Health.HEALTHY for item in found)


def _backup(demo: Demo) -> tuple[Run, list[RestorePoint]]:
    known = {point.id for point in demo.gateway.restore_points(TENANT)}
    demo.source.reset_counters()
    run_id = demo.gateway.start_backup(TENANT, demo.configuration)
    progress = follow(demo.screen, demo.gateway, TENANT, run_id, _RUN_SECONDS)
    asked = demo.source.requests()
    run = progress.run
    assert run is not None
    demo.results.backups.append(BackupFigures(run, asked.graph, asked.messages))
    demo.results.peak_memory = embedded.peak_memory(demo.home, services.WORKER)
    if run.state is JobState.FAILED:
        failures = [f"{job.resource_name}: {job.fatal}" for job in progress.jobs if job.fatal is not None]
        raise _stop_here(Text("The backup failed.", "Die Sicherung ist fehlgeschlagen."), *failures)
    return run, [point for point in demo.gateway.restore_points(TENANT) if point.id not in known]


def _verify(demo: Demo, points: list[RestorePoint], expected: dict[str, Contents]) -> None:
    """Each mailbox has a complete restore point, and both levels cover all of their denominator."""
    results = [result for point in points for result in point.verified if result.level in _LEVELS]
    covered, denominator = sum(r.covered for r in results), sum(r.denominator for r in results)
    levels = all({result.level for result in point.verified} >= set(_LEVELS) for point in points)
    whole = covered == denominator > 0 and not any(result.problems for result in results)
    missing = expected.keys() - {point.resource_name for point in points}
    demo.results.covered, demo.results.denominator = covered, denominator
    demo.results.check(
        Text("Verification covers everything (V0, V1)", "Prüfung deckt alles ab (V0, V1)"),
        levels and whole and not missing and all(point.complete for point in points),
        f"{figures.coverage(covered, denominator)} in {len(points)} restore points",
    )


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
