"""The backup repository: cut, encrypt, pack, index, snapshot, restore, verify."""

from backup_engine.errors import (
    AlreadyCommitted,
    AlreadyExists,
    FormatUnsupported,
    IntegrityError,
    InvalidName,
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
from backup_engine.keys import KeyWrapper
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
from backup_engine.recovery import RecoveryKey, RecoveryPublicKey, SealedRecoveryKey
from backup_engine.repository import Repository
from backup_engine.rotation import Rewrapped
from backup_engine.session import Session
from backup_engine.tuning import Tuning

__all__ = [
    "AlreadyCommitted",
    "AlreadyExists",
    "Checkpoint",
    "FailedItem",
    "FormatUnsupported",
    "IntegrityError",
    "InvalidName",
    "ItemRow",
    "KeyUnavailable",
    "KeyWrapper",
    "LockUnsupported",
    "NewItem",
    "NotFound",
    "ObjectLocked",
    "PackRef",
    "Problem",
    "RecoveryKey",
    "RecoveryPublicKey",
    "Repository",
    "RepositoryError",
    "Rewrapped",
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
]
