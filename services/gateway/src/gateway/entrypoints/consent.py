"""Admin consent: a link for an administrator, and the page the administrator's browser comes back to."""

import html
from http import HTTPStatus

from fastapi import APIRouter
from fastapi.requests import Request
from fastapi.responses import HTMLResponse

from contracts import rpc
from contracts.api import ConsentBody
from contracts.authorization import CONSENT_CALLBACK
from contracts.entra_errors import explained
from contracts.names import Profile
from contracts.problem import ProblemError
from contracts.texts import CONSENT_OUTCOMES, Text
from contracts.views import ConsentLink
from gateway.domain import Asking, Caller
from gateway.entrypoints.gate import PREFIX, Api, Asked, Gated
from gateway.entrypoints.gate import Tenant as Slug
from gateway.entrypoints.middleware import REQUEST_ID

api = Api("tenants")
callback = APIRouter(prefix=PREFIX, redirect_slashes=False, include_in_schema=False)

_LONGEST = {"state": 128, "admin_consent": 20, "error": 200, "error_description": 2000}
_BROWSER = Caller("consent-callback", frozenset(), frozenset())
"""Who asks is unknown; the state is the only proof, and it is checked by its owner."""

_NOT_VALID = Text(
    "This consent link is not valid any more. Ask for consent again.",
    "Dieser Link zur Genehmigung ist nicht mehr gültig. Bitte erneut anfordern.",
)
NOT_NOW = Text(
    "The answer could not be taken. Reload this page shortly.",
    "Die Antwort konnte nicht angenommen werden. Diese Seite in Kürze neu laden.",
)


@api.route("start_consent")
async def start_consent(gate: Gated, asking: Asked, tenant: Slug, profile: Profile, body: ConsentBody) -> ConsentLink:
    """Ask for admin consent for an app profile.

    The link is for an administrator of the tenant, works once and for ten minutes. Consent counts when a token and a
    call prove it: look at the state of the token.
    """
    redirect_uri = f"{gate.public_url}{PREFIX}{CONSENT_CALLBACK}"
    question = rpc.StartConsent(profile=profile, redirect_uri=redirect_uri, client_id=body.client_id)
    return await gate.services.ask(rpc.CONSENT_START, tenant, question, asking)


@callback.get(CONSENT_CALLBACK, name="consent_callback")
async def consent_callback(request: Request, gate: Gated) -> HTMLResponse:
    """Take the redirect. Nothing of it is shown again or believed; its state is used up."""
    told = {name: request.query_params.get(name, "")[:longest] for name, longest in _LONGEST.items()}
    if not told["state"]:
        return page(_NOT_VALID, HTTPStatus.UNPROCESSABLE_ENTITY)
    asking = Asking(_BROWSER, request.scope[REQUEST_ID])
    try:
        result = await gate.services.ask(rpc.CONSENT_FINISH, None, rpc.FinishConsent(**told), asking)
    except ProblemError as error:
        known = error.problem.code == "consent-state"
        return page(_NOT_VALID if known else NOT_NOW, error.problem.status)
    why = explained(result.detail)
    detail = f"{result.tenant} {result.profile} {result.detail}"
    return page(CONSENT_OUTCOMES[result.outcome], HTTPStatus.OK, *(why or ()), detail)


def page(text: Text, status: int, *more: str) -> HTMLResponse:
    """A page for a browser that has no token of ours, in both languages."""
    lines = "".join(f"<p>{html.escape(line.strip())}</p>" for line in (text.en, text.de, *more) if line.strip())
    return HTMLResponse(
        f"<!doctype html><html><head><title>Tenantkeep</title></head><body>{lines}</body></html>", status
    )
