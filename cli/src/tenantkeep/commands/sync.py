"""`tenantkeep sync …`: the employee directory in step with Microsoft 365."""

from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from contracts.api import SyncBody, SyncSettingsBody
from contracts.employees import SyncOverview, SyncRun
from contracts.names import Role, SyncKind
from contracts.texts import Text
from tenantkeep.commands import employee_labels as words
from tenantkeep.commands import figures, labels
from tenantkeep.commands.choose import tenant_of
from tenantkeep.commands.client import Gateway, connect
from tenantkeep.commands.clock import SystemClock
from tenantkeep.commands.employees import employee_of
from tenantkeep.commands.errors import CommandError, Unreachable, usage
from tenantkeep.commands.following import Key
from tenantkeep.commands.options import Json, Lang, TenantName, Timeout, Wait
from tenantkeep.commands.output import Screen, reported
from tenantkeep.commands.waiting import EXIT_CODES, INTERVAL
from tenantkeep.exit_codes import ExitCode

app = typer.Typer(help="The employee directory, in step with Microsoft 365.", no_args_is_help=True)

_HOUR = 3600.0
_RUNS = 20
_OFF = "off"
_OF = Text("{} of {} looked at", "{} von {} angesehen")
_SO_FAR = Text("{} looked at, total not known", "{} angesehen, Gesamtzahl nicht bekannt")


