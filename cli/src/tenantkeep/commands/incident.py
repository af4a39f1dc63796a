"""`tenantkeep incident …`: a token that may be in wrong hands."""

from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError

from contracts.api import IncidentBody, IncidentClosureBody, IncidentNoteBody
from contracts.incidents import INCIDENT_STEPS, NEXT_IN_INCIDENT, Incident, IncidentStep, IncidentText
from contracts.names import Profile
from contracts.texts import Text
from tenantkeep.commands import figures, labels
from tenantkeep.commands.choose import tenant_of
from tenantkeep.commands.client import connect
from tenantkeep.commands.errors import usage
from tenantkeep.commands.options import Json, Lang, TenantName
from tenantkeep.commands.output import Screen, reported

app = typer.Typer(help="Tokens that may be in wrong hands: report, follow, close.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="INCIDENT", help="Id of the incident.")]
_PORTAL = "https://entra.microsoft.com/#view/Microsoft_AAD_IAM/ManagedAppMenuBlade/~/Properties/appId/{}"


@app.command("open")
@reported
def open_(
    *,
    profile: Annotated[Profile, typer.Argument(help="App profile whose token it is.")],
    report: Annotated[str, typer.Argument(help="What was seen, up to 1000 characters.")],
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Report that a token may be in wrong hands: it is deactivated at once, and IT security is informed.

    Example: tenantkeep incident open exchange-backup "The client secret stood in a ticket."
    """
    screen = Screen(lang, as_json=as_json)
    body = IncidentBody(profile=profile, report=_words(report))
    with connect(screen) as gateway:
        _show(screen, gateway.open_incident(tenant_of(gateway, tenant), body))


@app.command("list")
@reported
def list_(tenant: TenantName = None, lang: Lang = "en", as_json: Json = False) -> None:
    """List incidents, newest first, closed ones included.

    Example: tenantkeep incident list
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        found = gateway.incidents(tenant_of(gateway, tenant))
    if as_json:
        screen.document({"items": found})
        return
    headers = (labels.ID, labels.PROFILE, labels.OPENED, labels.BY, labels.REPLACED_AT, labels.CLOSED_AT, labels.CAUSE)
    screen.table(headers, [_row(incident) for incident in found])


@app.command("show")
@reported
def show(incident: Id, tenant: TenantName = None, lang: Lang = "en", as_json: Json = False) -> None:
    """Show an incident: its timeline, and what is to be done next.

    Example: tenantkeep incident show 01KJQ5B3V7N9Q1S5Y8A2C4E6GH
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        _show(screen, gateway.incident(tenant_of(gateway, tenant), incident))


@app.command("note")
@reported
def note(
    *,
    incident: Id,
    text: Annotated[str, typer.Argument(help="What was done or found out, up to 1000 characters.")],
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Add to the timeline of an incident.

    Example: tenantkeep incident note 01KJQ5B3V7N9Q1S5Y8A2C4E6GH "The ticket is locked."
    """
    screen = Screen(lang, as_json=as_json)
    body = IncidentNoteBody(text=_words(text))
    with connect(screen) as gateway:
        _show(screen, gateway.note_incident(tenant_of(gateway, tenant), incident, body))


@app.command("close")
@reported
def close(
    *,
    incident: Id,
    cause: Annotated[str, typer.Argument(help="Why it happened, up to 1000 characters.")],
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Close an incident with its cause. For administrators and operators.

    Example: tenantkeep incident close 01KJQ5B3V7N9Q1S5Y8A2C4E6GH "Copied into the ticket by mistake."
    """
    screen = Screen(lang, as_json=as_json)
    body = IncidentClosureBody(cause=_words(cause))
    with connect(screen) as gateway:
        _show(screen, gateway.close_incident(tenant_of(gateway, tenant), incident, body))


def _words(text: str) -> Any:
    try:
        return TypeAdapter(IncidentText).validate_python(text)
    except ValidationError:
        raise usage("1 to 1000 characters are needed.", "Es braucht 1 bis 1000 Zeichen.") from None


def _row(incident: Incident) -> tuple[str, ...]:
    return (
        incident.id,
        incident.profile,
        figures.moment(incident.opened_at),
        incident.opened_by,
        figures.moment(incident.replaced_at),
        figures.moment(incident.closed_at),
        incident.cause,
    )


def _show(screen: Screen, incident: Incident) -> None:
    if screen.as_json:
        screen.document(incident)
        return
    state = labels.OPEN if incident.open else labels.CLOSED
    screen.say(Text("Incident {} ({}): {}", "Vorfall {} ({}): {}"), incident.id, incident.profile, screen.text(state))
    rows = [
        (figures.moment(entry.at), entry.by, f"{screen.text(INCIDENT_STEPS[entry.step])} {entry.detail}".strip())
        for entry in incident.timeline
    ]
    screen.table((labels.DATE, labels.BY, labels.STEP), rows)
    if incident.security is not None:
        said = Text("IT security: {}, {}", "IT-Sicherheit: {}, {}")
        screen.say(said, incident.security.name, incident.security.mail)
    if any(entry.step is IncidentStep.PRINCIPAL_NOT_DISABLED for entry in incident.timeline) and incident.client_id:
        screen.say(Text("{}", "{}"), _PORTAL.format(incident.client_id))
    if incident.open:
        todo = NEXT_IN_INCIDENT[0 if incident.replaced_at is None else 1]
        screen.say(todo, incident.profile if incident.replaced_at is None else incident.id)
