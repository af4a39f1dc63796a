"""The hash chain of a tenant's audit records: how a record is hashed, and how a chain is checked by anybody.

A record carries its number (from 1, without gaps), the hash of the record before it and its own hash. A seal is what
the chain's head was on some day, kept where nobody who could write records can write: in the tenant's repository.
Nothing but JSON and SHA-256 is needed, so that an export can be checked on any machine.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from pydantic import Field

from contracts.events.audit import Facts
from contracts.views import Listing, View

GENESIS = "0" * 64
"""What the first record of a chain names as the hash before it."""

_SHOWN = 100
"""Faults that are named; a chain with more of them is not read any better by listing them."""


class AuditRecord(View):
    """One record of the chain. Its form is fixed for ever: what is hashed must stay as it was."""

    number: int = Field(ge=1)
    tenant: str
    event: str = Field(description="id of the event that brought it")
    at: str = Field(description="when it happened, UTC with microseconds")
    action: str
    object: str
    actor: str
    roles: tuple[str, ...]
    request: str
    before: Facts
    after: Facts
    previous: str = Field(description="hash of the record before it")
    hash: str = Field(description="SHA-256 of the canonical JSON of all other fields")


class AuditHead(View):
    """How long the chain is, and the hash of its last record; 0 and zeros for an empty one."""

    tenant: str
    length: int = Field(ge=0)
    hash: str


class AuditSeal(AuditHead):
    """A head as it was kept in the repository of a storage target."""

    target: str
    sealed_on: date


class AuditSeals(Listing[AuditSeal]):
    """A page of seals, and which storage targets could not be asked for theirs."""

    unread: tuple[str, ...] = ()


def digest(record: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of the canonical JSON of a record without its own hash: sorted names, no blanks, UTF-8."""
    said = {name: value for name, value in record.items() if name != "hash"}
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def linked(facts: Mapping[str, Any], head: AuditHead) -> dict[str, Any]:
    """The record that follows `head`, complete; `facts` are all fields but number, previous and hash."""
    record = {**facts, "number": head.length + 1, "previous": head.hash}
    return {**record, "hash": digest(record)}


class FaultKind(StrEnum):
    """What is wrong at a place of a chain."""

    ALTERED = "altered"
    """A record does not say what it said when it was hashed."""
    REMOVED = "removed"
    """A record that existed is not there."""
    INSERTED = "inserted"
    """A record is there that belongs nowhere: its number is taken, or it is another tenant's."""
    REORDERED = "reordered"
    """A record stands behind one that followed it."""
    REWRITTEN = "rewritten"
    """The records agree with each other and not with what was sealed: all from there on were made anew."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with records `first` to `last`."""

    kind: FaultKind
    first: int
    last: int


@dataclass(frozen=True)
class Findings:
    """What a walk along the chain found. Whole only if there was a seal to compare it with and nothing is wrong."""

    records: int
    head: str
    sealed: int
    """Up to which record a seal vouches for the chain; 0 without any seal."""
    faults: tuple[Fault, ...]

    @property
    def whole(self) -> bool | None:
        """None when nothing is wrong but no seal says so: it could have been made anew from its beginning."""
        if self.faults:
            return False
        return True if self.sealed or not self.records else None


@dataclass
class _Walk:
    """Where the walk is. `hash` is None where it cannot be known: behind a gap."""

    tenant: str
    number: int = 0
    hash: str | None = GENESIS
    missing: list[tuple[int, int]] = field(default_factory=list)
    seen: dict[int, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


def check(tenant: str, records: Iterable[Mapping[str, Any]], seals: Sequence[AuditHead]) -> Findings:
    """Walk along the `records` of `tenant` in the order they were kept, and name every place that is not as it was.

    `seals` are heads of the same chain, in any order. Records are taken as JSON says them, because what a model would
    make of them is not what was hashed; they are read once and need not fit into memory.
    """
    wanted = {seal.length for seal in seals}
    walk = _Walk(tenant)
    for record in records:
        _step(walk, record, wanted)
    walk.faults += [Fault(FaultKind.REMOVED, first, last) for first, last in walk.missing]
    sealed = _compare(walk, seals)
    faults = sorted(walk.faults, key=lambda fault: (fault.first, fault.last, fault.kind))
    return Findings(walk.number, walk.hash or "", sealed, tuple(faults[:_SHOWN]))


def _step(walk: _Walk, record: Mapping[str, Any], wanted: set[int]) -> None:
    number = record.get("number")
    if not isinstance(number, int) or number < 1 or record.get("tenant") != walk.tenant:
        walk.faults.append(Fault(FaultKind.INSERTED, walk.number + 1, walk.number + 1))
        return
    if number <= walk.number:
        _behind(walk, number)
        return
    if number > walk.number + 1:
        walk.missing.append((walk.number + 1, number - 1))
        walk.hash = None
    _follow(walk, record, number, wanted)


def _behind(walk: _Walk, number: int) -> None:
    """A number that was passed: either it was missed and comes late, or it is there twice."""
    gap = next((gap for gap in walk.missing if gap[0] <= number <= gap[1]), None)
    if gap is None:
        walk.faults.append(Fault(FaultKind.INSERTED, number, number))
        return
    walk.missing.remove(gap)
    rest = ((gap[0], number - 1), (number + 1, gap[1]))
    walk.missing += [(first, last) for first, last in rest if first <= last]
    walk.faults.append(Fault(FaultKind.REORDERED, number, number))


def _follow(walk: _Walk, record: Mapping[str, Any], number: int, wanted: set[int]) -> None:
    found = digest(record)
    if found != record.get("hash"):
        walk.faults.append(Fault(FaultKind.ALTERED, number, number))
    elif walk.hash is not None and record.get("previous") != walk.hash:
        # The record before it was hashed anew after it was changed, or stands in another's place.
        walk.faults.append(Fault(FaultKind.ALTERED, max(number - 1, 1), max(number - 1, 1)))
    walk.number = number
    # What the next one must name is the hash this record claims: one altered record is one fault, not two.
    walk.hash = str(record.get("hash", ""))
    if number in wanted:
        walk.seen[number] = walk.hash


def _compare(walk: _Walk, seals: Sequence[AuditHead]) -> int:
    """Compare with the seals; how far they vouch. Between the last that fits and the first that does not, it broke."""
    vouched = 0
    in_order = sorted(seals, key=lambda seal: seal.length)
    for seal in in_order:
        length = seal.length
        if length > walk.number:
            walk.faults.append(Fault(FaultKind.REMOVED, walk.number + 1, in_order[-1].length))
            break
        if length and walk.seen.get(length) not in (None, seal.hash):
            if not any(vouched < fault.first <= length for fault in walk.faults):
                walk.faults.append(Fault(FaultKind.REWRITTEN, vouched + 1, length))
            break
        if length in walk.seen:
            vouched = length
    return vouched
