"""Receipts of verification: a hash chain that cannot fork (format, section 13)."""

import hashlib
import threading
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from backup_engine import names
from backup_engine.errors import UNREADABLE, AlreadyExists, IntegrityError, NotFound
from backup_engine.header import Kind
from backup_engine.model import Problem, VerificationReport
from backup_engine.sealed import SealedObjects
from backup_engine.storage.base import Storage

_LAST = "last-receipt"  # in the cache; no name of the format
_SHOWN = 1000  # problems a receipt lists of one report; their number is always complete


@dataclass(frozen=True, slots=True)
class Arc:
    """The part of the ring of all object names that a rolling check has read (format, section 13)."""

    start: bytes  # 32 bytes, excluded
    end: bytes  # 32 bytes, included; equal to start = the whole ring


@dataclass(frozen=True, slots=True)
class Attestation:
    """What a receipt says: reports of one moment, optionally about one restore point."""

    at: datetime
    reports: tuple[VerificationReport, ...]
    shard: str | None = None
    snapshot: str | None = None
    expires_at: datetime | None = None  # of the snapshot: after it, its absence is no loss
    arc: Arc | None = None  # of a rolling check
    kept: Mapping[str, bytes] = field(default_factory=dict)  # of a rolling check: SHA-256 of what is there to stay


@dataclass(frozen=True, slots=True)
class Receipt:
    n: int
    previous: bytes | None  # SHA-256 of the stored bytes of receipt n - 1
    latest: Mapping[int, int]  # by level: the newest receipt that reports it, this one included
    attestation: Attestation
    digest: bytes = field(repr=False)  # SHA-256 of its own stored bytes

    @property
    def at(self) -> datetime:
        return self.attestation.at

    @property
    def reports(self) -> tuple[VerificationReport, ...]:
        return self.attestation.reports


@dataclass(frozen=True, slots=True)
class ChainReport:
    """`covered` of `denominator` receipts open and follow the one before; `head` is the newest one's digest."""

    covered: int
    denominator: int
    problems: tuple[Problem, ...]
    head: bytes | None = None

    @property
    def good(self) -> bool:
        return not self.problems and self.covered == self.denominator


@dataclass(frozen=True, slots=True)
class _Link:
    """What the next receipt must know of the one before; a damaged one still has bytes to follow."""

    n: int
    digest: bytes
    latest: Mapping[int, int]


