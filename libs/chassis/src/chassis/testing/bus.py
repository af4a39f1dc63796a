"""The bus in memory: only the wire is replaced, `Bus` and `RpcServer` are the real ones.

    broker = MemoryBroker()
    server = RpcServer(broker.bus("token-service"))
    server.answer(TENANT_GET, handler)
    tenant = await broker.bus("gateway").ask(TENANT_GET, "contoso", Nothing(), caller)

It keeps the promises of publishing and asking; pull consumers belong to tests with a real NATS. The suite in
tests/test_bus_behaviour.py runs on both.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

from faststream.nats import NatsBroker
from nats.errors import NoRespondersError

from chassis.bus import Bus
from chassis.clock import Clock
from contracts import envelope
from contracts.envelope import Envelope


@dataclass(frozen=True)
class _Raw:
    subject: str


@dataclass(frozen=True)
class _Question:
    """The part of FastStream's message that `chassis.rpc` reads."""

    raw_message: _Raw
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class _Answer:
    body: bytes


@dataclass(frozen=True)
class _Fact:
    """The part of nats-py's message that `chassis.listening` reads."""

    subject: str
    headers: dict[str, str]
    data: bytes


@dataclass(frozen=True)
class _Subscription:
    subject: str
    take: "Callable[[_Fact], Awaitable[None]]"
    of: "list[_Subscription]"

    async def unsubscribe(self) -> None:
        self.of.remove(self)


@dataclass(frozen=True)
class Stored:
    """A message that a stream holds."""

    stream: str
    subject: str
    headers: dict[str, str]
    body: bytes

    def envelope(self) -> Envelope:
        """Decode it as a consumer would; raises BadEnvelope."""
        return envelope.decode(self.subject, self.headers, self.body)


_Respond = Callable[[_Question], Awaitable[bytes]]


class MemoryBroker:
    """The part of NatsBroker that publishing and asking use; streams drop repeated message ids."""

    def __init__(self) -> None:
        self.stored: list[Stored] = []
        self.reachable = True
        """False: nobody answers and no stream confirms, as when NATS is gone."""
        self._answers: dict[str, _Respond] = {}
        self._ids: set[tuple[str, str]] = set()
        self.subscriptions: list[_Subscription] = []

    @property
    def connection(self) -> "MemoryBroker":
        """Stands in for nats-py's client, of which `chassis.listening` uses `subscribe` alone."""
        return self

    async def subscribe(self, subject: str, *, cb: Callable[[_Fact], Awaitable[None]]) -> _Subscription:
        subscription = _Subscription(subject, cb, self.subscriptions)
        self.subscriptions.append(subscription)
        return subscription

    def bus(self, user: str, clock: Clock | None = None) -> Bus:
        """A real Bus of `user` on this broker."""
        return Bus(cast("NatsBroker", self), user, clock)

    async def publish(self, body: bytes, subject: str, *, headers: dict[str, str], stream: str, timeout: float) -> None:  # noqa: ASYNC109 - NatsBroker's signature
        if not self.reachable:
            raise TimeoutError(f"no confirmation within {timeout:g} s")
        # As on the wire, subscribers hear a repeat that the stream drops.
        for subscription in list(self.subscriptions):
            if _matches(subscription.subject, subject):
                await subscription.take(_Fact(subject, headers, body))
        identity = (stream, headers.get("Nats-Msg-Id", ""))
        if identity[1] and identity in self._ids:
            return
        self._ids.add(identity)
        self.stored.append(Stored(stream, subject, headers, body))

    async def request(self, body: bytes, subject: str, *, headers: dict[str, str], timeout: float) -> _Answer:  # noqa: ARG002, ASYNC109 - NatsBroker's signature
        respond = next((answer for pattern, answer in self._answers.items() if _matches(pattern, subject)), None)
        if respond is None or not self.reachable:
            raise NoRespondersError
        return _Answer(await respond(_Question(_Raw(subject), headers, body)))

    def subscriber(self, subject: str, **_options: object) -> Callable[[_Respond], _Respond]:
        def register(respond: _Respond) -> _Respond:
            self._answers[subject] = respond
            return respond

        return register


def _matches(pattern: str, subject: str) -> bool:
    wanted, given = pattern.split("."), subject.split(".")
    return len(wanted) == len(given) and all(w in {"*", g} for w, g in zip(wanted, given, strict=True))
