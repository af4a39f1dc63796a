"""The one place that decides what happens to a delivered message.

    handler returns          ack
    RetryLater(after)        nak with that delay, at most 30 s (longer waits belong into the job's `due_at`)
    GiveUp, unreadable       dead-letter copy with payload and reason; of a request, `request.rejected`; then term
    an outage                nak with a short delay, for as long as it lasts
    any other exception      nak, later and later; dead letter after `attempts` deliveries
                             (of a batch, each message is tried alone first: one bad message buries no other)
    cancelled (shutdown)     nak at once, so that another replica takes it

No handler touches ack or nak, and none has a bare except.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Generic

import structlog
from faststream import AckPolicy
from faststream.nats import JStream, NatsMessage, PullSub
from nats.aio.msg import Msg as RawMessage
from nats.errors import Error as NatsError
from pydantic import ValidationError

from chassis import pulls, telemetry
from chassis.bus import Bus
from chassis.delivered import Delivered, M
from chassis.errors import GiveUp, RetryLater
from chassis.outages import is_outage
from chassis.settings import BusSettings
from contracts import dead_letters, envelope, subjects
from contracts.bus_users import inbox_prefix
from contracts.envelope import BadEnvelope, decode
from contracts.events import Event, RequestRejected
from contracts.streams import DLQ, Durable

log = structlog.get_logger()

LONGEST_NAK = 30.0
"""Seconds: a delayed message keeps its place in max_ack_pending, so one tenant could stall all."""

_LONGEST_REASON = 500


@dataclass(frozen=True)
class DeliveryPolicy:
    """Intervals in seconds; settings of the same meaning, tests use short ones."""

    heartbeat: float = 20.0
    ladder: tuple[float, ...] = (1.0, 2.0, 5.0, 10.0, 30.0)
    attempts: int = 8
    fetch_timeout: float = 5.0
    outage_pause: float = 2.0

    @classmethod
    def of(cls, settings: BusSettings) -> "DeliveryPolicy":
        """As the process's settings say."""
        return cls(
            heartbeat=settings.heartbeat_interval,
            ladder=settings.delivery_ladder,
            attempts=settings.delivery_attempts,
            fetch_timeout=settings.delivery_fetch,
            outage_pause=settings.outage_pause,
        )


Handler = Callable[[Delivered[M]], Awaitable[None]]
BatchHandler = Callable[[Sequence[Delivered[M]]], Awaitable[None]]


def subscribe(
    bus: Bus, durable: Durable, model: type[M], handler: Handler[M], policy: DeliveryPolicy, *, parallel: int = 1
) -> None:
    """Bind `handler` to a durable, one message at a time in each of `parallel` loops. Call before the broker starts."""
    consumer = _Consumer(bus, durable, model, policy)

    async def consume(message: NatsMessage) -> None:
        await consumer.one(message, handler)

    _bind(bus, durable, consume, policy, parallel=parallel, batch=False)


def subscribe_batch(
    bus: Bus, durable: Durable, model: type[M], handler: BatchHandler[M], policy: DeliveryPolicy
) -> None:
    """Bind `handler` to a durable, up to `durable.batch` messages at once; all are acked together or none is."""
    consumer = _Consumer(bus, durable, model, policy)

    async def consume(message: NatsMessage) -> None:
        await consumer.many(message, handler)

    _bind(bus, durable, consume, policy, parallel=1, batch=True)


def _bind(
    bus: Bus,
    durable: Durable,
    consume: Callable[[NatsMessage], Awaitable[None]],
    policy: DeliveryPolicy,
    *,
    parallel: int,
    batch: bool,
) -> None:
    for index in range(parallel):
        subscriber = bus.broker.subscriber(
            durable.filter,
            stream=JStream(durable.stream.name, declare=False),
            durable=durable.name,
            pull_sub=PullSub(durable.batch, timeout=1.0 if batch else policy.fetch_timeout, batch=batch),
            ack_policy=AckPolicy.MANUAL,
            inbox_prefix=f"{inbox_prefix(bus.user)}.".encode(),
            decoder=_raw_body,
            include_in_schema=index == 0,
        )
        subscriber(consume)
        if batch:
            pulls.keep(subscriber)


