"""V2: one step of reading everything, naming what is damaged and whom it affects, and repairing what can be."""

import hashlib
import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from backup_engine import commits, manifest, names, repair, rolling
from backup_engine.backing import Backing
from backup_engine.damage import AffectedItems, DamageRecord
from backup_engine.errors import UNREADABLE, NotFound, StorageError
from backup_engine.model import ItemRow, Problem, Snapshot, VerificationReport
from backup_engine.object_check import COVERED_OBJECT, DAMAGED_OBJECT, HIDDEN_OBJECT, MISSING_OBJECT, ObjectCheck
from backup_engine.receipts import Attestation, Receipt, Receipts
from backup_engine.repair import Repaired
from backup_engine.rolling import Watch

_UNNAMED = {"missing_blob", "unindexed_pack", COVERED_OBJECT, HIDDEN_OBJECT}  # problems nobody has to step around
_KEPT = (names.CONFIG, names.KEYS, names.POLICIES, names.HOLDS, names.DAMAGE)

_MARKER = (
    "somebody put a delete marker on it; readers look past it, verification removes it where the store allows that"
)


@dataclass(frozen=True, slots=True)
class Limit:
    """How much one step reads: whatever is reached first, and at least one object."""

    share: float = 1.0  # of all bytes
    bytes: float = math.inf
    objects: float = math.inf


@dataclass(frozen=True, slots=True)
class RollingReport:
    """`report` counts the objects this step read; `read_since`: all were read whole then or later (None: not yet)."""

    report: VerificationReport
    objects: int  # in the whole repository
    read_since: datetime | None
    affected: tuple[AffectedItems, ...] | None  # all items nothing stored can give; None: known damage, nothing new
    repaired: Repaired
    damage: DamageRecord | None  # written by this step
    receipt: Receipt


def verify_rolling(
    backing: Backing,
    receipts: Receipts,
    *,
    at: datetime,
    session: str,
    limit: Limit,
    watch: Watch | None = None,
) -> RollingReport:
    """Read the next part of the repository whole; name, repair and record what is wrong."""
    listed = list(backing.storage.list(""))
    sizes = {info.key: info.size for info in listed}
    backing.damage.refresh()
    backing.condemned.refresh()
    backing.index.refresh()  # after the listing: it knows every pack a listed restore point needs
    expected = _expected(backing, sizes)
    before = rolling.last_step(receipts)
    kept = _kept(backing, sizes)
    check = ObjectCheck(backing, receipts, sizes, at, _changed(before, kept))
    share = limit.share * sum(expected.values()) if limit.share < 1 else math.inf
    step = rolling.take_step(
        check,
        expected,
        rolling.end_of(before),
        max_bytes=min(share, limit.bytes),
        max_objects=limit.objects,
        watch=watch,
    )
    hidden = [info.key for info in listed if info.hidden]
    report = _report(step, list(_gone(before, kept)), hidden)
    known = set(backing.damage.named)
    found = {p.key: p.kind for p in report.problems if p.kind not in _UNNAMED}
    found |= dict.fromkeys(backing.index.damaged, DAMAGED_OBJECT)
    sound = [name for name, finding in step.findings if name in known and not finding.problems and name in sizes]
    backing.index.avoid(name for name in found if name.startswith(names.DATA))
    fixed = Repaired()
    affected: tuple[AffectedItems, ...] | None = None if known else ()
    if len(report.problems) > len(hidden) or backing.index.damaged:
        fixed = repair.from_storage(backing, session, sizes, damaged=found, rows=_all_rows(backing, sizes))
        affected = tuple(_affected(backing, sizes, {*found, *known}))
    new = {name: kind for name, kind in found.items() if name not in known}
    record = backing.damage.write(new, at=at, sound=sound, affected=affected or ()) if new or sound else None
    receipt = receipts.append(Attestation(at, (report,), arc=step.arc, kept=kept))
    _unhide(backing, hidden)  # what nobody would find again is told first
    return RollingReport(report, step.objects, rolling.read_since(receipts), affected, fixed, record, receipt)


def read_all(backing: Backing, receipts: Receipts, *, at: datetime, watch: Watch | None = None) -> VerificationReport:
    """Level 2 of everything at once, without a word in the repository: no receipt, no record, no repair."""
    listed = list(backing.storage.list(""))
    sizes = {info.key: info.size for info in listed}
    backing.damage.refresh()
    backing.condemned.refresh()
    backing.index.refresh()
    check = ObjectCheck(backing, receipts, sizes, at, frozenset())
    expected = _expected(backing, sizes)
    unlimited = {"max_bytes": math.inf, "max_objects": math.inf}
    step = rolling.take_step(check, expected, rolling.START, watch=watch, **unlimited)
    return _report(step, [], [info.key for info in listed if info.hidden])


