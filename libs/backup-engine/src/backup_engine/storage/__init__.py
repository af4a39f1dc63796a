"""Storage ports: where the repository's objects lie.

SFTP is imported by who first asks for it: asyncssh takes 15 MB and two fifths of the engine's start.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from backup_engine.storage.authentic import read_authentic
from backup_engine.storage.base import LockMode, ObjectInfo, Retention, Storage
from backup_engine.storage.limited import LimitedStorage, Limits
from backup_engine.storage.local import LocalStorage
from backup_engine.storage.measured import MeasuredStorage, Meter
from backup_engine.storage.memory import MemoryStorage
from backup_engine.storage.prefixed import PrefixedStorage
from backup_engine.storage.probing import Finding, ProbeReport, ProbeStep, probe
from backup_engine.storage.retrying import RetryingStorage, RetryPolicy
from backup_engine.storage.s3 import AddressStyle, S3Storage

if TYPE_CHECKING:
    from backup_engine.storage.sftp import SFTPStorage
    from backup_engine.storage.sftp_connection import SFTPLogin

__all__ = [
    "AddressStyle",
    "Finding",
    "LimitedStorage",
    "Limits",
    "LocalStorage",
    "LockMode",
    "MeasuredStorage",
    "MemoryStorage",
    "Meter",
    "ObjectInfo",
    "PrefixedStorage",
    "ProbeReport",
    "ProbeStep",
    "Retention",
    "RetryPolicy",
    "RetryingStorage",
    "S3Storage",
    "SFTPLogin",
    "SFTPStorage",
    "Storage",
    "probe",
    "read_authentic",
]

_LATER = {"SFTPLogin": "backup_engine.storage.sftp_connection", "SFTPStorage": "backup_engine.storage.sftp"}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(_LATER[name]), name)
