"""Everything that goes wrong becomes `application/problem+json` (RFC 9457), and none of it quotes the request."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.requests import Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from chassis.vault import VaultError, VaultUnreachable
from contracts.problem import Problem, ProblemError
from contracts.redaction import masked
from gateway.ports import Unauthenticated

log = structlog.get_logger(__name__)

_LONGEST_NAME = 64

INTERNAL = Problem(
    code="internal",
    status=HTTPStatus.INTERNAL_SERVER_ERROR,
    title="Internal error",
    detail="A defect in Tenantkeep: contact support with the X-Request-Id of this answer.",
)
_VAULT_UNREACHABLE = Problem(
    code="unavailable",
    status=HTTPStatus.SERVICE_UNAVAILABLE,
    title="Temporarily unavailable",
    detail="The vault cannot be reached: start or unseal it, then repeat the request.",
)
_NO_SUCH_PATH = Problem(
    code="not-found",
    status=HTTPStatus.NOT_FOUND,
    title="Not found",
    detail="No such address: compare it with the API reference.",
)

_UNREADABLE_BODY = Problem(
    code="invalid",
    status=HTTPStatus.UNPROCESSABLE_ENTITY,
    title="The request is not valid",
    detail="The body cannot be read: send JSON in UTF-8.",
)


class ProblemResponse(JSONResponse):
    media_type = "application/problem+json"


def respond(problem: Problem, headers: Mapping[str, str] | None = None) -> ProblemResponse:
    return ProblemResponse(problem.body(), problem.status, dict(headers or {}))


def install(app: FastAPI) -> None:
    """Register a handler for everything an endpoint may raise on purpose."""

    @app.exception_handler(ProblemError)
    async def on_problem(_request: Request, error: ProblemError) -> ProblemResponse:
        return respond(error.problem, _retry(error.problem))

    @app.exception_handler(Unauthenticated)
    async def on_unauthenticated(_request: Request, error: Unauthenticated) -> ProblemResponse:
        return _unauthenticated(str(error))

    @app.exception_handler(VaultError)
    async def on_vault(_request: Request, error: VaultError) -> ProblemResponse:
        log.error("vault did not take a secret", operation=error.operation, path=error.path, reason=str(error))
        return respond(_VAULT_UNREACHABLE if isinstance(error, VaultUnreachable) else INTERNAL)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(_request: Request, error: RequestValidationError) -> ProblemResponse:
        return _invalid(error.errors())

    @app.exception_handler(Exception)
    async def on_defect(_request: Request, _error: Exception) -> ProblemResponse:
        return respond(INTERNAL)  # Starlette raises it again; the middleware logs it once

    @app.exception_handler(HTTPException)
    async def on_http(_request: Request, error: HTTPException) -> ProblemResponse:
        if error.status_code == HTTPStatus.BAD_REQUEST:
            return respond(_UNREADABLE_BODY)  # the framework's word for a body that is no text at all
        return respond(_of_status(error.status_code), error.headers)


def _retry(problem: Problem) -> dict[str, str]:
    return {"retry-after": "5"} if problem.status == HTTPStatus.SERVICE_UNAVAILABLE else {}


def _unauthenticated(reason: str) -> ProblemResponse:
    problem = Problem(
        code="unauthenticated", status=HTTPStatus.UNAUTHORIZED, title="Sign in first", detail=f"Not accepted: {reason}."
    )
    return respond(problem, {"www-authenticate": 'Bearer realm="tenantkeep", error="invalid_token"'})


def _invalid(faults: Iterable[Mapping[str, Any]]) -> ProblemResponse:
    """List where and why, never what: the value may be a secret. A malformed id in the path is simply not found."""
    listed = [{"loc": _place(fault["loc"]), "msg": fault["msg"], "type": fault["type"]} for fault in faults]
    if any(fault["loc"].startswith("path.") for fault in listed):
        return respond(_NO_SUCH_PATH)
    problem = Problem(
        code="invalid",
        status=HTTPStatus.UNPROCESSABLE_ENTITY,
        title="The request is not valid",
        detail="Correct the fields listed in errors.",
        errors=tuple(listed),
    )
    return respond(problem)


def _place(loc: Iterable[object]) -> str:
    return ".".join(masked(str(part))[:_LONGEST_NAME] for part in loc)


def _of_status(status: int) -> Problem:
    if status == HTTPStatus.NOT_FOUND:
        return _NO_SUCH_PATH
    phrase = HTTPStatus(status).phrase
    return Problem(code=phrase.lower().replace(" ", "-"), status=status, title=phrase)
