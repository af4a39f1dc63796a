"""`tenantkeep profiles …` and `tenantkeep permissions check`: what each app asks for, and whether it has it."""

from datetime import datetime
from typing import Annotated

import typer

from contracts.api import ConsentGiverBody
from contracts.names import Answer, PermissionFinding, Profile
from contracts.permissions import PermissionCheck, PermissionState, ProfileView
from contracts.profile_texts import FEATURES, HOW_TO_WITHDRAW, LEAST_ROLE, PREFLIGHT, ROLE_NAMES
from contracts.profiles import PROFILES, AppPermission
from contracts.texts import Text, render
from tenantkeep.commands import figures, labels
from tenantkeep.commands.choose import tenant_of
from tenantkeep.commands.client import connect
from tenantkeep.commands.options import Json, Lang, TenantName
from tenantkeep.commands.output import Screen, reported
from tenantkeep.commands.vault_key import certificate
from tenantkeep.exit_codes import ExitCode

app = typer.Typer(help="App profiles: their permissions, state and consent.", no_args_is_help=True)
permissions_app = typer.Typer(help="Permissions of the app profiles.", no_args_is_help=True)

_PERMISSION = Text("Permission", "Berechtigung")
_TYPE = Text("Type", "Art")
_MEANING = Text("What it allows", "Was sie erlaubt")
_WHY = Text("Why", "Wozu")
_NEEDED = Text("Needed", "Benötigt")
_GRANTED = Text("Granted", "Gewährt")
_IN_TOKEN = Text("In token", "Im Token")
_EFFECTIVE = Text("Effective", "Wirksam")
_FINDING = Text("Finding", "Befund")
_PERMISSIONS = Text("Permissions", "Berechtigungen")
_AUTHORISE = Text("Authorise", "Autorisieren")
_ROLE = Text("Role to consent", "Rolle zum Zustimmen")
_KINDS = {"application": Text("application", "Anwendung"), "delegated": Text("delegated", "delegiert")}
_ANSWERS = {
    Answer.YES: Text("yes", "ja"),
    Answer.NO: Text("no", "nein"),
    Answer.UNKNOWN: Text("unknown", "unbekannt"),
}
_ORDER = {
    Answer.YES: Text("in order", "in Ordnung"),
    Answer.NO: Text("not in order", "nicht in Ordnung"),
    Answer.UNKNOWN: Text("unknown", "unbekannt"),
}
_FINDINGS = {
    PermissionFinding.MISSING: Text("missing", "fehlt"),
    PermissionFinding.EXCESS: Text("too much", "zu viel"),
    PermissionFinding.NOT_EFFECTIVE: Text("granted, but refused", "gewährt, aber abgelehnt"),
}
_ENDED = {Answer.YES: ExitCode.SUCCEEDED, Answer.NO: ExitCode.FAILED, Answer.UNKNOWN: ExitCode.STILL_WAITING}

ProfileArgument = Annotated[Profile, typer.Argument(help="App profile.")]

app.command("certificate")(certificate)


@app.command("list")
@reported
def list_(tenant: TenantName = None, lang: Lang = "en", as_json: Json = False) -> None:
    """List the app profiles with permissions, status and the command that authorises each.

    Example: tenantkeep profiles list
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        profiles = gateway.profiles(tenant_of(gateway, tenant))
    if as_json:
        screen.document({"items": profiles})
        return
    rows = [_row(view, lang) for view in profiles]
    screen.table((labels.PROFILE, labels.STATUS, _PERMISSIONS, _FINDING, _ROLE, _AUTHORISE), rows)
    screen.say(LEAST_ROLE)


@app.command("show")
@reported
def show(profile: ProfileArgument, tenant: TenantName = None, lang: Lang = "en", as_json: Json = False) -> None:
    """Show one profile: each permission, why it is needed and whether it is there; how to consent and to withdraw.

    Example: tenantkeep profiles show exchange-backup
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        view = next(one for one in gateway.profiles(tenant_of(gateway, tenant)) if one.profile is profile)
    if as_json:
        screen.document(view)
        return
    screen.say(Text("{}: {}", "{}: {}"), view.profile, render(PROFILES[profile].purpose, lang))
    if not view.in_use:
        screen.say(
            Text(
                "No service of this release uses its tokens; it can be registered, consented and checked.",
                "Kein Dienst dieser Version nutzt seine Token; es lässt sich registrieren, genehmigen und prüfen.",
            )
        )
    _explain(screen, profile)
    _show_check(screen, view.check)
    _show_consent(screen, view)


