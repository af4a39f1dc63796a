"""The sign-in of a person at Microsoft: a link, and the page the person's browser comes back to."""

import re
from http import HTTPStatus
from urllib.parse import parse_qsl

from fastapi import APIRouter
from fastapi.requests import Request
from fastapi.responses import HTMLResponse

from contracts.authorization import SIGN_IN_CALLBACK
from contracts.entra_errors import explained
from contracts.names import Answer
from contracts.operations import sign_in as operations
from contracts.problem import ProblemError
from contracts.profile_texts import ROLE_NAMES
from contracts.sign_in import SignedInPerson, SignInLink
from contracts.texts import Text
from gateway.domain import Asking, Caller
from gateway.entrypoints.consent import NOT_NOW, page
from gateway.entrypoints.gate import PREFIX, Api, Asked, Gated
from gateway.entrypoints.gate import Tenant as Slug
from gateway.entrypoints.middleware import REQUEST_ID

api = Api("tenants")
callback = APIRouter(prefix=PREFIX, redirect_slashes=False, include_in_schema=False)

_LONGEST = {"state": 200, "code": 4000, "error": 200, "error_description": 2000}
_LONGEST_BODY = 16_384
_BROWSER = Caller("sign-in-callback", frozenset(), frozenset())
_STATE = re.compile(r"([a-z0-9-]{1,32})\.[A-Za-z0-9_-]{16,}")
"""A state begins with its tenant."""

_NOT_VALID = Text(
    "This sign-in is not valid any more. Ask for a new link.",
    "Diese Anmeldung gilt nicht mehr. Bitte einen neuen Link anfordern.",
)
_NOBODY = Text("Nobody was signed in.", "Es wurde niemand angemeldet.")
_MAY = {
    Answer.YES: Text("May consent to the app profiles.", "Darf den App-Profilen zustimmen."),
    Answer.NO: Text(
        "May not consent to the app profiles: Privileged Role Administrator or Global Administrator is needed.",
        "Darf den App-Profilen nicht zustimmen: Nötig ist Administrator für privilegierte Rollen oder Globaler "
        "Administrator.",
    ),
    Answer.UNKNOWN: Text(
        "Whether this person may consent is unknown: their roles could not be read.",
        "Ob diese Person zustimmen darf, ist unbekannt: Ihre Rollen waren nicht lesbar.",
    ),
}


@api.route("start_sign_in")
async def start_sign_in(gate: Gated, asking: Asked, tenant: Slug) -> SignInLink:
    """Ask a person of the tenant to sign in at Microsoft, to see their roles and what delegated consent gives them.

    The link works once and for ten minutes; the page it ends on shows the outcome. No token of the person is kept.
    """
    question = operations.StartSignIn(redirect_uri=f"{gate.public_url}{PREFIX}{SIGN_IN_CALLBACK}")
    return await gate.services.ask(operations.SIGN_IN_START, tenant, question, asking)


@callback.post(SIGN_IN_CALLBACK, name="sign_in_callback")
async def sign_in_callback(request: Request, gate: Gated) -> HTMLResponse:
    """Take what Microsoft has the browser post. Nothing of it is shown again or believed; its state is used up."""
    body = await request.body()
    form = dict(parse_qsl(body[:_LONGEST_BODY].decode("utf-8", "replace"), keep_blank_values=True))
    told = {name: form.get(name, "")[:longest] for name, longest in _LONGEST.items()}
    known = _STATE.fullmatch(told["state"])
    if known is None:
        return page(_NOT_VALID, HTTPStatus.UNPROCESSABLE_ENTITY)
    asking = Asking(_BROWSER, request.scope[REQUEST_ID])
    try:
        question = operations.FinishSignIn(**told)
        person = await gate.services.ask(operations.SIGN_IN_FINISH, known[1], question, asking)
    except ProblemError as error:
        return _failed(error)
    return page(_MAY[person.may_consent], HTTPStatus.OK, *_shown(person))


def _failed(error: ProblemError) -> HTMLResponse:
    match error.problem.code:
        case "sign-in-refused":
            why = explained(error.problem.detail)
            return page(_NOBODY, error.problem.status, *(why or ()), error.problem.detail)
        case "sign-in-state" | "not-found":
            return page(_NOT_VALID, HTTPStatus.UNPROCESSABLE_ENTITY)
        case _:
            return page(NOT_NOW, error.problem.status)


def _shown(person: SignedInPerson) -> list[str]:
    roles = [f"{ROLE_NAMES[role].en} / {ROLE_NAMES[role].de}" for role in person.roles]
    scopes = [
        f"{scope.name}: consented {scope.consented}, own right {scope.own}, effective {scope.effective}"
        for scope in person.scopes
    ]
    return [f"{person.tenant} {person.name}", *roles, *scopes]