@app.command("start")
@reported
def start(
    *,
    users: Annotated[
        list[str] | None, typer.Argument(metavar="[EMPLOYEE]...", help="Only these, by mail address or object id.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Look at everybody, not only at changes.")] = False,
    wait: Wait = False,
    timeout: Timeout = _HOUR,
    key: Key = None,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Synchronise now. With --wait the exit code says how it ended: 0, 1 failed, 3 partial, 4 still running.

    Example: tenantkeep sync start --wait
    Example: tenantkeep sync start anna@contoso.com --wait
    """
    screen = Screen(lang, as_json=as_json)
    if full and users:
        raise usage("Give --full or employees.", "--full oder Mitarbeiter angeben.")
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        chosen = tuple(employee_of(gateway, slug, user).id for user in users or ())
        kind = SyncKind.USERS if chosen else SyncKind.FULL if full else SyncKind.INCREMENTAL
        run = gateway.start_sync(slug, SyncBody(kind=kind, users=chosen), key)
        if not wait:
            _told(screen, run)
            return
        run = _followed(screen, gateway, slug, run, timeout=timeout, total=len(chosen) or None)
    show_run(screen, run)
    raise typer.Exit(EXIT_CODES[run.state])


@app.command("status")
@reported
def status(
    *,
    run: Annotated[str | None, typer.Argument(help="Id of a sync. [default: where the directory stands]")] = None,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Show when the directory was last synchronised, how many employees are stale, and the last syncs.

    Example: tenantkeep sync status
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        if run is not None:
            show_run(screen, gateway.sync(slug, run))
            return
        overview, runs = gateway.sync_overview(slug), gateway.syncs(slug, _RUNS).items
    if as_json:
        screen.document({"overview": overview, "runs": runs})
        return
    _overview(screen, overview)
    headers = (labels.RUN, labels.KIND, labels.STATE, labels.REQUESTED, labels.DURATION, words.BY, labels.DETAIL)
    screen.table(headers, [_row(one, screen) for one in runs])


@app.command("settings")
@reported
def settings(
    *,
    every_hours: Annotated[
        str | None, typer.Option("--every-hours", help="1 to 168, or `off`: then only when asked.")
    ] = None,
    group_pattern: Annotated[
        str | None, typer.Option(help="Name of a role's group; {tenant} and {role} are filled in.")
    ] = None,
    guests: Annotated[bool | None, typer.Option("--guests/--no-guests", help="Import guests, too.")] = None,
    employee_types: Annotated[list[str] | None, typer.Option("--employee-type", help="Repeat for each.")] = None,
    employee_statuses: Annotated[list[str] | None, typer.Option("--employee-status", help="Repeat for each.")] = None,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Show the settings of a tenant's sync, or change those that are given.

    Example: tenantkeep sync settings --every-hours 12 --employee-type employee --employee-type freelancer
    """
    screen = Screen(lang, as_json=as_json)
    body = SyncSettingsBody(
        every_hours=_hours(every_hours),
        group_pattern=group_pattern,
        guests=guests,
        employee_types=tuple(employee_types) if employee_types else None,
        employee_statuses=tuple(employee_statuses) if employee_statuses else None,
    )
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        given = body.model_dump(exclude_none=True)
        found = gateway.set_sync_settings(slug, body) if given else gateway.sync_overview(slug).settings
    if as_json:
        screen.document(found)
        return
    rows = [(name, ", ".join(value) if isinstance(value, tuple) else str(value)) for name, value in found]
    screen.table((words.SETTING, words.VALUE), rows)


def show_run(screen: Screen, run: SyncRun) -> None:
    """A sync and what it did."""
    if screen.as_json:
        screen.document(run)
        return
    screen.say(
        Text("Sync {}: {} {}", "Abgleich {}: {} {}"),
        run.id,
        _state(run, screen),
        figures.between(run.started_at, run.finished_at),
    )
    counts = [(name.replace("_", " "), str(count)) for name, count in run.counts if count]
    screen.table((words.ACTION, words.COUNT), counts)
    for warning in run.warnings:
        screen.say(Text("Warning: {}", "Warnung: {}"), warning)
    if run.error is not None:
        row = (
            labels.error_title(run.error, screen.language),
            labels.error_cause(run.error, screen.language),
            labels.error_remedy(run.error, screen.language),
        )
        screen.table((labels.PROBLEM, labels.CAUSE, labels.MEASURE), [row])


def _followed(
    screen: Screen, gateway: Gateway, tenant: str, run: SyncRun, *, timeout: float, total: int | None
) -> SyncRun:
    """Ask until the sync has ended; CommandError with exit code 4 when the time is over before.

    `total` is how many employees there are to look at; None, as with everybody, is not known before the end.
    """
    clock = SystemClock()
    deadline = clock.now() + timeout
    columns = (SpinnerColumn(), BarColumn(30), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=screen.console, disable=not screen.console.is_terminal) as bar:
        task = bar.add_task(_line(run, screen, total), total=total)
        while not run.state.finished and clock.now() < deadline:
            clock.pause(INTERVAL)
            try:
                with gateway.asking_once():
                    run = gateway.sync(tenant, run.id)
            except Unreachable:
                continue
            bar.update(task, description=_line(run, screen, total), completed=run.counts.listed)
    if not run.state.finished:
        raise CommandError(
            Text(f"The sync {run.id} has not ended yet.", f"Der Abgleich {run.id} läuft noch."),
            Text(f"Look at it: tenantkeep sync status {run.id}", f"Ansehen: tenantkeep sync status {run.id}"),
            ExitCode.STILL_WAITING,
            code="waiting",
        )
    return run


def _told(screen: Screen, run: SyncRun) -> None:
    if screen.as_json:
        screen.document(run)
    screen.say(
        Text(
            "Sync {} is requested. See: tenantkeep sync status {}", "Abgleich {} angefordert: tenantkeep sync status {}"
        ),
        run.id,
        run.id,
    )


def _overview(screen: Screen, overview: SyncOverview) -> None:
    rows = [
        (Text("Last sync", "Letzter Abgleich"), figures.moment(overview.last_sync_at) or "–"),
        (
            Text("Next sync", "Nächster Abgleich"),
            figures.moment(overview.next_sync_at) or screen.text(labels.WHEN_ASKED),
        ),
        (Text("Employees", "Mitarbeiter"), str(overview.present)),
        (Text("Stale", "Veraltet"), figures.coverage(overview.stale, overview.present)),
        (Text("Deleted in Microsoft 365", "In Microsoft 365 gelöscht"), str(overview.deleted)),
        *((words.ROLE_NAMES[role], str(overview.roles.get(role, 0))) for role in Role if role is not Role.OPERATOR),
    ]
    screen.table((labels.NAME, words.VALUE), [(screen.text(name), value) for name, value in rows])


def _row(run: SyncRun, screen: Screen) -> tuple[str, ...]:
    return (
        run.id,
        screen.text(words.SYNC_KINDS[run.kind]),
        _state(run, screen),
        figures.moment(run.requested_at),
        figures.between(run.started_at, run.finished_at),
        run.requested_by,
        run.detail,
    )


def _state(run: SyncRun, screen: Screen) -> str:
    waits = run.hold is not None and not run.state.finished
    return labels.code(run.hold if waits and run.hold is not None else run.state, screen.language)


def _line(run: SyncRun, screen: Screen, total: int | None) -> str:
    words = _OF if total is not None else _SO_FAR
    return f"{_state(run, screen)}: {screen.text(words).format(run.counts.listed, total)}"


def _hours(given: str | None) -> int | None:
    if given is None:
        return None
    if given == _OFF:
        return 0
    if not given.isdigit() or not 1 <= int(given) <= 168:  # noqa: PLR2004 - a week, as the API allows it
        raise usage("--every-hours takes 1 to 168, or off.", "--every-hours: 1 bis 168, oder off.")
    return int(given)
