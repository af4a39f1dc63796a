"""`tenantkeep backup configure|change|pause|resume|list|describe`: what is backed up where, when and for how long."""

from typing import Annotated, Any

import typer
from pydantic import ValidationError

from contracts.api import BackupConfigurationBody, BackupConfigurationChange
from contracts.names import Source
from contracts.schedules import DEFAULT_SCHEDULE, DEFAULT_TIME_ZONE
from contracts.texts import Text
from contracts.views import BackupConfiguration
from tenantkeep.commands import figures, labels
from tenantkeep.commands.choose import named, tenant_of
from tenantkeep.commands.client import Gateway, connect
from tenantkeep.commands.errors import usage
from tenantkeep.commands.options import Json, Lang, TenantName
from tenantkeep.commands.output import Screen, reported

Name = Annotated[str, typer.Argument(help="Configuration, by name or id.")]
Keep = Annotated[
    str | None,
    typer.Option(
        help="How long restore points are kept: 30d, 90d, 1y, 3y, 6y, 8y, 10y, any period in between, hgb-10y, or "
        "generations; `backup retention` lists what is offered."
    ),
]
When = Annotated[str | None, typer.Option(help="daily 02:00, weekly sunday 02:00, or five cron fields.")]
Zone = Annotated[str | None, typer.Option(help="Time zone of the schedule, such as Europe/Berlin.")]
EVERYTHING = (Source.MAIL, Source.CALENDAR, Source.CONTACTS)
"""What is backed up of a mailbox unless somebody says otherwise; the API's own default is mail."""

