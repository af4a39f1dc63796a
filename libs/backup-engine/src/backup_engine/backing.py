"""What a repository's sessions, readers and checks share."""

from dataclasses import dataclass

from backup_engine.condemned import Condemned
from backup_engine.damage import DamageLog
from backup_engine.index import BlobIndex
from backup_engine.keys import KeyRing
from backup_engine.locks import LockingStorage
from backup_engine.sealed import SealedObjects
from backup_engine.storage.base import Storage
from backup_engine.tuning import Tuning


@dataclass(frozen=True, slots=True)
class Backing:
    storage: Storage  # locks what it puts
    locks: LockingStorage  # the same, to lock what is there already
    ring: KeyRing
    objects: SealedObjects
    index: BlobIndex
    condemned: Condemned
    damage: DamageLog
    tuning: Tuning
