"""A storage target's document and its credentials → the engine's storage, at the tenant's own place."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from backup_engine.storage import (
    AddressStyle,
    LimitedStorage,
    Limits,
    LockMode,
    RetryingStorage,
    S3Storage,
    Storage,
)

if TYPE_CHECKING:
    from backup_engine.storage import SFTPStorage

_SSH_PORT = 22
_REGION = "us-east-1"  # what services without regions call theirs


def storage_of(
    where: Mapping[str, Any], credentials: Mapping[str, str], tenant: str, ca_file: Path | None
) -> "S3Storage | SFTPStorage":
    """Raises StorageDenied for what cannot be right. Every tenant has its own place, whatever the target says."""
    if where.get("kind", "s3") == "sftp":
        return _sftp(where, credentials, tenant)
    lock = where.get("lock")
    return S3Storage(
        urlsplit(str(where["endpoint"])).netloc,
        where["bucket"],
        credentials["access_key"],
        credentials["secret_key"],
        region=where["region"] or _REGION,
        ca_file=ca_file,
        prefix=f"{str(where['prefix']).strip('/')}/{tenant}".lstrip("/"),
        style=AddressStyle(where.get("style", AddressStyle.AUTO)),
        lock=None if lock is None else LockMode(lock),
        proxy=where.get("proxy"),
    )


def wrapped(storage: Storage, where: Mapping[str, Any]) -> Storage:
    """As jobs use it: tried again, and no faster than the target allows, all jobs of this process together."""
    retrying = RetryingStorage(storage)
    limit = where.get("rate_limit")
    return retrying if limit is None else LimitedStorage(retrying, Limits(upload=limit, download=limit))


def _sftp(where: Mapping[str, Any], credentials: Mapping[str, str], tenant: str) -> "SFTPStorage":
    from backup_engine.storage import SFTPLogin, SFTPStorage  # noqa: PLC0415 - 15 MB a worker for S3 has no need of

    address = urlsplit(str(where["endpoint"]))
    login = SFTPLogin(
        host=address.hostname or "",
        port=address.port or _SSH_PORT,
        user=where["user"],
        host_keys=where["host_keys"],
        private_key=credentials.get("private_key"),
        passphrase=credentials.get("passphrase"),
        password=credentials.get("password"),
    )
    return SFTPStorage(login, f"{str(where['prefix']).rstrip('/')}/{tenant}")
