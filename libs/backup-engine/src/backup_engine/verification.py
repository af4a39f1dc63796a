"""Is what was committed really there? V0 references and listing, V1 trailers, V2 every byte."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any

from backup_engine import names
from backup_engine.backing import Backing
from backup_engine.errors import UNREADABLE, NotFound
from backup_engine.header import Kind
from backup_engine.index import PackInfo, Place
from backup_engine.model import ItemRow, PackRef, Problem, Recipe, Snapshot, VerificationReport
from backup_engine.pack_check import MISSING_PACK, PackFinding, check_bytes, check_trailer
from backup_engine.pools import side_by_side

_BATCH = 1024  # rows whose blobs are looked up at once
_PAGE = 1000  # names S3 lists in one answer
READERS = 2  # packs read at the same time; each is in memory once


@dataclass(slots=True)
class _Findings:
    problems: list[Problem] = field(default_factory=list)

    def add(self, kind: str, key: str, detail: str) -> None:
        self.problems.append(Problem(kind, key, detail))


def verify_references(
    backing: Backing, rows: Iterable[ItemRow], written: Iterable[PackRef] | None
) -> VerificationReport:
    """V0: every blob of every row is in the index, and storage lists the packs with their sizes.

    `written` limits the listing to these packs (the check before a commit); None lists all packs referred to.
    Covered and denominator count items.
    """
    found = references(backing, rows)
    wanted = found.packs if written is None else {pack.key for pack in written}
    return found.report(backing, wanted, listed_packs(backing, wanted))


@dataclass(frozen=True, slots=True)
class References:
    """What the rows of a restore point refer to: the half of V0 that asks the index."""

    items: int
    complete: Mapping[frozenset[str | None], int]  # items whose blobs are all in the index, by the packs they need
    problems: tuple[Problem, ...]

    @property
    def packs(self) -> set[str]:
        return {name for packs in self.complete for name in packs if name is not None}

    def report(self, backing: Backing, wanted: Iterable[str], listed: Mapping[str, int]) -> VerificationReport:
        """V0, given what storage lists: names and sizes of all packs of the sessions that wrote `wanted`."""
        findings = _Findings(list(self.problems))
        sizes: list[int] = []
        bad: set[str] = set()
        for name in sorted(wanted):
            expected = backing.index.pack(name)
            if expected is None or name not in listed:
                findings.add("missing_pack", name, "not in the index" if expected is None else "not in storage")
            elif listed[name] != expected.size:
                findings.add("wrong_size", name, f"{listed[name]} bytes instead of {expected.size}")
            else:
                sizes.append(expected.size)
                continue
            bad.add(name)
        covered = sum(count for packs, count in self.complete.items() if not packs & bad)
        return VerificationReport(0, self.items, len(sizes), sum(sizes), covered, self.items, tuple(findings.problems))


def references(backing: Backing, rows: Iterable[ItemRow]) -> References:
    """Look every blob of every row up in the index."""
    findings = _Findings()
    items = 0
    complete: Counter[frozenset[str | None]] = Counter()
    damaged = backing.damage.packs
    for row, packs in _holders(backing, rows):
        items += 1
        if None in packs:
            findings.add("missing_blob", row.key, "blobs are in no index delta")
        elif damaged and packs & damaged:
            findings.add("missing_blob", row.key, "blobs lie only in packs that are known to be damaged")
        else:
            complete[packs] += 1
    return References(items, complete, tuple(findings.problems))


def verify_committed(
    backing: Backing, snapshot: Snapshot, found: References, rows: Callable[[], Iterable[ItemRow]]
) -> tuple[VerificationReport, VerificationReport]:
    """V0 and V1 of what was committed just now, after the commit looked its rows up as `found`.

    Storage is asked what it did not answer before: the snapshot reads back, its index objects are still listed, and so
    are all packs, those of earlier sessions included. `rows` are looked up again should the index have lost something.
    """
    losses = backing.index.losses
    calls: list[Callable[[], Any]] = [
        backing.index.refresh,
        lambda: _reads_back(backing, snapshot),
        lambda: listed_packs(backing, found.packs),
    ]
    _, problem, listed = side_by_side(calls, backing.tuning.uploaders)
    if backing.index.losses != losses:
        found = references(backing, rows())
        listed = listed_packs(backing, found.packs)
    report = found.report(backing, found.packs, listed)
    if problem is not None:
        report = replace(report, covered=0, problems=(*report.problems, problem))
    return report, verify_trailers(backing, snapshot.packs, snapshot.items)


def _holders(backing: Backing, rows: Iterable[ItemRow]) -> Iterator[tuple[ItemRow, frozenset[str | None]]]:
    """Each row with the packs a reader would use, None among them when a blob is in none; looked up in batches."""
    rows = iter(rows)
    while batch := list(islice(rows, _BATCH)):
        wanted = [Recipe.of(row.recipe).ids() for row in batch]
        found = iter(backing.index.holders([ident for idents in wanted for ident in idents]))
        for row, idents in zip(batch, wanted, strict=True):
            yield row, frozenset(islice(found, len(idents)))


def _reads_back(backing: Backing, snapshot: Snapshot) -> Problem | None:
    name = names.snapshot(snapshot.shard, snapshot.id)
    try:
        stored = backing.objects.get(name, Kind.SNAPSHOT)
    except (NotFound, *UNREADABLE) as error:
        return Problem("damaged_object", name, str(error))
    ours = stored.get("nonce") == snapshot.nonce
    return None if ours else Problem("damaged_object", name, "it is not what was written")


def listed_packs(backing: Backing, wanted: Iterable[str]) -> dict[str, int]:
    """Sizes of the packs storage lists, those of the sessions that wrote `wanted` included.

    One listing per session or, where that takes fewer requests, one of everything.
    """
    sessions = sorted({names.pack_session(name) for name in wanted})
    prefixes = [names.packs_of(session) for session in sessions]
    if len(prefixes) > 1 + backing.index.pack_count // _PAGE:
        prefixes = [names.DATA]
    found = side_by_side([partial(_sizes, backing, prefix) for prefix in prefixes], backing.tuning.uploaders)
    return {name: size for sizes in found for name, size in sizes.items()}


def _sizes(backing: Backing, prefix: str) -> dict[str, int]:
    return {info.key: info.size for info in backing.storage.list(prefix)}


def verify_trailers(backing: Backing, packs: Iterable[PackRef], items: int) -> VerificationReport:
    """V1: the trailer of each pack, one range read each, says what the index says. Counts packs."""
    packs = list(packs)
    checked = side_by_side([partial(_trailer, backing, ref) for ref in packs], backing.tuning.uploaders)
    problems = tuple(found.problem for found in checked if found.problem is not None)
    covered = len(packs) - len(problems)
    read = sum(found.read for found in checked)
    return VerificationReport(1, items, covered, read, covered, len(packs), problems)


def _trailer(backing: Backing, ref: PackRef) -> PackFinding:
    info = backing.index.pack(ref.key)
    if info is None:
        return PackFinding(0, Problem(MISSING_PACK, ref.key, "not in the index"))
    return check_trailer(backing, info)


def verify_bytes(backing: Backing, table: Callable[[], Iterable[ItemRow]]) -> VerificationReport:
    """V2: read all packs of the restore point whole, open every record, and see that every recipe fits. Counts packs.

    A record that opens to the blob its keyed id names, and recipes that fit their blobs, make up the items: no item is
    put together again for that. `table` gives the rows, a second time only when something is lost.
    """
    findings = _Findings()
    items = 0
    packs: dict[str, PackInfo] = {}
    for row, places in _placed(backing, table()):
        items += 1
        if None in places:
            findings.add("missing_blob", row.key, "blobs are in no index delta")
            continue
        found = [place for place in places if place is not None]
        packs |= {place.pack.name: place.pack for place in found}
        if not _fits(row, found):
            findings.add("damaged_item", row.key, "its recipe does not fit its blobs")
    ordered = [info for _, info in sorted(packs.items())]
    with ThreadPoolExecutor(READERS, thread_name_prefix="verify") as readers:
        checked = list(readers.map(lambda info: check_bytes(backing, info), ordered))
    findings.problems += [one.problem for one in checked if one.problem is not None]
    if lost := frozenset[bytes]().union(*(one.lost for one in checked)):
        for row in table():
            if not lost.isdisjoint(part.id for part in row.recipe):
                findings.add("damaged_item", row.key, "a blob of it is damaged or missing")
    good = [one.read for one in checked if one.problem is None]
    return VerificationReport(2, items, len(good), sum(good), len(good), len(packs), tuple(findings.problems))


def _placed(backing: Backing, rows: Iterable[ItemRow]) -> Iterator[tuple[ItemRow, list[Place | None]]]:
    """Each row with the places of its blobs, looked up in batches."""
    rows = iter(rows)
    while batch := list(islice(rows, _BATCH)):
        wanted = [Recipe.of(row.recipe).ids() for row in batch]
        found = iter(backing.index.find_many([ident for idents in wanted for ident in idents]))
        for row, idents in zip(batch, wanted, strict=True):
            yield row, list(islice(found, len(idents)))


def _fits(row: ItemRow, places: list[Place]) -> bool:
    slices = list(row.recipe)
    inside = all(one.offset + one.length <= place.entry.length for one, place in zip(slices, places, strict=True))
    return inside and sum(one.length for one in slices) == row.size
