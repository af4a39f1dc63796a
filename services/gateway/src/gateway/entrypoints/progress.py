"""Progress of a run as server-sent events (html.spec.whatwg.org, section 9.2)."""

from collections.abc import AsyncGenerator, AsyncIterator

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from gateway.entrypoints.backups import Id
from gateway.entrypoints.gate import Api, Asked, Gated, Tenant
from gateway.usecases.follow_run import Sign

api = Api("backups")

_RETRY = b"retry: 2000\n\n"
"""Milliseconds until a client whose connection ended comes back."""


class EventStream(StreamingResponse):
    """Closes what it reads from when the client leaves, even before the first byte."""

    media_type = "text/event-stream"

    def __init__(self, first: Sign, rest: AsyncGenerator[Sign, None]) -> None:
        # Proxies may neither keep it nor wait for more of it.
        super().__init__(_written(first, rest), headers={"x-accel-buffering": "no"})
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._rest.aclose()


@api.route("follow_run", response_class=StreamingResponse)
async def follow_run(gate: Gated, asking: Asked, tenant: Tenant, run: Id) -> EventStream:
    """Follow a run while it goes on, as server-sent events.

    First `run` and `jobs` with what is known (`jobs` once per hundred), then each event of the job family under its
    name (`queued`, `started`, `progressed`, `held`, `succeeded`, `partial`, `failed`) with its body as data and its
    CloudEvents id as id, at last `end` with the run. `run` and `jobs` may come again at any time and replace what was
    known. Comments are heartbeats. A stream that ends without `end` goes on with a new request, which begins with the
    state again; `Last-Event-ID` is accepted and needed for nothing.
    """
    signs = gate.follow(tenant, run, asking)
    return EventStream(await anext(signs), signs)


async def _written(first: Sign, rest: AsyncIterator[Sign]) -> AsyncIterator[bytes]:
    yield _RETRY + _frame(first)
    async for sign in rest:
        yield _frame(sign)


def _frame(sign: Sign) -> bytes:
    """JSON has no line breaks, so one data line is enough."""
    if sign.data is None:
        return b":\n\n"
    identity = f"id: {sign.id}\n" if sign.id else ""
    return f"{identity}event: {sign.name}\ndata: {sign.data.model_dump_json()}\n\n".encode()
