"""Damage records: what was found damaged, so that everybody steps around it (format, section 14)."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from backup_engine import names
from backup_engine.errors import AlreadyExists, IntegrityError
from backup_engine.header import Kind
from backup_engine.sealed import SealedObjects
from backup_engine.storage.base import Storage


@dataclass(frozen=True, slots=True)
class AffectedItems:
    """Items of one restore point that cannot be read as it stands; keys is None when none of its items can."""

    shard: str
    snapshot: str
    keys: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class DamageRecord:
    """`objects` are damaged or missing from now on; `sound` were named before and are whole again."""

    n: int
    at: datetime
    objects: Mapping[str, str]  # name: kind of problem
    sound: tuple[str, ...]
    affected: tuple[AffectedItems, ...]  # as of then; what a later backup stored again is readable since


class DamageLog:
    """All damage records of one repository, folded; thread-safe. Damage that no record names is an error to meet."""

    def __init__(self, storage: Storage, objects: SealedObjects) -> None:
        self._storage = storage
        self._objects = objects
        self._lock = threading.RLock()
        self._records: dict[int, DamageRecord | None] = {}
        self._named: dict[str, str] = {}

    @property
    def named(self) -> Mapping[str, str]:
        """Names of objects to step around, with the kind of problem."""
        return self._named

    @property
    def packs(self) -> frozenset[str]:
        return frozenset(name for name in self._named if name.startswith(names.DATA))

    def refresh(self) -> None:
        """Take in records that appeared: one listing, one read each. A damaged record names itself."""
        with self._lock:
            for info in self._storage.list(names.DAMAGE):
                n = names.damage_number(info.key)
                if n not in self._records:
                    self._take(n)

    def records(self) -> list[DamageRecord]:
        """Oldest first; those that can be read."""
        return [record for _, record in sorted(self._records.items()) if record is not None]

    def write(
        self,
        objects: Mapping[str, str],
        *,
        at: datetime,
        sound: Iterable[str] = (),
        affected: Sequence[AffectedItems] = (),
    ) -> DamageRecord:
        """Name damage from now on, under the next free number."""
        payload = {
            "at": at.astimezone(UTC).isoformat(),
            "objects": sorted([name, kind] for name, kind in objects.items()),
            "sound": sorted(sound),
            "affected": [[one.shard, one.snapshot, None if one.keys is None else list(one.keys)] for one in affected],
        }
        with self._lock:
            while True:
                self.refresh()
                n = max(self._records, default=-1) + 1
                try:
                    self._objects.put(names.damage(n), Kind.DAMAGE, {"n": n, **payload})
                except AlreadyExists:
                    continue
                record = _decoded({"n": n, **payload}, names.damage(n))
                self._fold(n, record)
                return record

    def _take(self, n: int) -> None:
        name = names.damage(n)
        try:
            self._fold(n, _decoded(self._objects.require(name, Kind.DAMAGE), name))
        except IntegrityError:
            self._records[n] = None
            self._named = {**self._named, name: "damaged_object"}

    def _fold(self, n: int, record: DamageRecord) -> None:
        self._records[n] = record
        named = {**self._named, **record.objects}
        self._named = {name: kind for name, kind in named.items() if name not in set(record.sound)}


def _decoded(payload: Mapping[str, Any], name: str) -> DamageRecord:
    try:
        return DamageRecord(
            n=payload["n"],
            at=datetime.fromisoformat(payload["at"]),
            objects=dict(payload["objects"]),
            sound=tuple(payload["sound"]),
            affected=tuple(
                AffectedItems(shard, snapshot, None if keys is None else tuple(keys))
                for shard, snapshot, keys in payload["affected"]
            ),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"{name} is no damage record", key=name) from error
