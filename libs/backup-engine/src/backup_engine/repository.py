"""The repository of one tenant: the door to everything else."""

import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import astuple
from datetime import datetime, timedelta
from typing import Any, Literal

from backup_engine import adoption, chunking, commits, header, key_records, manifest, names, rows
from backup_engine.adoption import Inheritance
from backup_engine.allocator import tune_malloc
from backup_engine.backing import Backing
from backup_engine.checks import Checks
from backup_engine.condemned import Condemned
from backup_engine.custody import Custody
from backup_engine.damage import DamageLog
from backup_engine.derived import DerivedFiles
from backup_engine.documents import SealedDocuments
from backup_engine.errors import (
    UNREADABLE,
    AlreadyCommitted,
    AlreadyExists,
    FormatUnsupported,
    IntegrityError,
    KeyUnavailable,
    NotFound,
    ObjectLocked,
    UnknownItem,
)
from backup_engine.header import Header, Kind
from backup_engine.index import BlobIndex
from backup_engine.index_cache import IndexCache
from backup_engine.keys import KeyOpener, KeyRing, KeyWrapper
from backup_engine.locks import LockingStorage
from backup_engine.maintenance import MaintenanceReport, Policy, maintain
from backup_engine.mime_cut import PART_MIN
from backup_engine.model import ItemRow, Snapshot, VerificationReport
from backup_engine.object_cache import ObjectCache
from backup_engine.pages import PAGE_BYTES, PAGE_ITEMS
from backup_engine.pools import side_by_side
from backup_engine.reader import Reader
from backup_engine.recipe import BLOB_MAX
from backup_engine.recovery import RecoveryPublicKey
from backup_engine.rotation import RepositoryKeys, create_first
from backup_engine.sealed import SealedObjects, of_kind
from backup_engine.session import Session
from backup_engine.storage.authentic import read_authentic
from backup_engine.storage.base import Storage
from backup_engine.tuning import Tuning
from backup_engine.verification import verify_bytes, verify_references, verify_trailers

FLAGS: frozenset[str] = frozenset()  # of `config` that this engine understands; format 1 begins without any


