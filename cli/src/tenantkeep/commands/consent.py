"""`tenantkeep tenant consent`: give the link, wait for what Microsoft Graph says."""

from typing import Annotated

import typer

from contracts.api import ConsentBody
from contracts.entra_errors import explained
from contracts.names import ConsentOutcome, Profile
from contracts.texts import Text
from contracts.views import ConsentLink, TokenView
from tenantkeep.commands import labels
from tenantkeep.commands.choose import tenant_of
from tenantkeep.commands.client import Gateway, connect
from tenantkeep.commands.clock import Clock, SystemClock
from tenantkeep.commands.options import Json, Lang, TenantName, Timeout
from tenantkeep.commands.output import Screen, reported
from tenantkeep.exit_codes import ExitCode

_INTERVAL = 1.0
_ENDED = {
    ConsentOutcome.EFFECTIVE: ExitCode.SUCCEEDED,
    ConsentOutcome.DECLINED: ExitCode.FAILED,
    ConsentOutcome.FAILED: ExitCode.FAILED,
    ConsentOutcome.EXPIRED: ExitCode.FAILED,
}
_REFUSED = frozenset({ConsentOutcome.DECLINED, ConsentOutcome.FAILED})


@reported
def consent(
    *,
    profile: Annotated[Profile, typer.Argument(help="App profile.")],
    client_id: Annotated[
        str | None, typer.Option(help="Client id of the app registration; needed before it has a credential.")
    ] = None,
    wait: Annotated[bool, typer.Option(help="Wait until the consent is effective or refused.")] = True,
    tenant: TenantName = None,
    timeout: Timeout = 600.0,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Ask an administrator of the tenant for consent: prints a link that works once, for ten minutes, and waits.

    Example: tenantkeep tenant consent exchange-backup
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        link = gateway.start_consent(slug, profile, ConsentBody(client_id=client_id))
        screen.say(Text("An administrator opens: {}", "Ein Administrator öffnet: {}"), link.url)
        found = wait_for_consent(gateway, slug, profile, link, clock=SystemClock(), timeout=timeout if wait else 0.0)
    outcome = _outcome(found)
    if as_json:
        screen.document({"link": link, "token": found})
    else:
        detail = "" if found is None or found.consent is None else found.consent.detail
        screen.say(Text("{} {}", "{} {}"), labels.code(outcome, lang), detail)
        why = explained(detail)
        if why is not None and outcome in _REFUSED:
            screen.say(why)
    raise typer.Exit(_ENDED.get(outcome, ExitCode.STILL_WAITING if wait else ExitCode.SUCCEEDED))


def wait_for_consent(
    gateway: Gateway, tenant: str, profile: Profile, link: ConsentLink, *, clock: Clock, timeout: float
) -> TokenView | None:
    """Look until this link's outcome is definite or the time is over; returns the last look."""
    deadline = clock.now() + timeout
    while True:
        found = next((token for token in gateway.tokens(tenant) if token.profile is profile), None)
        if _settled(found, link) or clock.now() >= deadline:
            return found
        clock.pause(_INTERVAL)


def _settled(token: TokenView | None, link: ConsentLink) -> bool:
    if token is None or token.consent is None:
        return False
    if token.consent.expires_at != link.expires_at:
        return True  # somebody asked again: this link is void
    without_credential = token.consent.outcome is ConsentOutcome.GRANTED and token.client_id != token.consent.client_id
    return token.consent.outcome in _ENDED or without_credential


def _outcome(token: TokenView | None) -> ConsentOutcome:
    return ConsentOutcome.WAITING if token is None or token.consent is None else token.consent.outcome
