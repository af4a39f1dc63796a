"""The OpenAPI document of the API (docs/reference/openapi.json), made without a server."""

from typing import Any

from fastapi.openapi.utils import get_openapi

from contracts.authorization import ROUTES
from contracts.problem import TYPE_ROOT
from gateway.entrypoints.api import TITLE, VERSION, application
from gateway.entrypoints.examples import EXAMPLES
from gateway.entrypoints.gate import PREFIX

_DESCRIPTION = """\
Protects Microsoft 365 tenants: tokens, storage targets, backups, restore points, restores.

Every request carries a bearer token of the configured OpenID Connect issuer with the claims `sub`, `roles` (any of
operator, admin, user, hr, accounting) and `tenants` (slugs, or `*`). A tenant outside the token answers like one that
does not exist. Everything that goes wrong is an `application/problem+json` whose `code` programs can branch on.
Lists come in pages: pass `cursor` from an answer to get the next one; a `cursor` of null means it was the last.
Unknown fields and parameters are refused; a body may have at most 1 MiB.
"""

_PROBLEM_SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "description": "RFC 9457 problem details; no field ever quotes what was sent.",
    "type": "object",
    "required": ["type", "code", "status", "title"],
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "identifies the kind of problem"},
        "code": {"type": "string", "description": "what programs branch on"},
        "status": {"type": "integer"},
        "title": {"type": "string"},
        "detail": {"type": "string", "description": "what to do next"},
        "errors": {"type": "array", "items": {"type": "object"}, "description": "fields or steps that failed"},
    },
}

_PROBLEMS: dict[str, tuple[str, str, str]] = {
    "401": ("Unauthenticated", "unauthenticated", "Sign in first"),
    "403": ("Forbidden", "forbidden", "Not allowed"),
    "404": ("NotFound", "not-found", "Tenant not found"),
    "409": ("Conflict", "conflict", "Conflict with what exists"),
    "413": ("TooLarge", "too-large", "The request is too large"),
    "422": ("Invalid", "invalid", "The request is not valid"),
    "500": ("Internal", "internal", "Internal error"),
    "503": ("Unavailable", "unavailable", "Temporarily unavailable"),
}
"""Status: name of the component, code and title of the usual problem."""

_SERVER_SENT_EVENT: dict[str, Any] = {
    "description": "one event of the stream",
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "event": {"type": "string", "description": "run, jobs, end, or the name of a job event"},
        "data": {"type": "string", "description": "JSON"},
        "id": {"type": "string", "description": "CloudEvents id of a job event"},
    },
}
_HEADERS = {"X-Request-Id": {"description": "names this request in logs", "schema": {"type": "string"}}}
_LOCATION = {"Location": {"description": "where to ask for it", "schema": {"type": "string"}}}
_LOCATED = frozenset({"register_tenant", "start_backup", "start_restore", "start_sync"})


def document() -> dict[str, Any]:
    """Describe every route with its models, problems, security and examples."""
    api = application()
    described = get_openapi(title=TITLE, version=VERSION, description=_DESCRIPTION, routes=api.routes)
    described["servers"] = [{"url": "https://127.0.0.1:8443", "description": "embedded stack"}]
    described["security"] = [{"bearer": []}]
    components = described["components"]
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    components["schemas"]["Problem"] = _PROBLEM_SCHEMA
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    components["responses"] = {name: _problem(int(status), *rest) for status, (name, *rest) in _PROBLEMS.items()}
    for name, route in ROUTES.items():
        _complete(described["paths"][PREFIX + route.path][route.method.lower()], name)
    return described


def _problem(status: int, code: str, title: str) -> dict[str, Any]:
    example = {"type": TYPE_ROOT + code, "code": code, "status": status, "title": title}
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}
    return {"description": title, "headers": _HEADERS, "content": {"application/problem+json": content}}


def _complete(operation: dict[str, Any], name: str) -> None:
    responses = operation["responses"]
    success = next(status for status in responses if status.startswith("2"))
    headers = _HEADERS | (_LOCATION if name in _LOCATED else {})
    responses[success] = {**responses[success], "description": _MEANING[success], "headers": headers}
    if name == "download":
        responses[success]["content"] = {"application/zip": {"schema": {"type": "string", "format": "binary"}}}
    if name == "follow_run":
        responses[success]["content"] = {"text/event-stream": {"schema": _SERVER_SENT_EVENT}}
    example = EXAMPLES[name]
    if example.response is not None:
        responses[success]["content"]["application/json"]["example"] = example.response
    if example.request is not None:
        operation["requestBody"]["content"]["application/json"]["example"] = example.request
    for status in _statuses(operation, name):
        responses[status] = {"$ref": f"#/components/responses/{_PROBLEMS[status][0]}"}


def _statuses(operation: dict[str, Any], name: str) -> list[str]:
    names_something = "{" in ROUTES[name].path
    skipped = {
        "404": not names_something,
        "409": ROUTES[name].method == "GET",  # whoever changes something may be too late, or too early
        "413": "requestBody" not in operation,
        "422": "422" not in operation["responses"],
    }
    return [status for status in _PROBLEMS if not skipped.get(status, False)]


_MEANING = {"200": "The answer", "201": "Created", "202": "On the bus; ask for the run under the returned id"}
