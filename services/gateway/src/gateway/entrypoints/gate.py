"""The gate every route stands behind: a route that is not in the authorisation table cannot be declared."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from random import Random
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.clock import Clock
from chassis.ids import derived, new_ulid
from chassis.vault import Vault
from contracts.authorization import ROUTES
from gateway.domain import Asking
from gateway.entrypoints.middleware import REQUEST_ID
from gateway.ports import Downloads, Services
from gateway.usecases.admission import Admission
from gateway.usecases.follow_run import FollowRun

PREFIX = "/api/v1"
_STATE = "tenantkeep.asking"
_GATE = "tenantkeep.gate"


@dataclass(frozen=True)
class Gate:
    """What the endpoints work with; `app.py` fills it."""

    admission: Admission
    services: Services
    downloads: Downloads
    follow: FollowRun
    vault: Vault
    clock: Clock
    rng: Random
    public_url: str

    def fresh_id(self) -> str:
        return new_ulid(self.clock, self.rng)


class GuardedRoute(APIRoute):
    """Admits the caller before anything of the request is parsed, its body included."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()
        route = ROUTES[self.name]

        async def guarded(request: Request) -> Response:
            asking = await _gate(request).admission.admit(
                route, _bearer(request), request.path_params.get("tenant"), request.scope[REQUEST_ID]
            )
            request.scope[_STATE] = asking
            return await handler(request)

        return guarded


class Api:
    """Declares endpoints under their name in the authorisation table, which gives method and path."""

    def __init__(self, tag: str) -> None:
        self.router = APIRouter(prefix=PREFIX, route_class=GuardedRoute, tags=[tag], redirect_slashes=False)
        self.names: set[str] = set()

    def route(self, name: str, **options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Decorate the endpoint of table entry `name`; `options` as for FastAPI."""
        entry = ROUTES[name]
        roles = ", ".join(sorted(entry.roles))

        def declare(endpoint: Callable[..., Any]) -> Callable[..., Any]:
            self.names.add(name)
            self.router.add_api_route(
                entry.path,
                endpoint,
                methods=[entry.method],
                name=name,
                operation_id=name,
                summary=(endpoint.__doc__ or "").split("\n")[0].rstrip("."),
                description=f"{_rest(endpoint)}Roles: {roles}.",
                **options,
            )
            return endpoint

        return declare


@dataclass(frozen=True)
class Creation:
    """A request that creates something. With an Idempotency-Key, an identical repeat gets the same id."""

    asking: Asking
    place: str
    key: str | None

    def identified(self, body: BaseModel | None = None) -> Asking:
        """Derive the request id from caller, address, key and body; pydantic leaves secrets out of a dump."""
        if self.key is None:
            return self.asking
        content = "" if body is None else body.model_dump_json()
        identity = derived("request", self.asking.caller.subject, self.place, self.key, content)
        return Asking(self.asking.caller, identity)


def with_gate(gate: Gate, api: ASGIApp) -> ASGIApp:
    """Give `gate` to each request of the API, which itself keeps nothing."""

    async def gated(scope: Scope, receive: Receive, send: Send) -> None:
        scope[_GATE] = gate
        await api(scope, receive, send)

    return gated


def _gate(request: Request) -> Gate:
    gate: Gate = request.scope[_GATE]
    return gate


def _asking(request: Request) -> Asking:
    asking: Asking = request.scope[_STATE]
    return asking


def _creation(
    request: Request,
    asking: Annotated[Asking, Depends(_asking)],
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            pattern=r"^[!-~]{1,128}$",
            description="Repeat the request with the same key after a time-out: it has effect once.",
        ),
    ] = None,
) -> Creation:
    return Creation(asking, f"{request.method} {request.url.path}", key)


Gated = Annotated[Gate, Depends(_gate)]
Asked = Annotated[Asking, Depends(_asking)]
Creating = Annotated[Creation, Depends(_creation)]
Tenant = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,32}$", description="slug of the tenant")]


def _bearer(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _rest(endpoint: Callable[..., Any]) -> str:
    lines = [line.strip() for line in (endpoint.__doc__ or "").split("\n")[1:]]
    text = " ".join(line for line in lines if line)
    return f"{text}\n\n" if text else ""