class Repository:
    """Thread-safe. Open it once per process and tenant: the index and the unwrapped keys are shared.

    Sessions of other processes may write at the same time; `refresh` lets this one see what they stored.
    """

    def __init__(self, backing: Backing, tenant: str) -> None:
        self.tenant = tenant
        self._backing = backing
        self.keys = RepositoryKeys(backing.ring, tenant)
        self.documents = SealedDocuments(backing.storage, backing.objects)
        self.derived = DerivedFiles(backing)
        self._reader = Reader(backing)
        self.checks = Checks(self, backing)
        self._commits: dict[str, tuple[int | None, Snapshot | None]] = {}  # size as listed; None is a tombstone

    @classmethod
    def create(
        cls,
        storage: Storage,
        wrapper: KeyWrapper,
        *,
        tenant: str,
        recovery: RecoveryPublicKey | None = None,
        tuning: Tuning | None = None,
    ) -> "Repository":
        """Make a new repository whose data keys are wrapped by `wrapper` and to the customer's `recovery` key.

        Raises AlreadyExists when there is one.
        """
        create_first(storage, wrapper, tenant, recovery)
        tuning = tuning or Tuning()
        objects = SealedObjects(storage, KeyRing.open(storage, wrapper))
        config = {
            "tenant": tenant,
            "repository": secrets.token_bytes(16),
            "part_min": PART_MIN,
            "blob_max": BLOB_MAX,
            "chunk_above": chunking.WHOLE,
            "chunk": list(astuple(chunking.USUAL)),
            "chunk_large_from": chunking.LARGE_FROM,
            "chunk_large": list(astuple(chunking.LARGE)),
            "page_items": PAGE_ITEMS,
            "page_bytes": PAGE_BYTES,
            "pack_size": tuning.pack_size,
            "pack_blobs": tuning.pack_blobs,
            "flags": [],
        }
        objects.put(names.CONFIG, Kind.CONFIG, config)
        return cls.open(storage, wrapper, tenant=tenant, tuning=tuning)

    @classmethod
    def open(
        cls, storage: Storage, opener: KeyOpener, *, tenant: str | None = None, tuning: Tuning | None = None
    ) -> "Repository":
        """Open an existing repository; `tenant`, when given, must be its owner.

        `opener` is the wrapper of its data keys, or the customer's recovery key when there is no vault any more.

        Raises NotFound when there is none, FormatUnsupported, KeyUnavailable, and IntegrityError when it is
        damaged or belongs to another tenant.
        """
        locks = LockingStorage(storage)
        tune_malloc()
        tuning = tuning or Tuning()
        ring, stored = _opened(storage, opener, tuning)
        objects = SealedObjects(locks, ring, ObjectCache(tuning.folder, ring.cache, tuning.cache))
        try:
            config = of_kind(names.CONFIG, Kind.CONFIG, *objects.open(names.CONFIG, stored))
        except UNREADABLE:
            config = objects.get(names.CONFIG, Kind.CONFIG)  # perhaps an older version opens
        owner = _owner(config, tenant)
        index = BlobIndex(locks, objects, IndexCache(tuning.folder, ring.cache), tuning)
        condemned, damage = Condemned(locks, objects, index), DamageLog(locks, objects)
        repository = cls(Backing(locks, locks, ring, objects, index, condemned, damage, tuning), owner)
        repository.refresh()
        return repository

    @classmethod
    def open_or_create(
        cls,
        storage: Storage,
        wrapper: KeyWrapper,
        *,
        tenant: str,
        recovery: RecoveryPublicKey | None = None,
        tuning: Tuning | None = None,
    ) -> "Repository":
        """Open, or create where there is none; safe when several processes do it at once.

        With `recovery`, the customer's recovery key opens every data key when this returns, and no other does.
        """
        repository = cls._opened_or_created(storage, wrapper, tenant, recovery, tuning)
        if recovery is not None:
            repository.keys.require(wrapper, recovery)
        return repository

    @classmethod
    def _opened_or_created(
        cls,
        storage: Storage,
        wrapper: KeyWrapper,
        tenant: str,
        recovery: RecoveryPublicKey | None,
        tuning: Tuning | None,
    ) -> "Repository":
        try:
            return cls.open(storage, wrapper, tenant=tenant, tuning=tuning)
        except NotFound:
            pass
        try:
            return cls.create(storage, wrapper, tenant=tenant, recovery=recovery, tuning=tuning)
        except AlreadyExists:
            return cls.open(storage, wrapper, tenant=tenant, tuning=tuning)

    @property
    def custody(self) -> Custody:
        """What keeps restore points: retention, the tenant's floor, legal holds."""
        return Custody(self._backing)

    def refresh(self) -> None:
        """Take in what others stored, found damaged and condemned: three listings, one read for each new object."""
        backing = self._backing
        calls: list[Callable[[], object]] = [backing.damage.refresh, backing.index.refresh, backing.condemned.refresh]
        side_by_side(calls, backing.tuning.uploaders)
        backing.index.avoid(backing.damage.packs)

    def maintain(
        self,
        now: datetime,
        *,
        grace: timedelta = timedelta(hours=24),
        session_grace: timedelta = timedelta(days=7),
        rewrite_below: float = 0.5,
        rewrite_limit: int = 1 << 30,
    ) -> MaintenanceReport:
        """Remove what has expired and what nothing needs any more, and keep index and packs in shape.

        Call it from time to time, e.g. daily: a call deletes what an earlier one condemned at least `grace` before,
        then condemns anew. Sessions without commit that are older than `session_grace` are given up for dead; packs
        of which less than `rewrite_below` is needed are rewritten, up to `rewrite_limit` bytes of them in one call.
        Backups, restores and other calls of this may run at the same time; a call that dies is gone on with by the
        next. What cannot be read stops the collection and stands in the report. Raises storage errors.
        """
        policy = Policy(grace, session_grace, rewrite_below, rewrite_limit)
        return maintain(self._backing, self._commit, now, policy)

    def open_session(
        self,
        shard: str,
        session: str,
        *,
        parent: str | None,
        adopt: str | None = None,
        keep_until: datetime | None = None,
    ) -> Session:
        """Begin a backup of `shard` on top of snapshot `parent`, or go on where session `adopt` died.

        `keep_until` is when the restore point will expire, as far as is known: where the storage locks objects,
        what the session writes is locked that long at once. Without it that happens at the commit.

        `session` is a fresh ULID. With `adopt` the dead session is fenced first; raises AlreadyCommitted when
        it had committed after all, and SessionFenced when a collector took this one for dead meanwhile. Its checkpoint
        decides parent and state, `parent` only counts without one. A parent that has expired and is being removed
        counts as none.
        """
        names.check_shard(shard)
        names.check_session(session)
        if keep_until is not None:
            self._backing.locks.keep(session, keep_until)
        opened = {"shard": shard, "parent": parent, "adopts": adopt}
        self._backing.objects.put(names.session_open(session), Kind.SESSION_OPEN, opened)
        # After `open` is durable: a collector that overlooks this session has told before what it takes away.
        self.refresh()
        try:
            return Session(self._backing, shard, session, self._inherit(shard, session, parent, adopt))
        except AlreadyCommitted:
            with suppress(ObjectLocked):  # an account that may only add leaves it behind
                self._backing.storage.delete(names.session_open(session))
            raise
        except IntegrityError:
            # A collector that takes this session for dead fences it, and then removes what it was to start from.
            commits.raise_if_fenced(self._backing.objects, shard, session)
            raise

    def _inherit(self, shard: str, session: str, parent: str | None, adopt: str | None) -> Inheritance:
        if adopt is not None:
            dead = names.check_session(adopt)
            return adoption.take_over(self._backing, shard, session, dead, parent)
        return Inheritance(adoption.from_parent(self._backing, shard, parent))

    def newest(self, shard: str) -> Snapshot | None:
        """The restore point of the shard whose session began last; None when there is none. Like `snapshots`."""
        return next(self._listed(shard), None)

    def snapshots(self, shard: str | None = None) -> list[Snapshot]:
        """Restore points, newest first: one listing, one read for each not seen before.

        One whose commit object a damage record names is left out; until then it raises IntegrityError.
        """
        return sorted(self._listed(shard), key=lambda snapshot: (snapshot.taken_at, snapshot.id), reverse=True)

    def _listed(self, shard: str | None) -> Iterator[Snapshot]:
        """Newest session of a shard first."""
        prefix = names.SNAPSHOTS if shard is None else names.snapshot(names.check_shard(shard), "")
        for info in reversed(list(self._backing.storage.list(prefix))):
            owner, session = names.snapshot_parts(info.key)
            if shard in {None, owner} and info.key not in self._backing.damage.named:
                with suppress(NotFound):  # expired and removed since the listing
                    snapshot = self._commit(owner, session, info.size)
                    if snapshot is not None:
                        yield snapshot

    def snapshot(self, shard: str, snapshot: str) -> Snapshot:
        """Raises NotFound, also for a fenced session."""
        found = self._commit(names.check_shard(shard), names.check_session(snapshot))
        if found is None:
            name = names.snapshot(shard, snapshot)
            raise NotFound(f"{name} is a fenced session, not a snapshot", key=name)
        return found

    def items(self, shard: str, snapshot: str, kind: str | None = None) -> Iterator[ItemRow]:
        """Every item of the restore point in order of key: each one is a synthetic full."""
        return manifest.items(self._backing.objects, self.snapshot(shard, snapshot).segments, kind)

    def item(self, shard: str, snapshot: str, key: str) -> ItemRow:
        """One item of the restore point, without going through all of them. Raises UnknownItem."""
        found = manifest.find(self._backing.objects, self.snapshot(shard, snapshot).segments, key)
        if found is None:
            raise UnknownItem(key)
        return found

    def read(self, row: ItemRow) -> bytes:
        """The exact bytes of one item, checked against the manifest. Raises IntegrityError."""
        return self._reader.read(row)

    def read_stream(self, row: ItemRow) -> Iterator[bytes]:
        """The bytes of one item of any length in pieces, in bounded memory.

        Raises IntegrityError; the last piece comes only after all bytes were checked against the manifest.
        """
        return self._reader.stream(row)

    def read_many(self, rows: Iterable[ItemRow]) -> Iterator[tuple[ItemRow, bytes]]:
        """Rows with a body and their bytes, in the order of the packs: the fast way to read many.

        Goes through all rows before it gives the first one. Raises IntegrityError, OSError for a full scratch folder.
        """
        return self._reader.read_many(rows)

    def read_each(self, rows: Iterable[ItemRow]) -> Iterator[tuple[ItemRow, bytes | IntegrityError]]:
        """Like read_many, past whatever is damaged: what cannot be given back whole comes with the error instead."""
        return self._reader.read_each(rows)

    def verify(self, shard: str, snapshot: str, level: Literal[0, 1, 2] = 0) -> VerificationReport:
        """Check a restore point; problems are in the report, an error means the check could not run.

        Level 0: references and listed sizes. 1: trailers of the packs the session wrote. 2: every byte.
        """
        self.refresh()
        found = self.snapshot(shard, snapshot)
        if level == 1:
            # Packs of the session that nothing needs any more may have been collected.
            kept = [pack for pack in found.packs if pack.key not in self._backing.condemned.packs]
            return verify_trailers(self._backing, kept, found.items)
        if level:
            return verify_bytes(self._backing, lambda: self.items(shard, snapshot))
        return verify_references(self._backing, self.items(shard, snapshot), None)

    def content_digest(self, shard: str, snapshot: str) -> str:
        """Hex SHA-256 over all items; equal for two restore points with equal contents."""
        return rows.Tally().all(self.items(shard, snapshot)).content().hex()

    def _commit(self, shard: str, session: str, size: int | None = None) -> Snapshot | None:
        """`size` as a listing has just given it: what was read before counts if it was that long (commits.read)."""
        name = names.snapshot(shard, session)
        known = self._commits.get(name)
        if known is None or size not in {None, known[0]}:
            known = self._commits[name] = size, commits.read(self._backing.objects, shard, session, size)
        return known[1]


