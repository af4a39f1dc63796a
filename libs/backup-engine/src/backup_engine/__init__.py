"""The backup repository: cut, encrypt, pack, index, snapshot, restore, verify."""

from backup_engine.copying import Copied, CopyReport, copy_repository
from backup_engine.damage import AffectedItems, DamageRecord
from backup_engine.derived import DerivedFile
from backup_engine.drill import Drilled, DrillReport
from backup_engine.errors import (
    AlreadyCommitted,
    AlreadyExists,
    FormatUnsupported,
    IntegrityError,
    InvalidName,
    KeyMissing,
    KeyUnavailable,
    LockUnsupported,
    NotFound,
    ObjectLocked,
    RepositoryError,
    SessionFenced,
    StorageDenied,
    StorageError,
    StorageFull,
    StorageUnreachable,
    UnknownItem,
)
from backup_engine.full_check import RollingReport
from backup_engine.keys import KeyWrapper
from backup_engine.maintenance import MaintenanceReport, Waste
from backup_engine.model import (
    Checkpoint,
    FailedItem,
    ItemRow,
    NewItem,
    PackRef,
    Problem,
    Skipped,
    Snapshot,
    SnapshotInfo,
    StoredItem,
    VerificationReport,
)
from backup_engine.receipts import ChainReport, Receipt
from backup_engine.recovery import RecoveryKey, RecoveryPublicKey, SealedRecoveryKey
from backup_engine.repair import Repaired
from backup_engine.repository import Repository
from backup_engine.rolling import Reading
from backup_engine.rotation import Rewrapped
from backup_engine.session import Session
from backup_engine.tuning import Tuning

__all__ = [
    "AffectedItems",
    "AlreadyCommitted",
    "AlreadyExists",
    "ChainReport",
    "Checkpoint",
    "Copied",
    "CopyReport",
    "DamageRecord",
    "DerivedFile",
    "DrillReport",
    "Drilled",
    "FailedItem",
    "FormatUnsupported",
    "IntegrityError",
    "InvalidName",
    "ItemRow",
    "KeyMissing",
    "KeyUnavailable",
    "KeyWrapper",
    "LockUnsupported",
    "MaintenanceReport",
    "NewItem",
    "NotFound",
    "ObjectLocked",
    "PackRef",
    "Problem",
    "Reading",
    "Receipt",
    "RecoveryKey",
    "RecoveryPublicKey",
    "Repaired",
    "Repository",
    "RepositoryError",
    "Rewrapped",
    "RollingReport",
    "SealedRecoveryKey",
    "Session",
    "SessionFenced",
    "Skipped",
    "Snapshot",
    "SnapshotInfo",
    "StorageDenied",
    "StorageError",
    "StorageFull",
    "StorageUnreachable",
    "StoredItem",
    "Tuning",
    "UnknownItem",
    "VerificationReport",
    "Waste",
    "copy_repository",
]