async def _raw_body(message: NatsMessage) -> bytes:
    """FastStream would decode by content type and fail outside our verdicts; reading is our business."""
    return message.body


class _Consumer(Generic[M]):
    def __init__(self, bus: Bus, durable: Durable, model: type[M], policy: DeliveryPolicy) -> None:
        self._bus = bus
        self._durable = durable
        self._model = model
        self._type = model.type_name() if issubclass(model, Event) and hasattr(model, "NAME") else None
        self._policy = policy

    async def one(self, message: NatsMessage, handler: Handler[M]) -> None:
        raw = message.raw_message
        delivered = await self._read(raw)
        if delivered is None:
            return
        async with self._settled([raw]):
            with self._span(delivered):
                await handler(delivered)

    def _span(self, delivered: Delivered[M]) -> AbstractContextManager[object]:
        """Continue the trace the message belongs to. A batch belongs to many and gets none."""
        tenant = subjects.tenant_of(delivered.subject) or ""
        facts: dict[str, str | int] = {"tenant": tenant, "delivery": delivered.delivery}
        job = getattr(delivered.body, "job", None)
        if isinstance(job, str):
            facts["job"] = job
        return telemetry.span(f"process {self._durable.name}", "consumer", delivered.traceparent, **facts)

    async def many(self, message: NatsMessage, handler: BatchHandler[M]) -> None:
        raws = message.raw_message
        pairs = [(raw, await self._read(raw)) for raw in (raws if isinstance(raws, list) else [raws])]
        readable = [(raw, delivered) for raw, delivered in pairs if delivered is not None]
        if not readable:
            return
        try:
            async with self._settled([raw for raw, _ in readable]):
                await handler([delivered for _, delivered in readable])
        except _NotTogether:
            for raw, delivered in readable:
                async with self._settled([raw]):
                    await handler([delivered])

    async def _read(self, raw: RawMessage) -> Delivered[M] | None:
        """The typed message, or None after the unreadable one has become a dead letter."""
        try:
            return self._typed(raw)
        except BadEnvelope as error:
            await self._bury(raw, f"unreadable: {error}")
        except ValidationError as error:
            await self._bury(raw, f"unreadable: {_fields(error)}")
        return None

    def _typed(self, raw: RawMessage) -> Delivered[M]:
        deliveries = raw.metadata.num_delivered
        if subjects.is_job(raw.subject):
            body = self._model.model_validate_json(raw.data)
            if getattr(body, "tenant", None) != subjects.tenant_of(raw.subject):
                raise BadEnvelope("tenant in subject and body disagree")
            return Delivered(body, raw.subject, "", "", deliveries, (raw.headers or {}).get(telemetry.HEADER))
        found = decode(raw.subject, raw.headers or {}, raw.data)
        if self._type not in {None, found.type}:
            raise BadEnvelope(f"the CloudEvents type is not {self._type}, the only one understood here")
        body = self._model.model_validate_json(found.body, context={"type": found.type})
        return Delivered(body, raw.subject, found.id, found.type, deliveries, found.traceparent)

    @contextlib.asynccontextmanager
    async def _settled(self, raws: list[RawMessage]) -> AsyncIterator[None]:
        beat = asyncio.create_task(self._heartbeat(raws))
        try:
            yield
        except asyncio.CancelledError:
            await _nak(raws, 0)
            raise
        except RetryLater as later:
            log.info("message put back", durable=self._durable.name, after=later.after, reason=later.reason)
            await _nak(raws, min(later.after, LONGEST_NAK))
        except GiveUp as verdict:
            await self._bury(_only(raws, verdict), verdict.reason)
        except Exception as error:  # noqa: BLE001 - the boundary: every defect gets a verdict here
            if is_outage(error):
                # However long it lasts: no message becomes a dead letter because a server was away.
                log.warning("message put back: a server is away", durable=self._durable.name, error=str(error))
                await _nak(raws, self._policy.outage_pause)
            else:
                await self._after_bug(_only(raws, error), error)
        else:
            for raw in raws:
                await raw.ack()
        finally:
            beat.cancel()

    async def _after_bug(self, raw: RawMessage, error: Exception) -> None:
        log.error("handler failed", durable=self._durable.name, exc_info=error)
        deliveries = raw.metadata.num_delivered
        if deliveries >= self._policy.attempts:
            await self._bury(raw, f"handler failed {deliveries} times: {type(error).__name__}")
        else:
            ladder = self._policy.ladder
            await raw.nak(delay=ladder[min(deliveries, len(ladder)) - 1])

    async def _bury(self, raw: RawMessage, reason: str) -> None:
        """Copy first, then term: in a work queue term deletes the message."""
        meta = raw.metadata
        tenant = subjects.tenant_of(raw.subject) or ""
        headers = {
            **{
                name: value
                for name, value in (raw.headers or {}).items()
                if name.lower().startswith(dead_letters.KEPT_HEADERS)
            },
            "Nats-Msg-Id": f"dlq-{self._durable.name}-{meta.sequence.stream}",
            dead_letters.REASON: _one_line(reason),
            dead_letters.SUBJECT: raw.subject,
            dead_letters.STREAM: meta.stream,
            dead_letters.SEQUENCE: str(meta.sequence.stream),
            dead_letters.DELIVERIES: str(meta.num_delivered),
        }
        log.error("message became a dead letter; replay it after the fix", durable=self._durable.name, reason=reason)
        subject = subjects.dead_letter(self._durable.name, tenant if subjects.is_token(tenant) else subjects.ANY_TENANT)
        await self._bus.publish_raw(subject, raw.data, headers, DLQ)
        rejected = _rejection(raw, _one_line(reason))
        if rejected is not None:
            await self._bus.publish(rejected)
        await raw.term()

    async def _heartbeat(self, raws: list[RawMessage]) -> None:
        while True:
            await asyncio.sleep(self._policy.heartbeat)
            # A sign of life that the bus cannot take now must not be the last one.
            with contextlib.suppress(NatsError):
                for raw in raws:
                    await raw.in_progress()


