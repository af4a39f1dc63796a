"""Is what was committed really there? V0 references and listing, V1 trailers, V2 every byte."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import zip_longest

from backup_engine import header, names
from backup_engine.backing import Backing
from backup_engine.errors import IntegrityError, NotFound
from backup_engine.index import PackInfo
from backup_engine.model import ItemRow, PackRef, Problem, VerificationReport
from backup_engine.pack import PackEntry, PackOpener, open_trailer
from backup_engine.reader import Reader


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
    complete: Counter[frozenset[str]] = Counter()  # items whose blobs are all in the index, by the packs they need
    for row in rows:
        items += 1
        places = [backing.index.find(part.id) for part in row.recipe]
        packs = frozenset(place.pack.name for place in places if place is not None)
        if missing := places.count(None):
            findings.add("missing_blob", row.key, f"{missing} blobs are in no index delta")
        else:
            complete[packs] += 1
    wanted = set().union(*complete) if written is None else {pack.key for pack in written}
    bad = _list_packs(backing, wanted, findings)
    covered = sum(count for packs, count in complete.items() if not packs & bad)
    listed = [info.size for name in wanted - bad if (info := backing.index.pack(name)) is not None]
    return VerificationReport(0, items, len(listed), sum(listed), covered, items, tuple(findings.problems))


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
            findings.add("missing_pack", ref.key, "not in the index")
            continue
        try:
            tail = backing.storage.get(ref.key, info.size - info.trailer)
            read += len(tail)
            entry = open_trailer(backing.ring, ref.key, info.size, tail)
            _compare(backing, info, entry)
            covered += 1
        except NotFound:
            findings.add("missing_pack", ref.key, "not in storage")
        except IntegrityError as error:
            findings.add("damaged_pack", ref.key, str(error))
    return VerificationReport(1, items, covered, read, covered, len(packs), tuple(findings.problems))


def verify_bytes(backing: Backing, rows: Iterable[ItemRow]) -> VerificationReport:
    """V2: read all packs of the restore point whole, open every record, put every item together. Counts packs."""
    findings = _Findings()
    good: set[str] = set()
    packs: set[str] = set()
    whole: list[ItemRow] = []
    read = items = 0
    for row in rows:
        items += 1
        places = [backing.index.find(part.id) for part in row.recipe]
        if any(place is None for place in places):
            findings.add("missing_blob", row.key, "blobs are in no index delta")
            continue
        packs |= {place.pack.name for place in places if place is not None}
        whole.append(row)
    for name in sorted(packs):
        info = backing.index.pack(name)
        if info is not None and _open_all(backing, info, findings):
            good.add(name)
            read += info.size
    _put_together(backing, whole, good, findings)
    return VerificationReport(2, items, len(good), read, len(good), len(packs), tuple(findings.problems))


def _open_all(backing: Backing, info: PackInfo, findings: _Findings) -> bool:
    try:
        body = backing.storage.get(info.name)
        entry = open_trailer(backing.ring, info.name, len(body), body)
        _check_frame(info.name, body, entry)
        _compare(backing, info, entry)
        opener = PackOpener(backing.ring, entry.header, info.name)
        for blob in entry.blobs:
            opener.blob(blob, body[blob.offset : blob.offset + blob.stored])
    except NotFound:
        findings.add("missing_pack", info.name, "not in storage")
        return False
    except IntegrityError as error:
        findings.add("damaged_pack", info.name, str(error))
        return False
    return True


def _check_frame(name: str, body: bytes, entry: PackEntry) -> None:
    if hashlib.sha256(body).hexdigest() != names.pack_sha256(name):
        raise IntegrityError("the bytes do not have the digest the name says", key=name)
    if body[: header.LENGTH] != entry.header:
        raise IntegrityError("the two headers differ", key=name)


def _put_together(backing: Backing, rows: list[ItemRow], good: set[str], findings: _Findings) -> None:
    readable = []
    for row in rows:
        places = [backing.index.find(part.id) for part in row.recipe]
        if {place.pack.name for place in places if place is not None} <= good:
            readable.append(row)
        else:
            findings.add("damaged_item", row.key, "one of its packs is damaged or missing")
    reader = Reader(backing)
    for row, body in reader.read_blobs(readable):
        if len(body) != row.size or hashlib.sha256(body).digest() != row.sha256:
            findings.add("damaged_item", row.key, "its blobs do not make up the bytes that came in")


def _compare(backing: Backing, info: PackInfo, entry: PackEntry) -> None:
    """The pack's own directory against the index."""
    if (entry.size, entry.trailer, entry.header) != (info.size, info.trailer, info.header):
        raise IntegrityError("size, trailer or header differ from the index", key=info.name)
    for blob, indexed in zip_longest(entry.blobs, backing.index.entries(info.name)):
        if blob != indexed:
            raise IntegrityError(f"record {(blob or indexed).i} differs from the index", key=info.name)
