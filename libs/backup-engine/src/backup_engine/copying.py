"""Copy a repository to another storage, object by object and as it is: no key is needed (format, section 20)."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from backup_engine import names
from backup_engine.errors import AlreadyExists, IntegrityError, NotFound
from backup_engine.model import Problem
from backup_engine.storage.base import Storage

_ORDER = (
    (names.CONFIG, names.KEYS),
    (names.POLICIES, names.HOLDS, names.DAMAGE, names.GC, names.RECEIPTS),
    (names.DATA,),
    (names.INDEX,),
    (names.MANIFESTS,),
)
"""What a reader needs before the restore points, each group durable before the next; unknown names follow the last."""
_PARALLEL = 4  # objects copied at the same time
_ROUNDS = 3  # of listing and copying, while the source loses objects to its collector


@dataclass(frozen=True, slots=True)
class Copied:
    """How far the copy has come; `of` counts what this run has to copy, as far as it is known."""

    objects: int
    of: int
    bytes: int
    of_bytes: int


Watch = Callable[[Copied], None]


@dataclass(frozen=True, slots=True)
class CopyReport:
    copied: int  # objects
    bytes: int
    there: int  # objects the target had already
    commits: int  # names below snapshots/ at the target
    gone: tuple[str, ...]  # objects the source lost meanwhile, to its collector
    problems: tuple[Problem, ...]  # objects that differ or do not have the digest in their name

    @property
    def good(self) -> bool:
        return not self.problems


@dataclass(slots=True)
class _Tally:
    watch: Watch
    objects: int = 0
    of: int = 0
    bytes: int = 0
    of_bytes: int = 0
    there: int = 0
    gone: set[str] = field(default_factory=set)
    problems: dict[str, Problem] = field(default_factory=dict)


def copy_repository(
    source: Storage,
    target: Storage,
    *,
    retain_until: datetime | None = None,
    watch: Watch = lambda _: None,
) -> CopyReport:
    """Copy everything the target does not have, restore points last; run again it goes on where it ended.

    Each object is read back from the target and compared by SHA-256. Locks and legal holds of the source are kept
    where the target can lock, and never end before `retain_until`. Backups of the source may go on meanwhile: what they
    commit after the beginning is for the next run. Sessions that have not committed are not copied. Raises NotFound
    without a repository at the source, AlreadyExists when the target holds another one, and storage errors.
    """
    _require_same(source, target)
    tally = _Tally(watch)
    copier = _Copier(source, target, retain_until, tally)
    for _ in range(_ROUNDS):
        points = _listed(source, names.SNAPSHOTS)  # first: whatever they need is there already
        lost = len(tally.gone)
        for group in _groups(source):
            copier.copy(group)
        if len(tally.gone) == lost:
            break
    copier.copy(points)
    there = sum(1 for _ in target.list(names.SNAPSHOTS))
    problems = tuple(problem for _, problem in sorted(tally.problems.items()))
    return CopyReport(tally.objects, tally.bytes, tally.there, there, tuple(sorted(tally.gone)), problems)


def _require_same(source: Storage, target: Storage) -> None:
    ours = source.get(names.CONFIG)
    try:
        theirs = target.get(names.CONFIG)
    except NotFound:
        return
    if theirs != ours:
        raise AlreadyExists("the target holds another repository: choose another prefix", key=names.CONFIG)


def _listed(storage: Storage, prefix: str) -> dict[str, int]:
    return {info.key: info.size for info in storage.list(prefix)}


def _groups(source: Storage) -> Iterator[dict[str, int]]:
    """What to copy, in order. Index and manifests are listed before the packs they name, and copied after them."""
    objects = _listed(source, names.INDEX) | _listed(source, names.MANIFESTS)
    rest = _listed(source, "").items()
    objects |= {name: size for name, size in rest if not name.startswith(_APART)}
    for prefixes in _ORDER:
        group = {name: size for name, size in objects.items() if name.startswith(prefixes)}
        objects = {name: size for name, size in objects.items() if name not in group}
        yield group
    yield objects


_APART = (names.INDEX, names.MANIFESTS, names.SESSIONS, names.SNAPSHOTS, names.DERIVED)


class _Copier:
    def __init__(self, source: Storage, target: Storage, retain_until: datetime | None, tally: _Tally) -> None:
        self._source = source
        self._target = target
        self._retain_until = retain_until
        self._tally = tally

    def copy(self, objects: Mapping[str, int]) -> None:
        """Make every object durable at the target, or say why not."""
        there = self._there(objects)
        missing = [name for name in objects if name not in there]
        self._tally.there += len(objects) - len(missing)
        self._tally.of += len(missing)
        self._tally.of_bytes += sum(objects[name] for name in missing)
        for name in objects:
            if name in there and there[name] != objects[name]:
                self._problem("wrong_size", name, f"{there[name]} bytes at the target, {objects[name]} at the source")
        with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="copy") as copiers:
            for size in copiers.map(self._one, missing):
                self._tally.objects += 1
                self._tally.bytes += size
                self._show()
            if self._target.lock is not None:
                list(copiers.map(self._lock_longer, (name for name in objects if name in there)))

    def _there(self, objects: Iterable[str]) -> dict[str, int]:
        """Of the folders these objects lie in, what the target has."""
        folders = {name[: name.find("/") + 1] or name for name in objects}
        return {name: size for folder in folders for name, size in _listed(self._target, folder).items()}

    def _one(self, name: str) -> int:
        try:
            body = self._authentic(name)
        except NotFound:
            self._tally.gone.add(name)
            return 0
        except IntegrityError as error:
            self._problem("damaged_pack", name, str(error))
            return 0
        until, held = self._protection(name)
        with suppress(AlreadyExists):  # another run was faster; it is compared all the same
            self._target.put(name, body, retain_until=until)
        if hashlib.sha256(self._target.get(name)).digest() != hashlib.sha256(body).digest():
            self._problem("differs", name, "the target gives other bytes than the source")
        if held:
            self._target.hold(name, on=True)
        return len(body)

    def _authentic(self, name: str) -> bytes:
        """The object's bytes; of a pack those with the digest in its name, whatever lies on top of them."""
        body = self._source.get(name)
        if not name.startswith(names.DATA):
            return body
        wanted = names.pack_sha256(name)
        for one in (body, *self._older(name, body, wanted)):
            if hashlib.sha256(one).hexdigest() == wanted:
                return one
        raise IntegrityError("its bytes do not have the digest in its name", key=name)

    def _older(self, name: str, body: bytes, wanted: str) -> Iterator[bytes]:
        if hashlib.sha256(body).hexdigest() != wanted:
            yield from self._source.versions(name)

    def _protection(self, name: str) -> tuple[datetime | None, bool]:
        """Until when the target is to lock the object, and whether it is held."""
        if self._target.lock is None or name.startswith(names.GC):
            return None, False
        if self._source.lock is None:
            return self._retain_until, False
        found = self._source.retention(name)
        known = [moment for moment in (found.until, self._retain_until) if moment is not None]
        return max(known, default=None), found.held

    def _lock_longer(self, name: str) -> None:
        """The source may have extended its lock since the object was copied."""
        try:
            until, held = self._protection(name)
            if until is not None:
                self._target.extend(name, until)
            if held:
                self._target.hold(name, on=True)
        except NotFound:
            self._tally.gone.add(name)

    def _problem(self, kind: str, name: str, detail: str) -> None:
        self._tally.problems[name] = Problem(kind, name, detail)

    def _show(self) -> None:
        tally = self._tally
        tally.watch(Copied(tally.objects, tally.of, tally.bytes, tally.of_bytes))
