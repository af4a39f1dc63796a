"""Foreign sources: systems of others that ask for work and hear what becomes of it (ADR 0020).

Each signs in to a bus account of its own. Three doors lead from there to ours: its requests, its durable, its acks.
A user beside our own would not be enough: the server sends answers to whatever subject a client names for them, and
permissions do not cover that.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from contracts import subjects
from contracts.bus_users import BUS_USERS
from contracts.names import Slug
from contracts.streams import EVT

HEARD = ("job", "request", "employee")
"""Domains of the events that a source hears of its tenants."""

API_PREFIX = "m365.api"
"""What `$JS.API` is called in a source's account, where that name belongs to the server's answer "no JetStream"."""

INBOX_PREFIX = "_INBOX"
"""The clients' default: in its own account nobody else could listen there."""

EVENTS = EVT
"""The stream that holds what sources hear."""

CONNECTIONS = 16
SUBSCRIPTIONS = 100
"""How much of the bus one source may occupy at a time."""

_PREFIX = "source-"
_OURS = frozenset(user.name for user in BUS_USERS)


def _foreign(name: str) -> str:
    if name in _OURS or name.endswith("-service"):
        raise ValueError("this name belongs to Tenantkeep itself")
    return name


SourceName = Annotated[Slug, AfterValidator(_foreign)]
Tenants = Annotated[tuple[Slug, ...], Field(min_length=1), AfterValidator(lambda slugs: tuple(sorted(set(slugs))))]
PublicKey = Annotated[str, StringConstraints(pattern=r"^U[A-Z2-7]{55}$")]


class ForeignSource(BaseModel):
    """What is known about a source. Its seed is not: nobody keeps that but the source itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: SourceName
    tenants: Tenants
    public_key: PublicKey
    created_at: AwareDatetime

    @property
    def durable(self) -> str:
        """Its durable over `EVENTS`, and the name of its account."""
        return f"{_PREFIX}{self.name}"

    @property
    def filters(self) -> tuple[str, ...]:
        """What its durable delivers."""
        return tuple(subjects.event(tenant, domain, ">") for tenant in self.tenants for domain in HEARD)


class Register(BaseModel):
    """Every foreign source of an installation, as `tenantkeep source` keeps it and the bootstrap reads it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: tuple[ForeignSource, ...] = ()

    def get(self, name: str) -> ForeignSource | None:
        return next((source for source in self.sources if source.name == name), None)

    def with_(self, source: ForeignSource) -> "Register":
        """The register with `source` added or replaced."""
        others = (known for known in self.sources if known.name != source.name)
        return Register(sources=tuple(sorted((*others, source), key=lambda known: known.name)))

    def without(self, name: str) -> "Register":
        return Register(sources=tuple(source for source in self.sources if source.name != name))


@dataclass(frozen=True)
class Door:
    """A way from a source's account into ours: what it publishes to `outside` arrives here as `inside`."""

    inside: str
    outside: str
    many: bool = False
    """True when one request has many answers."""


def doors(source: ForeignSource) -> tuple[Door, ...]:
    """All a source may publish; its inbox is all it may subscribe to."""
    return tuple(_doors(source))


def is_durable(name: str) -> bool:
    """True for the durable of some foreign source, registered or not."""
    return name.startswith(_PREFIX)


def _doors(source: ForeignSource) -> Iterator[Door]:
    for tenant in source.tenants:
        requests = subjects.requests(source.name, tenant)
        yield Door(requests, requests)
    place = f"{EVENTS.name}.{source.durable}"
    yield _api(f"CONSUMER.INFO.{place}")
    yield _api(f"CONSUMER.MSG.NEXT.{place}", many=True)
    yield Door(f"$JS.ACK.{place}.>", f"$JS.ACK.{place}.>")


def _api(command: str, *, many: bool = False) -> Door:
    return Door(f"$JS.API.{command}", f"{API_PREFIX}.{command}", many)
