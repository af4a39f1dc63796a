"""Answering questions over the bus. Every question gets an answer: a result or a typed problem, never silence."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic

import structlog
from faststream.nats import NatsMessage
from pydantic import ValidationError

from chassis import telemetry
from chassis.bus import Bus
from chassis.outages import is_outage
from contracts import subjects
from contracts.caller import Caller
from contracts.operations.base import CALLER_HEADER, REQUEST_ID_HEADER, ROLES_HEADER, Operation, Req, Res
from contracts.problem import Problem, ProblemError, invalid, unavailable

log = structlog.get_logger()


@dataclass(frozen=True)
class Call(Generic[Req]):
    """A question: about which tenant (None where it concerns no single one), what, and who asks."""

    tenant: str | None
    question: Req
    caller: Caller

    def one_tenant(self) -> str:
        """The tenant; a problem when the question must name one and does not."""
        if self.tenant is None:
            raise invalid("this question needs a tenant")
        return self.tenant


class RpcServer:
    """Registers answers of one service; replicas share the questions."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def answer(self, operation: Operation[Req, Res], handler: Callable[[Call[Req]], Awaitable[Res]]) -> None:
        """Bind one operation. Call before the broker starts."""

        async def respond(message: NatsMessage) -> bytes:
            try:
                with telemetry.span(operation.name, "server", message.headers.get(telemetry.HEADER)):
                    result = await handler(_call(operation, message))
            except ProblemError as error:
                return _problem(error.problem)
            except Exception as error:  # noqa: BLE001 - the boundary: the asker must not wait for a time-out to learn
                return _problem(_failed(operation.name, error))
            return b'{"result":' + result.model_dump_json().encode() + b"}"

        self._bus.broker.subscriber(
            subjects.rpc(operation.service, "*", operation.name),
            queue=operation.service,
            decoder=_raw_body,
        )(respond)


def _call(operation: Operation[Req, Res], message: NatsMessage) -> Call[Req]:
    tenant = subjects.tenant_of(message.raw_message.subject)
    headers = message.headers
    roles = tuple(role for role in headers.get(ROLES_HEADER, "").split(",") if role)
    caller = Caller(headers.get(CALLER_HEADER, ""), roles, headers.get(REQUEST_ID_HEADER, ""))
    try:
        question = operation.request.model_validate_json(message.body)
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False, include_context=False)
        raise invalid(f"{operation.name}: the question cannot be read", tuple(dict(f) for f in faults)) from error
    return Call(None if tenant == subjects.ANY_TENANT else tenant, question, caller)


def _failed(operation: str, error: Exception) -> Problem:
    """An outage behind the service passes and may be asked again; anything else is a defect."""
    if is_outage(error):
        log.warning("question not answered, something behind it is away", operation=operation, reason=str(error))
        return unavailable("a store behind the service does not answer; try again shortly").problem
    log.error("question failed", operation=operation, exc_info=error)
    return Problem(code="internal", status=500, title="Internal error")


def _problem(problem: Problem) -> bytes:
    return b'{"problem":' + problem.model_dump_json().encode() + b"}"


async def _raw_body(message: NatsMessage) -> bytes:
    return message.body
