"""One backup of one shard, from open to commit."""

import hashlib
import secrets
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from typing import Any, Self

from backup_engine import adoption, closure, commits, floor, leftovers, manifest, names, recheck
from backup_engine.adoption import Inheritance
from backup_engine.backing import Backing
from backup_engine.errors import IntegrityError, RepositoryError, UnknownItem
from backup_engine.floor import Floor
from backup_engine.header import Kind
from backup_engine.intake import Intake, Stored
from backup_engine.model import (
    Checkpoint,
    FailedItem,
    ItemRow,
    Meta,
    NewItem,
    PackRef,
    Skipped,
    Snapshot,
    StoredItem,
    VerificationReport,
)
from backup_engine.pack import PackEntry
from backup_engine.packer import Packer
from backup_engine.pages import Pages
from backup_engine.retention import Retained
from backup_engine.rows import Tally
from backup_engine.state import State
from backup_engine.verification import References, references, verify_committed


class Session:
    """Made by Repository.open_session.

    put_item and its kin, update_meta, remove, known and keys may be called from several threads; checkpoint,
    commit and abort by one thread at a time. A storage error in put_item, checkpoint or commit ends the
    session: abort it and let another one adopt it.
    """

    def __init__(self, backing: Backing, shard: str, session: str, inheritance: Inheritance) -> None:
        self.shard = shard
        self.id = session
        self.verification: VerificationReport | None = None  # of the commit
        self._backing = backing
        self._progress = inheritance.progress
        self._dead = inheritance.dead
        self._state = State.load(
            backing.objects,
            inheritance.progress.segments,
            memory=backing.tuning.state_memory,
            folder=backing.tuning.folder,
        )
        self._packer = Packer(session, backing.storage, backing.ring, backing.index, backing.tuning)
        self._intake = Intake(self._packer, backing.ring, backing.tuning.compressors)
        self._pages = Pages(self._packer, backing.ring.blob_id)
        self._lock = threading.RLock()
        self._items = 0
        self._bytes = 0
        self._changed = 0
        self._removed = 0
        self._seq = {"index": 0, "run": 0, "checkpoint": 0}
        self._over = False
        self._committed: Snapshot | None = None
        self._references: References | None = None  # of the commit
        self._new_packs: list[PackRef] = list(inheritance.indexed)
        if inheritance.orphans:
            self._publish(list(inheritance.orphans))

    @property
    def cursor(self) -> bytes | None:
        """Where to go on: at the adopted checkpoint, else at the parent snapshot; None when there is neither."""
        return self._progress.cursor

    @property
    def packs(self) -> tuple[PackRef, ...]:
        """Packs that checkpoints cover, of this session and of those it took over."""
        return self._progress.packs

    @property
    def parent(self) -> str | None:
        return self._progress.parent

    @property
    def unsaved(self) -> bool:
        """Whether there is anything no checkpoint covers: a run that found nothing new needs none."""
        with self._lock:
            return bool(self._state.changed or self._items or self._new_packs)

    def has_room(self, size: int) -> bool:
        """Whether items of so many bytes can be put now, by one thread, without waiting for others or for storage."""
        return self._packer.has_room(size)

    def put_item(self, item: NewItem, body: bytes) -> StoredItem:
        """Store an item with its bytes; replaces the item of the same key."""
        return self._stored(item, self._intake.mail(body))

    def put_stream(self, item: NewItem, pieces: Iterable[bytes]) -> StoredItem:
        """Store an item of any length from the pieces its bytes arrive in; cut by content, bounded memory."""
        return self._stored(item, self._intake.stream(pieces))

    def put_page_item(self, item: NewItem, body: bytes) -> StoredItem:
        """Store a small item, such as an event's JSON, together with its neighbours. All its bytes count as new."""
        with self._lock:
            self._settle_page(item.key)
            self._require_usable()
            if self._pages.add(item, body):
                self._settle_page()
            self._items += 1
            self._bytes += len(body)
        self._pages.submit()  # outside the lock: nobody who looks something up waits for storage
        return StoredItem(item.key, len(body), hashlib.sha256(body).hexdigest(), len(body))

    def put_record(self, key: str, kind: str, version: str, parent: str, meta: Meta) -> None:
        """Store an item that has no body, e.g. a mail folder."""
        with self._lock:
            self._put(ItemRow(key, kind, version, parent, meta, 0, None))

    def update_meta(self, key: str, version: str, parent: str, meta: Meta) -> None:
        """Change what is known about an item and keep its body. Raises UnknownItem."""
        with self._lock:
            row = self.known(key)
            if row is None:
                raise UnknownItem(key)
            self._put(row._replace(version=version, parent=parent, meta=meta))

    def remove(self, key: str) -> bool:
        """The item is gone from the source; False when this state did not hold it."""
        with self._lock:
            self._require_usable()
            self._settle_page(key)
            if key not in self._state:
                return False
            self._state.remove(key)
            self._removed += 1
            return True

    def known(self, key: str) -> ItemRow | None:
        """The item as of now: the parent snapshot and this session's changes. A look-up on this machine."""
        with self._lock:
            self._settle_page(key)
            return self._state.get(key)

    def __contains__(self, key: str) -> bool:
        """Whether `known` would give a row."""
        with self._lock:
            return key in self._pages or key in self._state

    def keys(self, kind: str | None = None, parent: str | None = None) -> Iterator[ItemRow]:
        """The rows of the current state in order of key, optionally of one kind or below one parent."""
        with self._lock:
            self._settle_page()
            rows = self._state.rows(kind)
        return (row for row in rows if parent in {None, row.parent})

    def bodies(self) -> Counter[str]:
        """How many items of the current state have a body, by kind; several times as fast as going through the rows."""
        with self._lock:
            self._settle_page()
            return self._state.bodies()

    def unreadable(self) -> list[ItemRow]:
        """Items of the current state whose bytes the repository has lost: put them again while the source has them.

        Empty, without a look, while no damage is known.
        """
        backing = self._backing
        if not backing.damage.named and not backing.index.damaged:
            return []
        return [row for row in self.keys() if any(part.id not in backing.index for part in row.recipe)]

    def checkpoint(self, cursor: bytes) -> Checkpoint:
        """Make everything put so far durable, together with the cursor that covers it.

        Order: packs, index delta, manifest segment, checkpoint; each durable before the next. Items put by
        other threads meanwhile belong to this checkpoint or to the next.
        """
        self._require_usable()
        try:
            return self._checkpoint(cursor)
        except BaseException:
            self._over = True  # some steps may have happened: only an adopter can tell
            raise

    def commit(
        self,
        cursor: bytes,
        *,
        listed: int,
        skipped: list[Skipped],
        failed: list[FailedItem],
        expires_at: datetime,
        taken_at: datetime,
        label: str = "",
        retention_class: str = "",
        verify: bool = True,
    ) -> Snapshot:
        """Make the restore point. Raises SessionFenced, and IntegrityError when V0 finds a problem.

        `label` is what people call the shard. Where the storage locks objects, everything it needs is locked before
        it exists: StorageDenied when that is refused. It expires at `expires_at`, or later where the tenant's
        retention floor says so (`policies/`). `verify` checks, before the commit, that every row's blobs are in the
        index and that storage lists the packs of this session with their sizes.
        """
        with self._lock:
            self._require_usable()
            self._over = True  # no item may slip in behind the last checkpoint
        if self.unsaved:
            self._checkpoint(cursor)
        intent = {"shard": self.shard, "segments": list(self._progress.segments)}
        self._backing.objects.put(names.intent(self.id), Kind.INTENT, intent)
        tally = Tally()
        try:
            least = self._rechecked(tally, {item.key for item in failed} if verify else None)
        except IntegrityError:
            # Whose session was given up for dead, its packs may be gone, and nothing is damaged.
            commits.raise_if_fenced(self._backing.objects, self.shard, self.id)
            raise
        kept = floor.lift(least, taken_at, Retained(retention_class, expires_at))
        snapshot = Snapshot(
            id=self.id,
            shard=self.shard,
            taken_at=taken_at,
            expires_at=kept.expires_at,
            complete=not failed,
            listed=listed,
            failed=tuple(failed),
            skipped=tuple(skipped),
            cursor=cursor,
            label=label,
            retention_class=kept.name,
            **self._summary(tally),
        )
        snapshot = replace(snapshot, locked_until=closure.secure(self._backing, snapshot, self._state.rows()))
        commits.commit(self._backing.objects, snapshot)
        self._committed = snapshot
        self._packer.close()
        leftovers.remove(self._backing, self.id, self._seq["checkpoint"], self._dead)
        return snapshot

    def verify(self) -> tuple[VerificationReport, VerificationReport]:
        """V0 and V1 of the restore point this session has committed, as Repository.verify gives them for any.

        Quicker than that right after the commit: what its own V0 looked up is not looked up again, unless the index
        has lost something since.
        """
        snapshot, found = self._committed, self._references
        if snapshot is None:
            raise RepositoryError(f"session {self.id} has not committed")
        if found is None:
            found = references(self._backing, self._state.rows())
        return verify_committed(self._backing, snapshot, found, self._state.rows)

    def abort(self) -> None:
        """Drop what is in memory and wait for running uploads; the last checkpoint stays for an adopter."""
        self._over = True
        self._packer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()

    def _checkpoint(self, cursor: bytes) -> Checkpoint:
        with self._lock:
            self._settle_page()
            changes = self._state.take_changes()
            counts = (self._items, self._bytes)
            changed, removed = self._changed, self._removed
            self._items = self._bytes = self._changed = self._removed = 0
        self._pages.submit()
        packs = self._packer.flush()
        if packs:
            self._publish(packs)
            self._packer.forget(packs)
        self._write_runs(changes)
        new_packs = self._count_new_packs()
        self._progress = replace(
            self._progress,
            segments=self._state.segments,
            cursor=cursor,
            changed=self._progress.changed + changed,
            removed=self._progress.removed + removed,
        )
        n = self._next("checkpoint")
        payload = adoption.encode_checkpoint(self.shard, self._progress)
        self._backing.objects.put(names.checkpoint(self.id, n), Kind.CHECKPOINT, payload)
        return Checkpoint(n, new_packs, *counts)

    def _count_new_packs(self) -> tuple[PackRef, ...]:
        new, self._new_packs = tuple(self._new_packs), []
        self._progress = replace(
            self._progress,
            stored_bytes=self._progress.stored_bytes + sum(pack.size for pack in new),
            packs=self._progress.packs + new,
        )
        return new

    def _stored(self, item: NewItem, stored: Stored) -> StoredItem:
        # The row follows its blobs: a checkpoint that takes the row finds the blobs submitted.
        with self._lock:
            self._put(stored.row(item))
            self._items += 1
            self._bytes += stored.size
        return stored.answer(item)

    def _settle_page(self, key: str | None = None) -> None:
        """Close the open page, or only if `key` waits in it: its rows are part of the state then."""
        if key is None or key in self._pages:
            for row in self._pages.close():
                self._state.put(row)
                self._changed += 1

    def _put(self, row: ItemRow) -> None:
        self._settle_page(row.key)
        self._require_usable()
        self._state.put(row)
        self._changed += 1

    def _require_usable(self) -> None:
        if self._over:
            raise RepositoryError(f"session {self.id} is over: open another one that adopts it")

    def _next(self, kind: str) -> int:
        n = self._seq[kind]
        self._seq[kind] = n + 1
        return n

    def _publish(self, packs: list[PackEntry]) -> None:
        self._backing.index.publish(names.index_delta(self.id, self._next("index")), packs)
        self._new_packs += [PackRef(pack.name, pack.size, names.pack_sha256(pack.name)) for pack in packs]

    def _write_runs(self, changes: list[tuple[str, manifest.Change]]) -> None:
        """Write the changes; merge the newest runs when there are many."""
        if changes:
            segments = self._write_run(changes)
            with self._lock:
                self._state.written(segments)
        if count := self._state.mergeable(self._backing.tuning.merge_above):
            segments = self._write_run(self._state.newest(count))
            with self._lock:
                self._state.replace_newest(count, segments)

    def _write_run(self, changes: manifest.Changes) -> tuple[str, ...]:
        return manifest.write_run(self._backing.objects, self.shard, self.id, self._next("run"), changes)

    def _summary(self, tally: Tally) -> dict[str, Any]:
        """What a snapshot says of the session and those it took over."""
        progress = self._progress
        return {
            "parent": progress.parent,
            "items": tally.items,
            "bytes": tally.bytes,
            "changed": progress.changed,
            "removed": progress.removed,
            "stored_bytes": progress.stored_bytes,
            "packs": progress.packs,
            "segments": progress.segments,
            "nonce": secrets.token_bytes(16),
            "engine": version("tenantkeep-backup-engine"),
            "content": tally.content(),
        }

    def _rechecked(self, tally: Tally, failed: set[str] | None) -> Floor | None:
        """With the intent durable, see that all the snapshot will name stands; the retention floor in force.

        Rely on nothing a collector is about to delete (see recheck). Then V0, unless `failed` is None: over all items
        but these, which the snapshot lists, because their older version may be lost, too.
        """
        backing = self._backing
        storage = recheck.ask(backing, self.shard, self._progress.segments, self._progress.packs)
        if copies := recheck.own_copies(backing, self._state.rows(), self._packer):
            self._publish(copies)
            self._count_new_packs()
            storage = replace(storage, packs=recheck.sizes(backing, self._progress.packs))
        # Who believed this session or one it took over dead may have collected packs; their blobs lie elsewhere by now.
        self._progress = replace(self._progress, packs=recheck.standing(backing, self._progress.packs))
        rows = tally.through(self._state.rows())
        if failed is None:
            for _ in rows:
                pass
        else:
            self._references = references(backing, rows)
            self.verification = recheck.verified(backing, self._references, storage, self._progress.packs, failed)
        return storage.floor