def _expected(backing: Backing, sizes: Mapping[str, int]) -> dict[str, int]:
    """What should be there: what is listed, what the index names, and every receipt up to the newest."""
    newest = max((names.receipt_number(name) for name in sizes if name.startswith(names.RECEIPTS)), default=-1)
    return {
        **{names.receipt(n): 0 for n in range(newest + 1)},
        **{info.name: info.size for info in backing.index.packs() if info.name not in backing.condemned.packs},
        **sizes,
    }


def _kept(backing: Backing, sizes: Iterable[str]) -> dict[str, bytes]:
    """SHA-256 of the small objects that stay for ever: nothing else refers to them, and parts are for other openers."""
    found = {}
    for name in sizes:
        if name.startswith(_KEPT):
            with suppress(NotFound):  # replaced since it was listed
                found[name] = hashlib.sha256(backing.storage.get(name)).digest()
    return found


def _gone(before: Receipt | None, kept: Mapping[str, bytes]) -> Iterator[Problem]:
    """What was there at the last step and is there no more; of a key record, a later revision may have replaced it."""
    numbers = {name.partition(".")[0] for name in kept}
    for name in () if before is None else before.attestation.kept:
        replaced = name.startswith(names.KEYS) and name.partition(".")[0] in numbers
        if name not in kept and not replaced:
            yield Problem(MISSING_OBJECT, name, "it was there at the last check")


def _unhide(backing: Backing, hidden: Iterable[str]) -> None:
    """Remove the delete markers where the store lets us; what stays hidden is named by the next step again."""
    for name in hidden:
        with suppress(StorageError):
            backing.storage.unhide(name)


def _changed(before: Receipt | None, kept: Mapping[str, bytes]) -> frozenset[str]:
    known = {} if before is None else before.attestation.kept
    return frozenset(name for name, digest in kept.items() if known.get(name, digest) != digest)


def _report(step: rolling.Step, gone: list[Problem], hidden: list[str]) -> VerificationReport:
    read = sum(finding.read for _, finding in step.findings)
    items = sum(finding.items for _, finding in step.findings)
    packs = sum(name.startswith(names.DATA) for name, _ in step.findings)
    behind = set(hidden)
    good = sum(not finding.problems and name not in behind for name, finding in step.findings)
    tried = len(step.findings) + len(gone)
    problems = (*step.problems, *gone, *(Problem(HIDDEN_OBJECT, name, _MARKER) for name in hidden))
    return VerificationReport(rolling.LEVEL, items, packs, read, good, tried, problems)


def _snapshots(backing: Backing, sizes: Iterable[str]) -> Iterator[tuple[str, str, Snapshot | None, bool]]:
    """Shard, session, snapshot and whether it can be read, of every commit name that is no tombstone."""
    for name in sizes:
        if not name.startswith(names.SNAPSHOTS):
            continue
        shard, session = names.snapshot_parts(name)
        try:
            snapshot = commits.read(backing.objects, shard, session)
        except NotFound:
            continue
        except UNREADABLE:
            yield shard, session, None, False
        else:
            if snapshot is not None:
                yield shard, session, snapshot, True


def _rows(backing: Backing, snapshot: Snapshot) -> list[ItemRow] | None:
    try:
        return list(manifest.items(backing.objects, snapshot.segments))
    except UNREADABLE:
        return None


def _all_rows(backing: Backing, sizes: Iterable[str]) -> Iterator[ItemRow]:
    for _, _, snapshot, _ in _snapshots(backing, sizes):
        if snapshot is not None:
            yield from _rows(backing, snapshot) or ()


def _affected(backing: Backing, sizes: Iterable[str], damaged: Collection[str]) -> Iterator[AffectedItems]:
    """Which items of which restore points nothing in the repository can give any more, after what could be repaired."""
    for name in damaged:
        if name.startswith(names.SNAPSHOTS):
            yield AffectedItems(*names.snapshot_parts(name), None)
    for shard, session, snapshot, _ in _snapshots(backing, sizes):
        if snapshot is None:
            continue  # named above
        rows = _rows(backing, snapshot)
        if rows is None:
            yield AffectedItems(shard, session, None)
            continue
        keys = tuple(row.key for row in rows if any(_is_lost(backing, part.id, damaged) for part in row.recipe))
        if keys:
            yield AffectedItems(shard, session, keys)


def _is_lost(backing: Backing, blob: bytes, damaged: Collection[str]) -> bool:
    """Whatever still opened in a damaged pack lies elsewhere, too, by now."""
    return all(place.pack.name in damaged for place in backing.index.places(blob))
