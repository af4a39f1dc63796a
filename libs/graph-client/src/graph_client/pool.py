"""What several processes may take of one mailbox together: places and allowances, leased, by plain arithmetic.

A record per mailbox says who holds how many of Exchange's places until when, and what was granted in which slice of
a window. Whoever stores records makes each change a compare-and-set; nothing here waits, and no server keeps time.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from graph_client.clock import Clock
from graph_client.limits import Limits

Record = dict[str, Any]
"""`holders`: {name: {places, until, granted: {meter: [slice, amount]}}}, `spent`: {meter: [[slice, amount], …]}."""


@dataclass(frozen=True, slots=True)
class Draw:
    """What one process asks of a mailbox.

    `running` requests are under way now; `wanted` is False to give the places up. `unspent` comes back of the last
    grant, `need` is the least that helps, both by meter (`requests`, `upload_bytes`).
    """

    holder: str
    running: int = 0
    wanted: bool = True
    unspent: Mapping[str, int] = field(default_factory=dict)
    need: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Share:
    """What it gets, until `Limits.lease` has passed.

    `closed_for`: seconds until Graph may be asked at all. `wait`: seconds until a spent allowance has room again.
    """

    places: int
    allowed: Mapping[str, int]
    closed_for: float = 0.0
    wait: float = 0.0


class PoolUnreachable(Exception):
    """Records cannot be read or written now: shares run out, and nobody may start without one."""


class Pool(Protocol):
    """Where records live: one per mailbox and one per service, common to all processes of a tenant."""

    async def draw(self, service: str, mailbox: str | None, draw: Draw) -> Share:
        """Settle and renew. Without a mailbox only `closed_for` means something. Raises PoolUnreachable."""
        ...

    async def close(self, service: str, mailbox: str | None, seconds: float) -> None:
        """Let nobody ask for so long: of the mailbox, or of the service without one. Raises PoolUnreachable."""
        ...


def settle(record: Record, draw: Draw, limits: Limits, now: float) -> tuple[Record, Share]:
    """Give the record after a draw, and the share. `now` in seconds, the same clock for all (skew below a lease)."""
    holders = {name: held for name, held in record.get("holders", {}).items() if held["until"] > now}
    mine = holders.pop(draw.holder, {})
    spent: dict[str, list[list[float]]] = {}
    for meter, (_, window) in limits.meters().items():
        kept = [entry for entry in record.get("spent", {}).get(meter, []) if _counts(entry[0], window, limits, now)]
        spent[meter] = _returned(kept, mine.get("granted", {}).get(meter), draw.unspent.get(meter, 0))
    places = draw.running
    allowed: dict[str, int] = {}
    wait = 0.0
    if draw.wanted:
        places = max(draw.running, _places(draw.holder, holders, limits.concurrency))
        for meter, entries in spent.items():
            allowed[meter], needed = _grant(entries, meter, draw.need.get(meter, 0), limits, now)
            wait = max(wait, needed)
    if draw.wanted or places:
        current = _slice(limits, now)
        granted = {meter: [current[meter], amount] for meter, amount in allowed.items()}
        holders[draw.holder] = {"places": places, "until": now + limits.lease, "granted": granted}
    closed_for = max(0.0, record.get("closed_until", 0.0) - now)
    return {**record, "holders": holders, "spent": spent}, Share(places, allowed, closed_for, wait)


def _places(holder: str, others: Mapping[str, Any], concurrency: int) -> int:
    """A fair part of all places, but never what others have not given back yet."""
    names = sorted([*others, holder])
    part = concurrency // len(names) + (names.index(holder) < concurrency % len(names))
    free = concurrency - sum(int(held["places"]) for held in others.values())
    return max(0, min(part, free))


def _slice(limits: Limits, now: float) -> dict[str, float]:
    """Give the slice of each meter's window that `now` falls into."""
    return {
        meter: math.floor(now / length) * length
        for meter, length in ((meter, window / limits.slices) for meter, (_, window) in limits.meters().items())
    }


def _counts(start: float, window: float, limits: Limits, now: float) -> bool:
    # What was granted in a slice may be spent until the lease ends.
    return start + window / limits.slices + limits.lease + window > now


def _returned(entries: list[list[float]], granted: list[float] | None, unspent: int) -> list[list[float]]:
    if granted is None or not unspent:
        return entries
    back = min(unspent, granted[1])
    return [[start, amount - back if start == granted[0] else amount] for start, amount in entries]


def _grant(entries: list[list[float]], meter: str, need: int, limits: Limits, now: float) -> tuple[int, float]:
    """Charge what is granted to `entries`; give the grant, or 0 and the seconds until there is room for `need`."""
    limit, window = limits.meters()[meter]
    room = limit - sum(int(amount) for _, amount in entries)
    amount = min(room, max(need, limits.portion(meter)))
    if amount < max(1, min(need, limit)):
        first = min((start for start, spent in entries if spent), default=now)
        # A meter nobody asks for now (uploads while reading) may be empty without holding anybody up.
        return 0, (first + window / limits.slices + limits.lease + window - now) if need else 0.0
    start = _slice(limits, now)[meter]
    for entry in entries:
        if entry[0] == start:
            entry[1] += amount
            return amount, 0.0
    entries.append([start, amount])
    return amount, 0.0


class MemoryPool:
    """Records of one process, for tests and for several clients without a store."""

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self._clock = clock
        self._limits = limits
        self._records: dict[tuple[str, str | None], Record] = {}

    async def draw(self, service: str, mailbox: str | None, draw: Draw) -> Share:
        now = self._clock.now().timestamp()
        whole = max(0.0, self._records.get((service, None), {}).get("closed_until", 0.0) - now)
        if mailbox is None:
            return Share(0, {}, whole)
        key = (service, mailbox.lower())
        record, share = settle(self._records.get(key, {}), draw, self._limits, now)
        self._records[key] = record
        return Share(share.places, share.allowed, max(share.closed_for, whole), share.wait)

    async def close(self, service: str, mailbox: str | None, seconds: float) -> None:
        record = self._records.setdefault((service, mailbox and mailbox.lower()), {})
        record["closed_until"] = max(record.get("closed_until", 0.0), self._clock.now().timestamp() + seconds)
