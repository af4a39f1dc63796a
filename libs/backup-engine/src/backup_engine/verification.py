"""Is what was committed really there? V0 references and listing, V1 trailers, V2 every byte."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from backup_engine import names
from backup_engine.backing import Backing
from backup_engine.index import PackInfo
from backup_engine.model import ItemRow, PackRef, Problem, Recipe, VerificationReport
from backup_engine.pack_check import MISSING_PACK, check_bytes, check_trailer
from backup_engine.reader import Reader

_BATCH = 1024  # rows whose blobs are looked up at once
READERS = 4  # packs read at the same time; each is in memory once


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


def verify_bytes(backing: Backing, rows: Iterable[ItemRow]) -> VerificationReport:
    """V2: read all packs of the restore point whole, open every record, put every item together. Counts packs."""
    findings = _Findings()
    packs: dict[str, PackInfo] = {}
    whole: list[ItemRow] = []
    items = 0
    for row in rows:
        items += 1
        places = [place for part in row.recipe if (place := backing.index.find(part.id)) is not None]
        if len(places) < len(row.recipe):
            findings.add("missing_blob", row.key, "blobs are in no index delta")
            continue
        packs |= {place.pack.name: place.pack for place in places}
        whole.append(row)
    ordered = [info for _, info in sorted(packs.items())]
    with ThreadPoolExecutor(READERS, thread_name_prefix="verify") as readers:
        found = list(readers.map(lambda info: check_bytes(backing, info), ordered))
    findings.problems += [one.problem for one in found if one.problem is not None]
    good = {info.name: one.read for info, one in zip(ordered, found, strict=True) if one.problem is None}
    _put_together(backing, whole, frozenset().union(*(one.lost for one in found)), findings)
    return VerificationReport(2, items, len(good), sum(good.values()), len(good), len(packs), tuple(findings.problems))


def _put_together(backing: Backing, rows: list[ItemRow], lost: frozenset[bytes], findings: _Findings) -> None:
    readable = []
    for row in rows:
        if lost.isdisjoint(part.id for part in row.recipe):
            readable.append(row)
        else:
            findings.add("damaged_item", row.key, "a blob of it is damaged or missing")
    reader = Reader(backing)
    for row, body in reader.read_blobs(readable):
        if len(body) != row.size or hashlib.sha256(body).digest() != row.sha256:
            findings.add("damaged_item", row.key, "its blobs do not make up the bytes that came in")
