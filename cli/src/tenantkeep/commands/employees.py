"""`tenantkeep employees …`: look, change, import, and what a person may ask about the data held on them."""

import uuid
from datetime import date
from typing import Annotated, Any

import typer

from contracts.employee_changes import LocalChange
from contracts.employees import LOCAL, SYNCHRONISED, Activity, Employee
from contracts.names import DirectoryState, Role
from contracts.operations.employees import Candidate
from contracts.texts import Text
from tenantkeep.commands import employee_labels as words
from tenantkeep.commands import figures
from tenantkeep.commands.choose import tenant_of
from tenantkeep.commands.client import Gateway, connect
from tenantkeep.commands.clock import SystemClock
from tenantkeep.commands.employee_fields import profile_change, rows_of
from tenantkeep.commands.errors import CommandError, usage
from tenantkeep.commands.options import Json, Lang, TenantName, Timeout
from tenantkeep.commands.output import Screen, reported
from tenantkeep.exit_codes import ExitCode

app = typer.Typer(
    help="Employees: profiles that are the same in Microsoft 365 and here, and fields that are kept here alone.",
    no_args_is_help=True,
)

Who = Annotated[str, typer.Argument(metavar="EMPLOYEE", help="Primary mail address, or Entra object id.")]
_LOOK_AGAIN = 0.5
_GUID = 36
_PAGE = 100


