"""V2 over time: every stored object is read whole, the longest unread first, in affordable steps (format, section 13).

All names lie on a ring, at the SHA-256 of the name. A step reads on from where the last one ended, so the objects it
reads are those unread for longest, whatever was added in between, and the only state is the end of the last step.
"""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from backup_engine.model import Problem
from backup_engine.object_check import Finding, ObjectCheck
from backup_engine.receipts import Arc, Receipt, Receipts

READERS = 4  # objects read at the same time
START = bytes(32)
_CIRCLE = 1 << 256
LEVEL = 2


@dataclass(frozen=True, slots=True)
class Step:
    """One step along the ring: what was read, and what came of it."""

    arc: Arc
    objects: int  # on the whole ring
    findings: tuple[tuple[str, Finding], ...]  # of the objects read, by name

    @property
    def problems(self) -> tuple[Problem, ...]:
        return tuple(problem for _, finding in self.findings for problem in finding.problems)


@dataclass(frozen=True, slots=True)
class Reading:
    """How far a step has come."""

    objects: int
    of: int  # objects the step wants to read
    bytes: int


Watch = Callable[[Reading], bool]
"""Told after every object, in the thread of the step; False ends the step there, with a receipt for what it read."""


def position(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def take_step(
    check: ObjectCheck,
    sizes: dict[str, int],
    start: bytes,
    *,
    max_bytes: float,
    max_objects: float,
    watch: Watch | None = None,
) -> Step:
    """Check objects from `start` on until a limit is met or `watch` says so; at least one, at most all.

    `sizes` holds every object there should be, in bytes.
    """
    chosen = _chosen(sizes, start, max_bytes, max_objects)
    findings: list[tuple[str, Finding]] = []
    read = 0
    readers = ThreadPoolExecutor(READERS, thread_name_prefix="verify")
    try:
        for name, finding in zip(chosen, readers.map(check, chosen), strict=True):
            findings.append((name, finding))
            read += finding.read
            if watch is not None and not watch(Reading(len(findings), len(chosen), read)):
                break
    finally:
        readers.shutdown(wait=True, cancel_futures=True)
    end = start if len(findings) == len(sizes) else position(findings[-1][0])
    return Step(Arc(start, end), len(sizes), tuple(findings))


def _chosen(sizes: dict[str, int], start: bytes, max_bytes: float, max_objects: float) -> list[str]:
    ring = sorted(sizes, key=lambda name: (position(name) <= start, position(name)))
    chosen: list[str] = []
    size = 0
    for name in ring:
        if chosen and (size >= max_bytes or len(chosen) >= max_objects):
            break
        chosen.append(name)
        size += sizes[name]
    return chosen


def last_step(receipts: Receipts) -> Receipt | None:
    """The receipt of the last step; None when there was none, or its receipt is damaged."""
    return next(_steps(receipts), None)


def end_of(step: Receipt | None) -> bytes:
    """Where the next step begins."""
    return START if step is None or step.attestation.arc is None else step.attestation.arc.end


def read_since(receipts: Receipts) -> datetime | None:
    """Every object that was there has been read whole at this time or later; None: not all have been read yet."""
    covered = 0
    joint: bytes | None = None
    for receipt in _steps(receipts):
        arc = receipt.attestation.arc
        if arc is None or (joint is not None and arc.end != joint):
            return None
        covered += (int.from_bytes(arc.end, "big") - int.from_bytes(arc.start, "big")) % _CIRCLE or _CIRCLE
        if covered >= _CIRCLE:
            return receipt.at
        joint = arc.start
    return None


def _steps(receipts: Receipts) -> Iterator[Receipt]:
    """Receipts of rolling checks, newest first, two reads each: every receipt knows the newest of each level."""
    newest = receipts.newest_readable()
    while newest is not None and (n := newest.latest.get(LEVEL)) is not None:
        receipt = receipts.newest_readable(n)
        if receipt is None or receipt.n != n:
            return  # a damaged one: what it covered is unproven
        if receipt.attestation.arc is not None:
            yield receipt
        newest = receipts.newest_readable(n - 1)
