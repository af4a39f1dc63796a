"""Objects in an S3 bucket, over minio-py.

Trust comes from one file, nothing from the environment (no proxy, no CA variable). It does not retry: wrap it
in RetryingStorage. In a bucket that keeps versions nothing of ours is ever overwritten, so the oldest version of
a name is the one that counts; what somebody hides or covers is found again through it.
"""

import base64
import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, TypeVar

from minio.error import S3Error
from minio.helpers import check_bucket_name
from minio.retention import Retention as S3Retention

from backup_engine.errors import NotFound, ObjectLocked, StorageDenied
from backup_engine.storage.base import (
    LockMode,
    ObjectInfo,
    Retention,
    check_aware,
    check_key,
    check_range,
    lock_unsupported,
)
from backup_engine.storage.s3_http import CHECKSUM, MD5, MISSING, Client, mapped, pool, trust

T = TypeVar("T")

_CLOCKS_APART = timedelta(days=1)  # a lock that ended this recently may still be on by the store's clock
_NOTHING_SET = {"NoSuchObjectLockConfiguration", "ObjectLockConfigurationNotFoundError", "NoSuchObjectLegalHold"}
_UNVERSIONED = {None, ""}  # "null" is of an object older than the versions of its bucket


class AddressStyle(StrEnum):
    """Where the bucket's name stands: in the path, in the host name, or as the endpoint is known to want it."""

    AUTO = "auto"
    PATH = "path"
    VIRTUAL_HOST = "virtual-host"


class Secret(Protocol):
    """What pydantic's SecretStr offers; a plain str is accepted as well."""

    def get_secret_value(self) -> str: ...


def _utc_now() -> datetime:
    return datetime.now(UTC)


