"""V3: restore a random sample into local scratch and compare it with the manifest."""

import hashlib
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from backup_engine.errors import UNREADABLE
from backup_engine.model import ItemRow, Problem, Snapshot, VerificationReport
from backup_engine.reader import Reader
from backup_engine.receipts import Receipt
from backup_engine.rolling import Reading, Watch

LEVEL = 3
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Drilled:
    """What was restored of one restore point: `sound` of `sampled` items came back as the manifest says."""

    shard: str
    snapshot: str
    sampled: int
    sound: int


@dataclass(frozen=True, slots=True)
class DrillReport:
    report: VerificationReport  # level 3, of the sample
    population: int  # items the sample was drawn from
    drilled: tuple[Drilled, ...]  # by restore point
    receipt: Receipt


@dataclass(slots=True)
class Sample:
    items: list[tuple[Snapshot, ItemRow]] = field(default_factory=list)
    population: int = 0  # items with a body in the restore points that could be listed
    problems: list[Problem] = field(default_factory=list)  # restore points that could not


Load = Callable[[Snapshot], Iterable[ItemRow]]


def sample(points: Iterable[Snapshot], load: Load, items: int, rng: random.Random) -> Sample:
    """`items` of all rows with a body, each as likely as the other; one pass."""
    chosen = Sample()
    for point in points:
        try:
            for row in load(point):
                if row.has_body:
                    _offer(chosen, point, row, items, rng)
        except UNREADABLE as error:
            chosen.problems.append(Problem("damaged_point", f"{point.shard}/{point.id}", str(error)))
    return chosen


def _offer(chosen: Sample, point: Snapshot, row: ItemRow, items: int, rng: random.Random) -> None:
    chosen.population += 1
    if len(chosen.items) < items:
        chosen.items.append((point, row))
    elif (place := rng.randrange(chosen.population)) < items:
        chosen.items[place] = (point, row)


def restore(
    reader: Reader, chosen: Sample, scratch: Path, watch: Watch | None = None
) -> tuple[VerificationReport, tuple[Drilled, ...]]:
    """Write each item to a file, read it back and compare; the files are gone afterwards. Counts the items tried."""
    problems = list(chosen.problems)
    by_point: dict[tuple[str, str], list[bool]] = defaultdict(list)
    size = 0
    for number, (point, row) in enumerate(chosen.items):
        file = scratch / f"{number:06d}"
        try:
            file.write_bytes(reader.read(row))
            size += row.size
            fault = _difference(file, row)
        except UNREADABLE as error:
            fault = str(error)
        finally:
            file.unlink(missing_ok=True)
        if fault:
            problems.append(Problem("damaged_item", row.key, f"{point.shard}/{point.id}: {fault}"))
        by_point[point.shard, point.id].append(not fault)
        if watch is not None and not watch(Reading(number + 1, len(chosen.items), size)):
            break
    drilled = tuple(Drilled(*name, len(results), sum(results)) for name, results in sorted(by_point.items()))
    good, tried = sum(one.sound for one in drilled), sum(one.sampled for one in drilled)
    return VerificationReport(LEVEL, tried, 0, size, good, tried, tuple(problems)), drilled


def _difference(file: Path, row: ItemRow) -> str:
    """What is wrong with the restored file, read back from disk; nothing when it is the item."""
    digest, size = hashlib.sha256(), 0
    for block in _blocks(file):
        digest.update(block)
        size += len(block)
    if size != row.size:
        return f"{size} bytes were restored instead of {row.size}"
    return "" if digest.digest() == row.sha256 else "the restored bytes differ from the manifest"


def _blocks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while block := opened.read(_BLOCK):
            yield block