Sources = Annotated[
    list[Source] | None,
    typer.Option("--source", help="What is backed up; may be repeated.  [default: mail, calendar, contacts]"),
]
OtherSources = Annotated[
    list[Source] | None, typer.Option("--source", help="What is backed up from now on; may be repeated.")
]
Include = Annotated[
    list[str] | None, typer.Option(help="Only these mailboxes: address, *@sales.contoso.com, or id; may be repeated.")
]
Exclude = Annotated[list[str] | None, typer.Option(help="Not these mailboxes, included or not; may be repeated.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("configure")(configure)
    app.command("change")(change)
    app.command("pause")(pause)
    app.command("resume")(resume)
    app.command("list")(list_)
    app.command("describe")(describe)


@reported
def configure(
    *,
    name: Annotated[str, typer.Argument(help="Name of the configuration.")],
    target: Annotated[str, typer.Option(help="Storage target, by name or id.")],
    keep: Keep = None,
    retention_days: Annotated[int | None, typer.Option(help="The same in days: 30 to 3660.  [default: 90]")] = None,
    source: Sources = None,
    schedule: When = DEFAULT_SCHEDULE,
    time_zone: Zone = DEFAULT_TIME_ZONE,
    manual: Annotated[bool, typer.Option("--manual", help="No schedule: run only when asked.")] = False,
    include: Include = None,
    exclude: Exclude = None,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Say what is backed up where, when, and for how long.

    Unless you say otherwise: mail, calendars and contacts of every mailbox, each night at two.

    Example: tenantkeep backup configure nightly --target archive --keep 1y --time-zone Europe/Berlin

    Example: tenantkeep backup configure board --target archive --include board@contoso.com --schedule "0 */6 * * *"

    Example: tenantkeep backup configure people --target archive --source address-book

    Example: tenantkeep backup configure once --target archive --keep 30d,weekly=90d,monthly=1y,yearly=10y --manual
    """
    screen = Screen(lang, as_json=as_json)
    if keep is not None and retention_days is not None:
        raise usage("Give --keep or --retention-days.", "--keep oder --retention-days angeben.")
    wanted = _given(
        name=name,
        retention=keep,
        retention_days=retention_days,
        sources=source or EVERYTHING,
        include=include,
        exclude=exclude,
    )
    timed = {} if manual else {"schedule": schedule, "time_zone": time_zone}
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        chosen = named(gateway.storage_targets(slug), target, labels.TARGET)
        body = _valid(BackupConfigurationBody, target=chosen.id, **wanted, **timed)
        made = gateway.create_configuration(slug, body)
    if as_json:
        screen.document(made)
        return
    saved = Text(
        "Configuration {} is saved ({}). Next run: {}. Now: tenantkeep backup run {} --wait",
        "Konfiguration {} ist gespeichert ({}). Nächster Lauf: {}. Sofort: tenantkeep backup run {} --wait",
    )
    screen.say(saved, made.name, made.id, _next(screen, made), made.name)


@reported
def change(
    *,
    configuration: Name,
    name: Annotated[str | None, typer.Option(help="A new name.")] = None,
    keep: Keep = None,
    source: OtherSources = None,
    schedule: When = None,
    time_zone: Zone = None,
    automatic: Annotated[
        bool | None, typer.Option("--automatic/--manual", help="Run by the schedule, or only when asked.")
    ] = None,
    include: Include = None,
    exclude: Exclude = None,
    everybody: Annotated[bool, typer.Option("--everybody", help="Forget --include and --exclude of before.")] = False,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Change a configuration; what is not named stays. Restore points that exist keep their dates.

    Example: tenantkeep backup change nightly --schedule "weekly sunday 03:30" --exclude "*@test.contoso.com"
    """
    scope = _given(include=include, exclude=exclude) if not everybody else {"include": (), "exclude": ()}
    given = _given(
        name=name, retention=keep, sources=source, schedule=schedule, time_zone=time_zone, automatic=automatic
    )
    if not given and not scope:
        raise usage(
            "Nothing to change: see tenantkeep backup change --help",
            "Nichts zu ändern: siehe tenantkeep backup change --help",
        )
    _change(Screen(lang, as_json=as_json), configuration, tenant, _valid(BackupConfigurationChange, **given, **scope))


@reported
def pause(*, configuration: Name, tenant: TenantName = None, lang: Lang = "en", as_json: Json = False) -> None:
    """Let nothing begin, neither by schedule nor when asked, until `resume`. What runs goes on.

    Example: tenantkeep backup pause nightly
    """
    _change(Screen(lang, as_json=as_json), configuration, tenant, BackupConfigurationChange(paused=True))


@reported
def resume(*, configuration: Name, tenant: TenantName = None, lang: Lang = "en", as_json: Json = False) -> None:
    """End a pause. What was missed is not made up for: the next run is the schedule's next.

    Example: tenantkeep backup resume nightly
    """
    _change(Screen(lang, as_json=as_json), configuration, tenant, BackupConfigurationChange(paused=False))


@reported
def list_(*, tenant: TenantName = None, lang: Lang = "en", as_json: Json = False) -> None:
    """List the backup configurations of a tenant.

    Example: tenantkeep backup list --tenant contoso
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        found = gateway.configurations(slug)
        targets = {target.id: target.name for target in gateway.storage_targets(slug)}
    if as_json:
        screen.document({"items": found})
        return
    rows = [
        (
            c.name, c.id, targets.get(c.target, c.target), ", ".join(c.sources), _kept(c), _when(c), _next(screen, c),
            c.last_run or "",
        )
        for c in found
    ]  # fmt: skip
    headers = (
        labels.NAME, labels.ID, labels.TARGET, labels.SOURCES, labels.RETENTION, labels.SCHEDULE, labels.NEXT_RUN,
        labels.LAST_RUN,
    )  # fmt: skip
    screen.table(headers, rows)


@reported
def describe(*, configuration: Name, tenant: TenantName = None, lang: Lang = "en", as_json: Json = False) -> None:
    """Show a configuration, and when it runs next.

    Example: tenantkeep backup describe nightly
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        found = gateway.configuration(slug, named(gateway.configurations(slug), configuration, labels.NAME).id)
    _told(screen, found)


def _change(screen: Screen, configuration: str, tenant: str | None, body: BackupConfigurationChange) -> None:
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        _told(screen, gateway.change_configuration(slug, _id(gateway, slug, configuration), body))


def _id(gateway: Gateway, tenant: str, configuration: str) -> str:
    return named(gateway.configurations(tenant), configuration, labels.NAME).id


def _told(screen: Screen, one: BackupConfiguration) -> None:
    if screen.as_json:
        screen.document(one)
        return
    rows = [
        (screen.text(labels.NAME), one.name),
        (screen.text(labels.SOURCES), ", ".join(one.sources)),
        (screen.text(labels.RETENTION), _kept(one)),
        (screen.text(labels.SCHEDULE), _when(one)),
        (screen.text(labels.NEXT_RUN), _next(screen, one)),
        (screen.text(labels.INCLUDED), ", ".join(one.include) or screen.text(labels.EVERY_MAILBOX)),
        (screen.text(labels.EXCLUDED), ", ".join(one.exclude)),
    ]
    screen.table((labels.NAME, labels.DETAIL), rows)


def _next(screen: Screen, one: BackupConfiguration) -> str:
    if one.paused:
        return screen.text(labels.PAUSED)
    return screen.text(labels.WHEN_ASKED) if one.next_run_at is None else figures.moment(one.next_run_at)


def _when(one: BackupConfiguration) -> str:
    return "" if one.schedule is None else f"{one.schedule} {one.time_zone}"


def _kept(one: BackupConfiguration) -> str:
    return one.retention or f"{one.retention_days}d"


def _given(**values: Any) -> dict[str, Any]:
    """What was named on the command line."""
    return {name: value for name, value in values.items() if value is not None}


def _valid(model: type[Any], **values: Any) -> Any:
    try:
        return model(**values)
    except ValidationError as error:
        lines = "; ".join(f"{e['loc'][0]}: {e['msg']}" for e in error.errors(include_input=False))
        raise usage(f"Not valid: {lines}", f"Nicht gültig: {lines}") from None