class S3Storage:
    """One bucket, optionally one prefix of it; `close` releases the connections.

    `endpoint` is host:port; `ca_file` is a PEM bundle, None means the system's own store; `proxy` is the address of
    an HTTP proxy; `lock` says that the bucket was created with object lock and how objects are to be locked.
    Raises StorageDenied for an address, bucket name or CA file that cannot be right.
    """

    def __init__(
        self,
        endpoint: str,
        bucket: str,
        access_key: str,
        secret_key: str | Secret,
        *,
        region: str = "us-east-1",
        ca_file: Path | str | None = None,
        prefix: str = "",
        style: AddressStyle = AddressStyle.AUTO,
        secure: bool = True,
        proxy: str | None = None,
        connections: int = 16,
        lock: LockMode | None = None,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._bucket = bucket
        self._mode = lock
        self._clock = clock
        self._versioned: bool | None = True if lock is not None else None  # learned from the store's answers
        self._http = pool(trust(ca_file), proxy, connections)
        try:
            self._prefix = check_key(prefix.strip("/")) + "/" if prefix else ""
            check_bucket_name(bucket, strict=True)
            self._client = Client(
                endpoint,
                access_key=access_key,
                secret_key=secret_key if isinstance(secret_key, str) else secret_key.get_secret_value(),
                secure=secure,
                region=region,  # without it minio-py asks the server first
                http_client=self._http,
            )
        except ValueError as error:
            raise StorageDenied(f"not a usable S3 target: {error}") from error
        if style is AddressStyle.PATH:
            self._client.disable_virtual_style_endpoint()  # type: ignore[no-untyped-call]  # minio-py's own gap
        elif style is AddressStyle.VIRTUAL_HOST:
            self._client.enable_virtual_style_endpoint()  # type: ignore[no-untyped-call]  # minio-py's own gap

    @property
    def lock(self) -> LockMode | None:
        return self._mode

    def put(self, key: str, body: bytes, *, retain_until: datetime | None = None) -> None:
        headers: dict[str, str | list[str] | tuple[str]] = {
            "If-None-Match": "*",
            "Content-Type": "application/octet-stream",
            CHECKSUM: base64.b64encode(hashlib.sha256(body).digest()).decode(),  # compared before it is stored
        }
        if retain_until is not None:
            # The oldest rule for puts with a lock, which not every store has relaxed for the checksum above.
            headers[MD5] = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
            headers["x-amz-object-lock-mode"] = self._require_lock(key).value
            headers["x-amz-object-lock-retain-until-date"] = f"{_whole_seconds(retain_until):%Y-%m-%dT%H:%M:%SZ}"
        with mapped(key):
            # minio-py's public put_object knows no If-None-Match; pinned to 7.2.x, guarded by the storage suite.
            stored = self._client._put_object(self._bucket, self._name(key), body, headers)  # noqa: SLF001 - above
        self._learn(stored.version_id)

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        check_range(offset, length)
        try:
            return self._read(key, offset, length)
        except NotFound:
            if not self._keeps_versions(key):
                raise
            return self._read(key, offset, length, self._oldest(key))

    def versions(self, key: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        check_range(offset, length)
        if not self._versioned:
            return
        for version in self._versions(key):
            with suppress(NotFound):
                yield self._read(key, offset, length, version)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        found: dict[str, int] = {}
        hidden: set[str] = set()
        with mapped(prefix):
            for entry in self._entries(self._prefix + prefix):
                if not entry.is_delete_marker:
                    found[entry.object_name] = entry.size  # versions come newest first: the oldest one stays
                elif entry.is_latest == "true":
                    hidden.add(entry.object_name)
        strip = len(self._prefix)
        return (ObjectInfo(name[strip:], found[name], name in hidden) for name in sorted(found))

    def delete(self, key: str) -> None:
        # Without naming versions a versioned bucket would only hide the object and keep it for ever.
        versions = self._versions(key, markers=True) if self._versioned else (None,)
        for version in versions:
            try:
                with mapped(key):
                    self._client.remove_object(self._bucket, self._name(key), version_id=version)
            except StorageDenied as error:
                raise self._locked(key, version) or error from error

    def extend(self, key: str, retain_until: datetime) -> None:
        mode = self._require_lock(key)
        until = _whole_seconds(retain_until)
        version = self._oldest(key)
        current = self._until(key, version)
        if current is None or current < until:
            config = S3Retention(mode.value, until)
            with mapped(key):
                self._client.set_object_retention(self._bucket, self._name(key), config, version_id=version)

    def hold(self, key: str, *, on: bool) -> None:
        self._require_lock(key)
        change = self._client.enable_object_legal_hold if on else self._client.disable_object_legal_hold
        version = self._oldest(key)
        with mapped(key):
            change(self._bucket, self._name(key), version_id=version)

    def retention(self, key: str) -> Retention:
        if self._mode is None:
            self._read(key, 0, 0)
            return Retention()
        return self._retention(key, self._oldest(key))

    def shorten(self, key: str, retain_until: datetime) -> None:
        """Ask the store to end a retention sooner, as whoever may bypass governance mode can; no part of the port.

        Raises ObjectLocked when it refuses; without an error the object is unprotected.
        """
        mode = self._require_lock(key)
        config, version = S3Retention(mode.value, _whole_seconds(retain_until)), self._oldest(key)
        ways = [self._client.set_object_retention]
        if mode is LockMode.GOVERNANCE:
            ways.append(self._client.bypass_object_retention)
        refused: StorageDenied | None = None
        for way in ways:
            try:
                with mapped(key):
                    way(self._bucket, self._name(key), config, version_id=version)
            except StorageDenied as error:
                refused = error
            else:
                return
        raise ObjectLocked(f"{key}: {refused}", key=key) from refused

    def unhide(self, key: str) -> None:
        name = self._name(key)
        with mapped(key):
            markers = [
                one.version_id for one in self._entries(name) if one.object_name == name and one.is_delete_marker
            ]
            for version in markers:
                self._client.remove_object(self._bucket, name, version_id=version)

    def clock(self) -> datetime:
        name = "probe/clock"
        with mapped(name):
            try:
                headers = self._client.stat_object(self._bucket, self._name(name)).metadata or {}
            except S3Error as error:
                if error.code not in MISSING:
                    raise
                headers = error.response.headers
        return parsedate_to_datetime(headers["date"])  # every answer carries it (RFC 9110), whatever is there

    def close(self) -> None:
        self._http.clear()

    def _name(self, key: str) -> str:
        return self._prefix + check_key(key)

    def _require_lock(self, key: str) -> LockMode:
        if self._mode is None:
            raise lock_unsupported(key)
        return self._mode

    def _learn(self, version: str | None) -> None:
        self._versioned = bool(self._versioned) or version not in _UNVERSIONED

    def _keeps_versions(self, key: str) -> bool:
        """As long as no answer has told: ask for those of the object that was not found."""
        if self._versioned is None:
            with suppress(StorageDenied), mapped(key):  # who may not see older versions cannot read them either
                found = self._client.list_objects(self._bucket, self._name(key), include_version=True)
                if any(entry.object_name == self._name(key) for entry in found):
                    self._versioned = True
        return bool(self._versioned)

    def _entries(self, prefix: str) -> Iterator[Any]:
        """As long as no answer has told whether there are versions, asked for with them if the store allows it."""
        if self._versioned is None:
            with suppress(StorageDenied), mapped(prefix):
                return iter(list(self._asked(prefix, versions=True)))
        return self._asked(prefix, versions=bool(self._versioned))

    def _asked(self, prefix: str, *, versions: bool) -> Iterator[Any]:
        found = self._client.list_objects(self._bucket, prefix, recursive=True, include_version=versions)
        return (entry for entry in found if not entry.is_dir)

    def _versions(self, key: str, *, markers: bool = False) -> Sequence[str | None]:
        """Ids of all versions of the object, oldest first; with `markers` those of its delete markers, too."""
        name = self._name(key)
        with mapped(key):
            found = [
                (entry.last_modified, -number, entry.version_id)
                for number, entry in enumerate(self._entries(name))
                if entry.object_name == name and (markers or not entry.is_delete_marker)
            ]
        return [version for *_, version in sorted(found)]

    def _oldest(self, key: str) -> str | None:
        found = self._versions(key)
        if not found:
            raise NotFound(f"{key} does not exist", key=key)
        return found[0]

    def _read(self, key: str, offset: int, length: int | None, version: str | None = None) -> bytes:
        name = self._name(key)
        with mapped(key):
            if length == 0:
                self._client.stat_object(self._bucket, name, version_id=version)
                return b""
            try:
                response = self._client.get_object(
                    self._bucket, name, offset=offset, length=length or 0, version_id=version
                )
            except S3Error as error:
                if error.code != "InvalidRange":  # the range begins behind the object's end
                    raise
                return b""
            try:
                body: bytes = response.read()
            finally:
                response.close()
                response.release_conn()
        self._learn(response.headers.get("x-amz-version-id"))
        return body

    def _retention(self, key: str, version: str | None) -> Retention:
        until, name = self._until(key, version), self._name(key)
        with mapped(key):
            held = _if_set(lambda: self._client.is_object_legal_hold_enabled(self._bucket, name, version_id=version))
        return Retention(until, held=bool(held))

    def _until(self, key: str, version: str | None) -> datetime | None:
        name = self._name(key)
        with mapped(key):
            found = _if_set(lambda: self._client.get_object_retention(self._bucket, name, version_id=version))
        return None if found is None else _aware(found.retain_until_date)

    def _locked(self, key: str, version: str | None) -> ObjectLocked | None:
        """S3 refuses the deletion of a locked object with the same code as a missing permission."""
        if self._mode is None:
            return None
        found = self._retention(key, version)
        if not found.held and (found.until is None or found.until < self._clock() - _CLOCKS_APART):
            return None
        return ObjectLocked(f"{key} is locked until {found.until}, legal hold: {found.held}", key=key)


def _if_set(read: Callable[[], T]) -> T | None:
    """None for an object that never had a retention or a hold; stores say that in different words."""
    try:
        return read()
    except S3Error as error:
        if error.code in _NOTHING_SET:
            return None
        raise


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _whole_seconds(moment: datetime) -> datetime:
    """In UTC; rounded up, because S3 keeps no fractions."""
    exact = check_aware(moment).astimezone(UTC)
    whole = exact.replace(microsecond=0)
    return whole if whole == exact else whole + timedelta(seconds=1)