class _NotTogether(Exception):
    """A batch failed and nothing says because of which message."""


def _only(raws: list[RawMessage], error: Exception) -> RawMessage:
    """The message a verdict is about; a batch is taken apart first."""
    if len(raws) > 1:
        raise _NotTogether from error
    return raws[0]


def _rejection(raw: RawMessage, reason: str) -> RequestRejected | None:
    """For the asker of a request that nobody will answer; None for anything else."""
    tenant, source = subjects.tenant_of(raw.subject), subjects.source_of(raw.subject)
    if source is None:
        return None
    identity = envelope.claimed_id(raw.headers or {}, raw.data)
    facts = {
        "tenant": tenant,
        "at": raw.metadata.timestamp,
        "source": source,
        "sequence": raw.metadata.sequence.stream,
        "causation": identity,
        "run": envelope.run_id(source, identity) if identity else None,
        "subject_of_request": raw.subject,
        "reason": reason,
    }
    try:
        return RequestRejected.model_validate(facts)
    except ValidationError:  # a tenant or source that is no name has no subject either
        log.warning("nobody can be told of the rejected request", subject=raw.subject)
        return None


def _one_line(reason: str) -> str:
    """A header's value: a stranger's field name in it must not begin a header of its own."""
    return "".join(c if c.isprintable() else " " for c in reason)[:_LONGEST_REASON]


async def _nak(raws: list[RawMessage], delay: float) -> None:
    for raw in raws:
        await raw.nak(delay=delay or None)


def _fields(error: ValidationError) -> str:
    faults = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in faults[:5])