@app.command("list")
@reported
def list_(
    *,
    q: Annotated[str, typer.Argument(metavar="[BEGIN]", help="Begin of a name or mail address.")] = "",
    role: Annotated[Role | None, typer.Option(help="Only who has this role.")] = None,
    state: Annotated[DirectoryState | None, typer.Option(help="Only who is present, or deleted.")] = None,
    stale: Annotated[bool, typer.Option("--stale", help="Only who was not synchronised for a day.")] = False,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """List employees with their roles and when each was last synchronised.

    Example: tenantkeep employees list mei --role hr
    """
    screen = Screen(lang, as_json=as_json)
    wanted = {"q": q or None, "role": role, "directory_state": state, "stale": True if stale else None}
    with connect(screen) as gateway:
        found = gateway.employees(tenant_of(gateway, tenant), **{k: v for k, v in wanted.items() if v is not None})
    if as_json:
        screen.document({"items": found})
        return
    headers = (words.EMPLOYEE, words.MAIL, words.ROLES, words.ACCOUNT, words.SYNCED, words.OBJECT_ID)
    screen.table(headers, [_row(one, screen) for one in found])


@app.command("show")
@reported
def show(*, who: Who, tenant: TenantName = None, lang: Lang = "en", as_json: Json = False) -> None:
    """Show an employee: fields of Microsoft 365, fields kept here, roles, last sync.

    Example: tenantkeep employees show anna@contoso.com
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        found = employee_of(gateway, tenant_of(gateway, tenant), who)
    show_employee(screen, found)


@app.command("update")
@reported
def update(
    *,
    who: Who,
    fields: Annotated[
        list[str], typer.Argument(metavar="FIELD=VALUE...", help=f"Fields: {', '.join(SYNCHRONISED)}. Nothing clears.")
    ],
    timeout: Timeout = 60.0,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Change a profile: in Microsoft 365 first, and here when Microsoft 365 shows it. Otherwise nothing changes.

    Example: tenantkeep employees update anna@contoso.com city=Bonn job_title="Head of Finance"
    Example: tenantkeep employees update anna@contoso.com mobile_number= account_enabled=no
    """
    screen = Screen(lang, as_json=as_json)
    change = profile_change(fields)
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        known, key, clock = employee_of(gateway, slug, who), str(uuid.uuid4()), SystemClock()
        body = change.model_copy(update={"version": known.version})
        deadline = clock.now() + timeout
        done = gateway.change_profile(slug, known.id, body, key)
        while not done.finished and clock.now() < deadline:
            clock.pause(_LOOK_AGAIN)
            done = gateway.change_profile(slug, known.id, body, key)
    if not done.finished:
        raise _still_going(who)
    show_employee(screen, done.employee)


@app.command("edit")
@reported
def edit(
    *,
    who: Who,
    employee_type: Annotated[str | None, typer.Option("--type", help="One of the tenant's list.")] = None,
    employee_status: Annotated[str | None, typer.Option("--status", help="One of the tenant's list.")] = None,
    remote: Annotated[bool | None, typer.Option("--remote/--no-remote", help="Works remotely.")] = None,
    gdpr_exempt: Annotated[bool | None, typer.Option("--gdpr-exempt/--no-gdpr-exempt", help="Needs a reason.")] = None,
    gdpr_reason: Annotated[str | None, typer.Option(help='Why; "" clears.')] = None,
    entry_date: Annotated[str | None, typer.Option(help='YYYY-MM-DD; "" clears.')] = None,
    exit_date: Annotated[str | None, typer.Option(help='YYYY-MM-DD, not before the entry; "" clears.')] = None,
    take_offered: Annotated[
        bool, typer.Option("--take-offered", help="Take over what the deleted user of this address had.")
    ] = False,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Change fields that are kept here alone; Microsoft 365 never sees them.

    Example: tenantkeep employees edit anna@contoso.com --status "on leave" --exit-date 2026-12-31
    """
    screen = Screen(lang, as_json=as_json)
    change = LocalChange(
        employee_type=employee_type,
        employee_status=employee_status,
        remote_worker=remote,
        gdpr_exempt=gdpr_exempt,
        gdpr_reason=gdpr_reason,
        entry_date=_day(entry_date),
        exit_date=_day(exit_date),
        take_offered=take_offered,
    )
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        known = employee_of(gateway, slug, who)
        body = change.model_copy(update={"version": known.version})
        changed = gateway.change_local_fields(slug, known.id, body)
    show_employee(screen, changed)


@app.command("candidates")
@reported
def candidates(
    *,
    q: Annotated[str, typer.Argument(metavar="[BEGIN]", help="Begin of a name or address.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Stop after so many.")] = 50,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """List users of Microsoft 365 who are not imported yet.

    Example: tenantkeep employees candidates schm
    """
    screen = Screen(lang, as_json=as_json)
    found: list[Candidate] = []
    with connect(screen) as gateway:
        slug, cursor = tenant_of(gateway, tenant), None
        while len(found) < limit:
            page = gateway.candidates(slug, q, cursor, min(limit, _PAGE))
            found += page.items
            cursor = page.cursor
            if cursor is None:
                break
    found = found[:limit]
    if as_json:
        screen.document({"items": found})
        return
    headers = (words.EMPLOYEE, words.MAIL, words.SIGN_IN_NAME, words.OBJECT_ID)
    rows = [(one.display_name, one.primary_mail, one.user_principal_name, one.id) for one in found]
    screen.table(headers, rows)
    if cursor is not None:
        screen.say(
            Text("There may be more: give a begin, or --limit.", "Es kann mehr geben: Anfang oder --limit angeben.")
        )


@app.command("import")
@reported
def import_(
    *,
    user: Annotated[str, typer.Argument(metavar="USER", help="Entra object id, as `candidates` shows it.")],
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Import one user of Microsoft 365, with profile and roles.

    Example: tenantkeep employees import 0f0f3c52-7a55-4d0a-8a64-51f2b1f3c9d7
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        made = gateway.import_employee(tenant_of(gateway, tenant), user)
    show_employee(screen, made)


@app.command("refresh")
@reported
def refresh(*, who: Who, tenant: TenantName = None, lang: Lang = "en", as_json: Json = False) -> None:
    """Load one employee anew from Microsoft 365, such as a stale one; fields kept here stay.

    Example: tenantkeep employees refresh anna@contoso.com
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        made = gateway.import_employee(slug, employee_of(gateway, slug, who).id)
    show_employee(screen, made)


@app.command("activity")
@reported
def activity(
    *,
    who: Annotated[
        str | None, typer.Argument(metavar="[EMPLOYEE]", help="Mail address or object id. [default: everybody]")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Stop after so many.")] = 50,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """List changes, newest first: which field, before and after, who, by way of what.

    Example: tenantkeep employees activity anna@contoso.com --limit 200
    """
    screen = Screen(lang, as_json=as_json)
    found: list[Activity] = []
    with connect(screen) as gateway:
        slug, cursor = tenant_of(gateway, tenant), None
        chosen = None if who is None else employee_of(gateway, slug, who).id
        while len(found) < limit:
            page = gateway.activity(slug, chosen, cursor, min(limit - len(found), _PAGE))
            found += page.items
            cursor = page.cursor
            if cursor is None:
                break
    if as_json:
        screen.document({"items": found})
        return
    headers = (words.AT, words.EMPLOYEE, words.ACTION, words.FIELD, words.OLD, words.NEW, words.BY, words.ORIGIN)
    screen.table(headers, [_entry(one, screen) for one in found])


def employee_of(gateway: Gateway, tenant: str, given: str) -> Employee:
    """The employee with this object id or primary mail address; of several who exist, who is present."""
    if "@" not in given and len(given) == _GUID:
        return gateway.employee(tenant, given)
    same = [
        one for one in gateway.employees(tenant, q=given) if (one.fields.primary_mail or "").lower() == given.lower()
    ]
    found = [one for one in same if one.directory_state is DirectoryState.PRESENT] or same
    if len(found) == 1:
        return found[0]
    raise CommandError(
        Text(f"There is no single employee {given}.", f"Es gibt keinen eindeutigen Mitarbeiter {given}."),
        Text("List them: tenantkeep employees list BEGIN", "Anzeigen: tenantkeep employees list ANFANG"),
        code="not-found",
    )


def show_employee(screen: Screen, employee: Employee) -> None:
    """Every field, or the document with --json."""
    if screen.as_json:
        screen.document(employee)
        return
    heads = (words.FIELD, words.VALUE)
    screen.table(
        heads, rows_of(employee.fields, SYNCHRONISED, screen.language), title=Text("Microsoft 365", "Microsoft 365")
    )
    screen.table(heads, rows_of(employee.local, LOCAL, screen.language), title=Text("Kept here", "Hier geführt"))
    screen.say(
        Text("Roles: {}. {}; synchronised {}. Id {}", "Rollen: {}. {}; abgeglichen {}. ID {}"),
        _roles(employee, screen) or "–",
        screen.text(words.DIRECTORY_STATES[employee.directory_state]),
        _synced(employee, screen),
        employee.id,
    )
    if employee.offered is not None:
        screen.say(
            Text(
                "The deleted user of this address had other values here: take them over with --take-offered.",
                "Der gelöschte Benutzer dieser Adresse hatte hier andere Werte: übernehmen mit --take-offered.",
            )
        )


def _row(one: Employee, screen: Screen) -> tuple[str, ...]:
    present = one.directory_state is DirectoryState.PRESENT
    account = words.ENABLED if one.fields.account_enabled else words.DISABLED
    return (
        one.fields.display_name or "",
        one.fields.primary_mail or "",
        _roles(one, screen),
        screen.text(account if present else words.DIRECTORY_STATES[one.directory_state]),
        _synced(one, screen),
        one.id,
    )


def _roles(employee: Employee, screen: Screen) -> str:
    return ", ".join(screen.text(words.ROLE_NAMES[role]) for role in employee.roles)


def _synced(employee: Employee, screen: Screen) -> str:
    stale = f" ({screen.text(words.STALE)})" if employee.stale else ""
    return f"{figures.moment(employee.synced_at)}{stale}"


def _entry(one: Activity, screen: Screen) -> tuple[str, ...]:
    field = words.field(one.field, screen.language) if one.field else ""
    return (figures.moment(one.at), one.employee, one.action, field, _said(one.old), _said(one.new), one.by, one.origin)


def _said(value: Any) -> str:
    if value is None:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _day(given: str | None) -> Any:
    """A date, "" to clear, None to leave."""
    if not given:
        return given
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise usage(f"{given} is no date such as 2026-12-31.", f"{given} ist kein Datum wie 2026-12-31.") from None


def _still_going(who: str) -> CommandError:
    return CommandError(
        Text("Microsoft 365 has not shown the change yet.", "Microsoft 365 zeigt die Änderung noch nicht."),
        Text(f"Look again: tenantkeep employees show {who}", f"Erneut ansehen: tenantkeep employees show {who}"),
        ExitCode.STILL_WAITING,
        code="waiting",
    )