def _opened(storage: Storage, opener: KeyOpener, tuning: Tuning) -> tuple[KeyRing, bytes]:
    """The keys, and `config` as it is stored. A format that is too new is told before any key is asked for."""

    def config() -> tuple[Header, bytes]:
        return read_authentic(storage, names.CONFIG, lambda body: (header.decode(body, names.CONFIG), body))

    calls: list[Callable[[], Any]] = [config, lambda: key_records.revisions(storage)]
    (head, stored), revisions = side_by_side(calls, tuning.uploaders)
    try:
        return KeyRing.open(storage, opener, revisions), stored
    except NotFound as error:
        raise KeyUnavailable(f"config names keys/{head.key}, but the repository has no key") from error


def _owner(config: dict[str, Any], expected: str | None) -> str:
    """The tenant `config` names. Raises IntegrityError when it is another one, FormatUnsupported for unknown flags."""
    owner, flags = config.get("tenant"), config.get("flags")
    if not isinstance(flags, list):
        raise IntegrityError("config names no flags", key=names.CONFIG)
    if unknown := sorted({str(flag) for flag in flags} - FLAGS):
        raise FormatUnsupported(f"the repository needs {', '.join(unknown)}: use a newer release of Tenantkeep")
    if not isinstance(owner, str) or expected not in {None, owner}:
        raise IntegrityError(f"this repository belongs to {owner!r}, not to {expected!r}", key=names.CONFIG)
    return owner