class Receipts:
    """The chain of one repository; thread-safe. Appending costs one put, and one read when somebody else did."""

    def __init__(self, storage: Storage, objects: SealedObjects) -> None:
        self._storage = storage
        self._objects = objects
        self._lock = threading.Lock()
        self._newest: _Link | None = None

    def append(self, attestation: Attestation) -> Receipt:
        """Write the next receipt: put-if-absent of its number decides between two writers."""
        with self._lock:
            before = self._newest or self._remembered() or self._find_newest(-1)
            while True:
                payload, latest = _payload(before, attestation)
                n = payload["n"]
                body = self._objects.seal(names.receipt(n), Kind.RECEIPT, payload)
                try:
                    self._storage.put(names.receipt(n), body)
                except AlreadyExists:
                    before = self._find_newest(n)
                    continue
                self._newest = _Link(n, hashlib.sha256(body).digest(), latest)
                self._objects.cache.put(_LAST, n.to_bytes(8, "big") + body)
                previous = None if before is None else before.digest
                return Receipt(n, previous, latest, attestation, self._newest.digest)

    def newest(self) -> Receipt | None:
        """The newest receipt; None in a repository without any. Raises IntegrityError when it is damaged."""
        n = self._newest_number(-1 if self._newest is None else self._newest.n)
        return None if n < 0 else self.get(n)

    def get(self, n: int) -> Receipt:
        """Raises NotFound, IntegrityError."""
        name = names.receipt(n)
        body = self._storage.get(name)
        kind, payload = self._objects.open(name, body)
        if kind is not Kind.RECEIPT or payload.get("n") != n:
            raise IntegrityError(f"{name} holds no receipt of that number", key=name)
        return _decoded(payload, hashlib.sha256(body).digest(), name)

    def newest_readable(self, at_most: int | None = None) -> Receipt | None:
        """The newest receipt that opens, looking from number `at_most` down."""
        n = self._newest_number(-1 if self._newest is None else self._newest.n) if at_most is None else at_most
        for number in range(n, -1, -1):
            try:
                return self.get(number)
            except (*UNREADABLE, NotFound):
                continue
        return None

    def newest_first(self) -> Iterator[Receipt]:
        """Raises IntegrityError at the first one that is damaged or missing."""
        receipt = self.newest()
        while receipt is not None:
            yield receipt
            receipt = self._before(receipt)

    def check(self) -> ChainReport:
        """Read the whole chain: every number from 0 is there, opens, and follows the bytes of the one before."""
        numbers = {names.receipt_number(info.key) for info in self._storage.list(names.RECEIPTS)}
        total = max(numbers, default=-1) + 1
        problems: list[Problem] = []
        previous: bytes | None = None
        for n in range(total):
            name = names.receipt(n)
            try:
                body = self._storage.get(name)
            except NotFound:
                problems.append(Problem("missing_receipt", name, "the chain has a gap"))
                previous = None
                continue
            problems += self._followed(n, body, previous, known=n == 0 or previous is not None)[1]
            previous = hashlib.sha256(body).digest()
        bad = {problem.key for problem in problems}
        return ChainReport(total - len(bad), total, tuple(problems), previous)

    def follow(self, n: int, digests: MutableMapping[int, bytes]) -> tuple[Receipt | None, list[Problem]]:
        """Receipt n, and what is wrong with it and its link to the one before. Raises NotFound without n.

        `digests` of the receipts read so far, by number, is added to; what is in it is not read again.
        """
        body = self._storage.get(names.receipt(n))
        digests[n] = hashlib.sha256(body).digest()
        try:
            previous = None if n == 0 else self._digest(n - 1, digests)
        except NotFound:
            return None, [Problem("missing_receipt", names.receipt(n - 1), "the chain has a gap")]
        return self._followed(n, body, previous, known=True)

    def _digest(self, n: int, digests: MutableMapping[int, bytes]) -> bytes:
        if (known := digests.get(n)) is None:
            known = digests[n] = hashlib.sha256(self._storage.get(names.receipt(n))).digest()
        return known

    def _followed(
        self, n: int, body: bytes, previous: bytes | None, *, known: bool
    ) -> tuple[Receipt | None, list[Problem]]:
        name = names.receipt(n)
        try:
            kind, payload = self._objects.open(name, body)
            if kind is not Kind.RECEIPT:
                raise IntegrityError(f"{name} holds a {kind.name.lower()}")
            receipt = _decoded(payload, b"", name)
        except UNREADABLE as error:
            return None, [Problem("damaged_receipt", name, str(error))]
        if receipt.n != n or (known and receipt.previous != previous):
            return receipt, [Problem("broken_chain", name, "it does not follow the receipt before it")]
        return receipt, []

    def _before(self, receipt: Receipt) -> Receipt | None:
        if receipt.n == 0:
            return None
        name = names.receipt(receipt.n - 1)
        try:
            before = self.get(receipt.n - 1)
        except NotFound as error:
            raise IntegrityError(f"{name} is missing: the chain has a gap", key=name) from error
        if before.digest != receipt.previous:
            raise IntegrityError(f"{names.receipt(receipt.n)} does not follow {name}", key=name)
        return before

    def _remembered(self) -> _Link | None:
        """The last receipt written from this machine; when others have written since, the put of the next tells."""
        kept = self._objects.cache.get(_LAST)
        if kept is None:
            return None
        n, body = int.from_bytes(kept[:8], "big"), kept[8:]
        try:
            return self._linked(n, body)
        except UNREADABLE:
            self._objects.cache.drop(_LAST)
            return None

    def _find_newest(self, known: int) -> _Link | None:
        n = self._newest_number(known)
        return None if n < 0 else self._link_of(n)

    def _link_of(self, n: int) -> _Link:
        """Of receipt n, or, as far as that is damaged, of what can still be read."""
        body = self._storage.get(names.receipt(n))
        try:
            return self._linked(n, body)
        except UNREADABLE:
            # The chain goes on behind a damaged receipt: verification names it, and the levels start anew.
            return _Link(n, hashlib.sha256(body).digest(), {})

    def _linked(self, n: int, body: bytes) -> _Link:
        name, digest = names.receipt(n), hashlib.sha256(body).digest()
        _, payload = self._objects.open(name, body)
        return _Link(n, digest, _decoded(payload, digest, name).latest)

    def _newest_number(self, known: int) -> int:
        """The newest number, from one that is known to exist (-1: none), by doubling steps and then halving them."""
        low, step = known, 1
        while self._exists(low + step):
            low, step = low + step, step * 2
        high = low + step
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._exists(middle) else (low, middle)
        return low

    def _exists(self, n: int) -> bool:
        try:
            self._storage.get(names.receipt(n), 0, 1)
        except NotFound:
            return False
        return True


def _payload(before: _Link | None, said: Attestation) -> tuple[dict[str, Any], dict[int, int]]:
    n = 0 if before is None else before.n + 1
    latest = {**({} if before is None else before.latest), **{report.level: n for report in said.reports}}
    payload = {
        "n": n,
        "previous": None if before is None else before.digest,
        "at": _text(said.at),
        "shard": said.shard,
        "snapshot": said.snapshot,
        "expires_at": None if said.expires_at is None else _text(said.expires_at),
        "reports": [_encoded_report(report) for report in said.reports],
        "arc": None if said.arc is None else [said.arc.start, said.arc.end],
        "kept": sorted(said.kept.items()),
        "latest": sorted(latest.items()),
        "engine": version("tenantkeep-backup-engine"),
    }
    return payload, latest


def _encoded_report(report: VerificationReport) -> dict[str, Any]:
    return {
        "level": report.level,
        "items": report.items,
        "packs": report.packs,
        "bytes": report.bytes,
        "covered": report.covered,
        "denominator": report.denominator,
        "problems": [[p.kind, p.key, p.detail] for p in report.problems[:_SHOWN]],
        "problem_count": len(report.problems),
    }


def _decoded(payload: dict[str, Any], digest: bytes, name: str) -> Receipt:
    try:
        said = Attestation(
            at=datetime.fromisoformat(payload["at"]),
            reports=tuple(_decoded_report(report) for report in payload["reports"]),
            shard=payload["shard"],
            snapshot=payload["snapshot"],
            expires_at=None if payload["expires_at"] is None else datetime.fromisoformat(payload["expires_at"]),
            arc=None if payload["arc"] is None else Arc(*payload["arc"]),
            kept=dict(payload["kept"]),
        )
        latest = dict(payload["latest"])
        return Receipt(payload["n"], payload["previous"], latest, said, digest)
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"{name} is no receipt", key=name) from error


def _decoded_report(payload: dict[str, Any]) -> VerificationReport:
    return VerificationReport(
        payload["level"],
        payload["items"],
        payload["packs"],
        payload["bytes"],
        payload["covered"],
        payload["denominator"],
        tuple(Problem(*problem) for problem in payload["problems"]),
    )


def _text(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise ValueError("the times of a receipt carry a time zone")
    return moment.astimezone(UTC).isoformat()