@app.command("consent-giver")
@reported
def consent_giver(
    *,
    profile: ProfileArgument,
    name: Annotated[str, typer.Option(help="Administrator of the customer who consented.")],
    at: Annotated[datetime | None, typer.Option(help="When, if known.")] = None,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Write down who gave the admin consent, where the tenant's directory audit does not tell (any more).

    Example: tenantkeep profiles consent-giver exchange-backup --name "Erika Muster"
    """
    screen = Screen(lang, as_json=as_json)
    body = ConsentGiverBody(name=name, at=None if at is None else at.astimezone())
    with connect(screen) as gateway:
        view = gateway.set_consent_giver(tenant_of(gateway, tenant), profile, body)
    if as_json:
        screen.document(view)
        return
    _show_consent(screen, view)


@permissions_app.command("check")
@reported
def check(profile: ProfileArgument, tenant: TenantName = None, lang: Lang = "en", as_json: Json = False) -> None:
    """Check now: required, granted, in the token, effective. Exit code 0 in order, 1 not, 4 unknown.

    Example: tenantkeep permissions check exchange-backup
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        found = gateway.check_permissions(tenant_of(gateway, tenant), profile)
    if as_json:
        screen.document(found)
    else:
        _show_check(screen, found)
    raise typer.Exit(_ENDED[found.in_order])


@app.command("sign-in")
@reported
def sign_in(tenant: TenantName = None, lang: Lang = "en", as_json: Json = False) -> None:
    """Let a person of the tenant sign in: a page then shows their roles, and what delegated consent gives them.

    Example: tenantkeep profiles sign-in
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        link = gateway.start_sign_in(tenant_of(gateway, tenant))
    if as_json:
        screen.document(link)
        return
    screen.say(
        Text("The person opens, once, until {}: {}", "Die Person öffnet, einmal, bis {}: {}"), link.expires_at, link.url
    )


def _row(view: ProfileView, lang: str) -> tuple[str, ...]:
    names = [state.name if not state.optional else f"({state.name})" for state in view.check.permissions]
    findings = [f"{state.name}: {_finding(state, lang)}" for state in view.check.permissions if state.finding]
    return (
        view.profile,
        labels.code(view.status, lang),
        "\n".join(names),
        "\n".join(findings) or render(_ORDER[view.check.in_order], lang),
        render(ROLE_NAMES[view.consent_role], lang),
        f"tenantkeep tenant consent {view.profile}",
    )


def _explain(screen: Screen, profile: Profile) -> None:
    lang = screen.language
    rows = [
        (
            permission.name,
            render(_KINDS[permission.kind], lang),
            render(permission.description, lang),
            f"{render(permission.why, lang)}{_feature(permission, lang)}",
        )
        for permission in PROFILES[profile].permissions
    ]
    screen.table((_PERMISSION, _TYPE, _MEANING, _WHY), rows)


def _feature(permission: AppPermission, lang: str) -> str:
    if permission.feature is None:
        return ""
    optional = render(Text("optional, for:", "optional, für:"), lang)
    return f" ({optional} {render(FEATURES[permission.feature], lang)})"


def _show_check(screen: Screen, found: PermissionCheck) -> None:
    lang = screen.language
    rows = [
        (
            state.name,
            render(_KINDS[state.kind], lang),
            render(
                _ANSWERS[Answer.NO if state.optional or state.finding is PermissionFinding.EXCESS else Answer.YES], lang
            ),
            *(render(_ANSWERS[answer], lang) for answer in (state.granted, state.in_token, state.effective)),
            f"{_finding(state, lang)} {state.detail}".strip(),
        )
        for state in found.permissions
    ]
    screen.table((_PERMISSION, _TYPE, _NEEDED, _GRANTED, _IN_TOKEN, _EFFECTIVE, _FINDING), rows)
    when = figures.moment(found.checked_at) or "-"
    screen.say(
        Text("Permissions {} (checked {}) {}", "Berechtigungen {} (geprüft {}) {}"),
        render(_ORDER[found.in_order], lang),
        when,
        found.detail,
    )
    if found.enterprise_application is Answer.NO:
        screen.say(
            Text(
                "The tenant has no enterprise application of this client id: ask for consent.",
                "Der Mandant hat keine Unternehmensanwendung zu dieser Client-ID: Genehmigung anfordern.",
            )
        )


def _finding(state: PermissionState, lang: str) -> str:
    return "" if state.finding is None else render(_FINDINGS[state.finding], lang)


def _show_consent(screen: Screen, view: ProfileView) -> None:
    lang = screen.language
    giver = view.consent_giver
    if giver is not None:
        source = (
            Text("directory audit", "Überwachungsprotokoll")
            if giver.source == "audit"
            else Text("typed in", "eingetragen")
        )
        screen.say(
            Text("Consent by {} {} ({})", "Genehmigt von {} {} ({})"),
            giver.name,
            figures.moment(giver.at),
            render(source, lang),
        )
    if view.consent_effective_seconds is not None:
        screen.say(
            Text("Effective {} s after Microsoft reported it", "Wirksam {} s nach Microsofts Meldung"),
            f"{view.consent_effective_seconds:.1f}",
        )
    screen.say(Text("Before asking for consent:", "Vor dem Anfordern der Genehmigung:"))
    for line in PREFLIGHT:
        screen.say(Text(f"- {line.en}", f"- {line.de}"))
    screen.say(
        Text("Role to consent: {}; to register the app: {}", "Rolle zum Zustimmen: {}; zum Registrieren der App: {}"),
        render(ROLE_NAMES[view.consent_role], lang),
        render(ROLE_NAMES[view.registration_role], lang),
    )
    screen.say(LEAST_ROLE)
    screen.say(Text("Authorise: {}", "Autorisieren: {}"), f"tenantkeep tenant consent {view.profile}")
    if view.withdraw_url is not None:
        screen.say(HOW_TO_WITHDRAW)
        screen.say(Text("{}", "{}"), view.withdraw_url)
