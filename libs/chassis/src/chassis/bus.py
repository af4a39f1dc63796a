"""The bus as services use it: publish facts, ask questions, and bind to what the bootstrap declared.

FastStream carries it. Its traps decide this module: streams are never declared here, the inbox prefix is set twice,
reconnects never end, every publish names its stream (so that an unbound subject is an error instead of a loss).
"""

import logging
import random
import secrets
from collections.abc import Awaitable, Callable

import structlog
from faststream.exceptions import FastStreamException
from faststream.nats import NatsBroker
from faststream.nats.security import NatsNKey
from nats.errors import Error as NatsError
from nats.js.errors import APIError
from pydantic import BaseModel, ValidationError

from chassis import closing, telemetry, tls
from chassis.clock import Clock, SystemClock
from chassis.settings import BusSettings
from contracts import envelope, subjects
from contracts.bus_users import inbox_prefix
from contracts.caller import Caller
from contracts.events import Event, JobWakeUp, Request
from contracts.operations.base import CALLER_HEADER, REQUEST_ID_HEADER, ROLES_HEADER, TIMEOUT, Operation, Req, Res
from contracts.problem import Problem, ProblemError, unavailable
from contracts.streams import EVT, EXT, JOBS, Stream

log = structlog.get_logger()

PUBLISH_BUDGET = 30.0
"""Seconds a publish is repeated: a lost stream leader takes about six; the message id makes repeats harmless."""

MESSAGE_NOT_FREE = 10077
"""JetStream error code: discard-new-per-subject refused the message, one is outstanding already."""


class BusUnreachable(Exception):
    """The bus did not confirm within the budget; the state stays pending and the sweep publishes it later."""


def connect(settings: BusSettings, user: str) -> NatsBroker:
    """A broker for the bus user `user`; it connects at `start()` and then reconnects for ever."""
    closing.bound()
    return NatsBroker(
        settings.nats_url.split(","),
        security=NatsNKey.from_seed(
            settings.nats_nkey.get_secret_value(),
            ssl_context=tls.client_context(settings.ca_file),
            # Otherwise the server's greeting decides, and one that asks for no TLS gets everything in plain text.
            tls_handshake_first=True,
        ),
        name=user,
        connect_timeout=closing.HANDSHAKE,
        max_reconnect_attempts=-1,
        reconnect_time_wait=1,
        graceful_timeout=settings.drain_timeout,
        inbox_prefix=inbox_prefix(user),
        error_cb=_log_async_error,
        disconnected_cb=_notice("bus disconnected; reconnecting"),
        reconnected_cb=_notice("bus reconnected"),
        logger=logging.getLogger("faststream"),
        log_level=logging.DEBUG,
    )


class Bus:
    """Publishing and asking, on a started broker."""

    def __init__(
        self, broker: NatsBroker, user: str, clock: Clock | None = None, rng: random.Random | None = None
    ) -> None:
        self.broker = broker
        self.user = user
        self._clock = clock or SystemClock()
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._unguessable = secrets.token_hex(8)

    async def publish(self, event: Event, traceparent: str | None = None) -> None:
        """Publish a fact; returns when the stream holds it. Raises BusUnreachable after the budget."""
        headers = envelope.headers(event, self.user, traceparent or telemetry.traceparent())
        await self.publish_raw(event.subject(), event.model_dump_json().encode(), headers, EVT)

    async def request(self, request: Request) -> str:
        """Put a request of this user onto the bus; returns the id of the run it leads to."""
        headers = envelope.headers(request, self.user, telemetry.traceparent())
        # A message id drops twins of all sources: one that others can guess, they could use up before us (ADR 0020).
        message = {"Nats-Msg-Id": f"{headers['ce-id']}/{self._unguessable}"}
        await self.publish_raw(
            request.requested_by(self.user), request.model_dump_json().encode(), headers | message, EXT
        )
        return envelope.run_id(self.user, headers["ce-id"])

    async def wake(self, job: JobWakeUp, again: int = 0, traceparent: str | None = None) -> bool:
        """Wake a worker for a job of the trace `traceparent`; False when this very job has a wake-up outstanding.

        `again` counts deliberate repeats, which JetStream must not take for twins of the first message.
        """
        subject = subjects.job(job.tenant, job.kind, job.job)
        headers = {"Nats-Msg-Id": f"{job.message}/{again}", "content-type": "application/json"}
        if traceparent:
            headers[telemetry.HEADER] = traceparent
        try:
            await self.publish_raw(subject, job.model_dump_json().encode(), headers, JOBS)
        except APIError as error:
            if error.err_code == MESSAGE_NOT_FREE:
                return False
            raise
        return True

    async def publish_raw(self, subject: str, body: bytes, headers: dict[str, str], stream: Stream) -> None:
        """Publish bytes until the stream confirms them.

        A time-out means "unknown", not "lost": the same message id is sent again and JetStream drops the twin.
        """
        deadline = self._clock.monotonic() + PUBLISH_BUDGET
        pause = 0.2
        while True:
            try:
                await self.broker.publish(body, subject, headers=headers, stream=stream.name, timeout=2.0)
            except APIError:
                raise
            except (NatsError, FastStreamException, TimeoutError, OSError) as error:
                if self._clock.monotonic() + pause > deadline:
                    raise BusUnreachable(f"{stream.name} did not confirm within {PUBLISH_BUDGET:g} s") from error
                await self._clock.sleep(pause * self._rng.uniform(0.5, 1.0))
                pause = min(pause * 2, 5.0)
            else:
                return

    async def ask(self, operation: Operation[Req, Res], tenant: str | None, question: Req, caller: Caller) -> Res:
        """Ask a service. Raises ProblemError with the service's problem, or `unavailable` when it does not answer."""
        subject = subjects.rpc(operation.service, tenant or subjects.ANY_TENANT, operation.name)
        headers = {
            CALLER_HEADER: caller.subject,
            ROLES_HEADER: ",".join(caller.roles),
            REQUEST_ID_HEADER: caller.request_id,
        }
        trace = telemetry.traceparent()
        if trace:
            headers[telemetry.HEADER] = trace
        try:
            reply = await self.broker.request(
                question.model_dump_json().encode(), subject, headers=headers, timeout=TIMEOUT
            )
        except (NatsError, FastStreamException, TimeoutError) as error:
            raise unavailable(f"{operation.service} does not answer; try again shortly") from error
        return _answer(operation, reply.body)


class _Reply(BaseModel):
    result: dict[str, object] | None = None
    problem: Problem | None = None


def _answer(operation: Operation[Req, Res], body: bytes) -> Res:
    try:
        reply = _Reply.model_validate_json(body)
        if reply.problem is not None:
            raise ProblemError(reply.problem)
        return operation.response.model_validate(reply.result)
    except ValidationError as error:
        raise unavailable(f"{operation.service} gave an answer that cannot be read; are all versions equal?") from error


async def _log_async_error(error: Exception) -> None:
    # A refused publish or subscription is told only here: without this line a missing grant looks like a time-out.
    log.error("bus reported an error; if it says 'permissions violation', check contracts.bus_users", error=str(error))


def _notice(text: str) -> Callable[[], Awaitable[None]]:
    async def notice() -> None:
        log.warning(text)

    return notice
