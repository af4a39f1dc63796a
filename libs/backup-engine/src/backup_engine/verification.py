"""Is what was committed really there? V0 references and listing, V1 trailers, V2 every byte."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from backup_engine import names
from backup_engine.backing import Backing
from backup_engine.index import PackInfo, Place
from backup_engine.model import ItemRow, PackRef, Problem, Recipe, VerificationReport
from backup_engine.pack_check import MISSING_PACK, check_bytes, check_trailer

_BATCH = 1024  # rows whose blobs are looked up at once
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
    findings = _Findings()
    items = 0
    complete: Counter[frozenset[str | None]] = (
        Counter()
    )  # items whose blobs are all in the index, by the packs they need
    damaged = backing.damage.packs
    for row, packs in _holders(backing, rows):
        items += 1
        if None in packs:
            findings.add("missing_blob", row.key, "blobs are in no index delta")
        elif damaged and packs & damaged:
            findings.add("missing_blob", row.key, "blobs lie only in packs that are known to be damaged")
        else:
            complete[packs] += 1
    used = {name for packs in complete for name in packs if name is not None}
    wanted = used if written is None else {pack.key for pack in written}
    bad = _list_packs(backing, wanted, findings)
    covered = sum(count for packs, count in complete.items() if not packs & bad)
    listed = [info.size for name in wanted - bad if (info := backing.index.pack(name)) is not None]
    return VerificationReport(0, items, len(listed), sum(listed), covered, items, tuple(findings.problems))


def _holders(backing: Backing, rows: Iterable[ItemRow]) -> Iterator[tuple[ItemRow, frozenset[str | None]]]:
    """Each row with the packs a reader would use, None among them when a blob is in none; looked up in batches."""
    rows = iter(rows)
    while batch := list(islice(rows, _BATCH)):
        wanted = [Recipe.of(row.recipe).ids() for row in batch]
        found = iter(backing.index.holders([ident for idents in wanted for ident in idents]))
        for row, idents in zip(batch, wanted, strict=True):
            yield row, frozenset(islice(found, len(idents)))


def _list_packs(backing: Backing, wanted: set[str], findings: _Findings) -> set[str]:
    """The packs among `wanted` that storage does not list as the index says; one listing per session."""
    listed: dict[str, int] = {}
    for session in sorted({names.pack_session(name) for name in wanted}):
        listed |= {info.key: info.size for info in backing.storage.list(names.packs_of(session))}
    bad = set()
    for name in sorted(wanted):
        expected = backing.index.pack(name)
        if expected is None or name not in listed:
            findings.add("missing_pack", name, "not in the index" if expected is None else "not in storage")
            bad.add(name)
        elif listed[name] != expected.size:
            findings.add("wrong_size", name, f"{listed[name]} bytes instead of {expected.size}")
            bad.add(name)
    return bad


def verify_trailers(backing: Backing, packs: Iterable[PackRef], items: int) -> VerificationReport:
    """V1: the trailer of each pack, one range read each, says what the index says. Counts packs."""
    findings = _Findings()
    packs = list(packs)
    read = covered = 0
    for ref in packs:
        info = backing.index.pack(ref.key)
        if info is None:
            findings.add(MISSING_PACK, ref.key, "not in the index")
            continue
        found = check_trailer(backing, info)
        read += found.read
        if found.problem is None:
            covered += 1
        else:
            findings.problems.append(found.problem)
    return VerificationReport(1, items, covered, read, covered, len(packs), tuple(findings.problems))


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
