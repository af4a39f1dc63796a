"""Storage ports: where the repository's objects lie."""

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
