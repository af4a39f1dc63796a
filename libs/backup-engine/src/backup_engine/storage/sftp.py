"""Objects as files on an SFTP server, over asyncssh.

A file is written aside, synced (fsync@openssh.com) and renamed: rename of SFTP version 3 refuses an existing target,
which makes it an atomic put-if-absent. The account may be append-only; then `delete` raises ObjectLocked.
It does not retry: wrap it in RetryingStorage.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import asyncssh

from backup_engine.errors import (
    AlreadyExists,
    NotFound,
    NotPrepared,
    ObjectLocked,
    StorageDenied,
    StorageError,
    StorageFull,
    StorageUnreachable,
)
from backup_engine.storage.base import ObjectInfo, Retention, Unlockable, check_range, lock_unsupported
from backup_engine.storage.sftp_connection import SFTPConnection, SFTPLogin
from backup_engine.storage.sftp_layout import INCOMING, MARKER, all_folders, folders_of, key_of, path_of

T = TypeVar("T")
Operation = Callable[[asyncssh.SFTPClient], Awaitable[T]]

_NEW = asyncssh.FXF_WRITE | asyncssh.FXF_CREAT | asyncssh.FXF_EXCL
_PRIVATE = asyncssh.SFTPAttrs(permissions=0o700)
_FOLDERS_AT_ONCE = 16
_HEADROOM = 1 << 20  # bytes; a file system with less than this and the object left is full
_REFUSED = (asyncssh.SFTPPermissionDenied, asyncssh.SFTPOpUnsupported, asyncssh.SFTPWriteProtect)
_NO_ROOM = (asyncssh.SFTPNoSpaceOnFilesystem, asyncssh.SFTPQuotaExceeded)
_MISSING = (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath)


class SFTPStorage(Unlockable):
    """One folder of one server; `close` ends the connection.

    Before its first use somebody has to `prepare` it: that makes the fixed set of folders. Until then every
    operation raises NotPrepared.
    """

    def __init__(self, login: SFTPLogin, folder: str) -> None:
        self._folder = folder.rstrip("/") or "/"
        self._connection = SFTPConnection(login)
        self._prepared = False
        self._started: datetime | None = None  # the server's time when this machine's monotonic clock was 0

    def prepare(self) -> None:
        """Make the folders, if they are not there; needs an account that may. Raises NotPrepared."""
        self._run("", self._prepare)
        self._prepared = True

    def put(self, key: str, body: bytes, *, retain_until: datetime | None = None) -> None:
        if retain_until is not None:
            raise lock_unsupported(key)
        target = self._path(path_of(key))

        async def write(client: asyncssh.SFTPClient) -> None:
            aside = self._path(f"{INCOMING}/{secrets.token_hex(16)}")
            try:
                await self._write_synced(client, aside, body)
                await self._publish(client, aside, target, key)
            except (asyncssh.SFTPError, StorageError):
                await _removed(client, aside)
                raise

        self._checked(key, write)

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        check_range(offset, length)
        path = self._path(path_of(key))

        async def read(client: asyncssh.SFTPClient) -> bytes:
            async with client.open(path, "rb", block_size=-1) as file:
                wanted = length if length is not None else max(0, ((await file.stat()).size or 0) - offset)
                body = await file.read(wanted, offset) if wanted else b""
                assert isinstance(body, bytes)  # opened as binary
                return body

        return self._checked(key, read)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        async def read(client: asyncssh.SFTPClient) -> Sequence[ObjectInfo]:
            slots = asyncio.Semaphore(_FOLDERS_AT_ONCE)
            found = await asyncio.gather(*(self._files(client, slots, name) for name in folders_of(prefix)))
            return [info for folder in found for info in folder if info.key.startswith(prefix)]

        return iter(sorted(self._checked(prefix, read), key=lambda info: info.key))

    def delete(self, key: str) -> None:
        path = self._path(path_of(key))

        async def remove(client: asyncssh.SFTPClient) -> None:
            try:
                await client.remove(path)
            except _MISSING:
                return
            except asyncssh.SFTPPermissionDenied as error:
                raise ObjectLocked(f"{key}: this account may not delete", key=key) from error

        self._checked(key, remove)

    def retention(self, key: str) -> Retention:
        path = self._path(path_of(key))
        self._checked(key, lambda client: client.stat(path))
        return Retention()

    def free_space(self) -> int | None:
        """Bytes this account may still write; None when the server does not say."""
        return self._run("", self._free)

    def clock(self) -> datetime:
        """The server's time, asked once: SFTP tells it only with a file, which stays if deletion is refused."""
        if self._started is None:
            aside = self._path(f"{INCOMING}/{secrets.token_hex(16)}")

            async def ask(client: asyncssh.SFTPClient) -> datetime:
                await self._write_synced(client, aside, b"clock")
                written = (await client.stat(aside)).mtime or 0
                await _removed(client, aside)
                return datetime.fromtimestamp(written, UTC) - timedelta(seconds=int(time.monotonic()))

            self._started = self._checked("", ask)
        return self._started + timedelta(seconds=int(time.monotonic()))

    def close(self) -> None:
        self._connection.close()

    def _path(self, name: str) -> str:
        return f"{self._folder.rstrip('/')}/{name}"

    def _checked(self, key: str, operation: Operation[T]) -> T:
        """Run it, but first find out once whether the folders are there."""
        if not self._prepared:
            self._run("", self._require_folders)
            self._prepared = True
        return self._run(key, operation)

    def _run(self, key: str, operation: Operation[T]) -> T:
        try:
            return self._connection.run(operation)
        except asyncssh.SFTPError as error:
            raise _translated(error, key) from error
        except StorageError as error:
            error.key = key
            raise

    async def _prepare(self, client: asyncssh.SFTPClient) -> None:
        if await client.exists(self._path(MARKER)):
            return
        try:
            await client.makedirs(self._folder, _PRIVATE, exist_ok=True)
            for level in all_folders():
                await asyncio.gather(*(_made(client, self._path(name)) for name in level))
            await self._write_synced(client, self._path(MARKER), b"")
        except (asyncssh.SFTPPermissionDenied, asyncssh.SFTPWriteProtect) as error:
            raise NotPrepared(f"{self._folder}: the folders are missing and this account may not make them") from error

    async def _require_folders(self, client: asyncssh.SFTPClient) -> None:
        if not await client.exists(self._path(MARKER)):
            raise NotPrepared(f"{self._folder} is not prepared: its folders have to be made by an account that may")

    async def _write_synced(self, client: asyncssh.SFTPClient, path: str, body: bytes) -> None:
        # -1: as large as the server allows; a larger block ends the connection.
        try:
            async with client.open(path, _NEW, encoding=None, block_size=-1) as file:
                await file.write(body)
                await file.fsync()
        except asyncssh.SFTPOpUnsupported as error:
            raise StorageDenied("the server has no fsync@openssh.com: nothing is sure to survive power loss") from error
        except asyncssh.SFTPFailure as error:  # what version 3 says for a full disk, among others
            free = await self._free(client)
            if free is not None and free < len(body) + _HEADROOM:
                raise StorageFull(f"no space left: {free} bytes") from error
            raise

    async def _publish(self, client: asyncssh.SFTPClient, aside: str, target: str, key: str) -> None:
        try:
            await client.rename(aside, target)
        except (asyncssh.SFTPFailure, asyncssh.SFTPFileAlreadyExists) as error:
            if not await client.exists(target):
                raise
            raise AlreadyExists(f"{key} exists", key=key) from error

    async def _files(self, client: asyncssh.SFTPClient, slots: asyncio.Semaphore, folder: str) -> Sequence[ObjectInfo]:
        async with slots:
            entries = [entry async for entry in client.scandir(self._path(folder))]
        return [
            ObjectInfo(key_of(folder, str(entry.filename)), entry.attrs.size or 0)
            for entry in entries
            if entry.filename not in {".", ".."}
        ]

    async def _free(self, client: asyncssh.SFTPClient) -> int | None:
        try:
            found = await client.statvfs(self._folder)
        except asyncssh.SFTPOpUnsupported:
            return None
        return found.bavail * found.frsize


async def _made(client: asyncssh.SFTPClient, folder: str) -> None:
    try:
        await client.mkdir(folder, _PRIVATE)
    except asyncssh.SFTPError:
        if not await client.isdir(folder):
            raise


async def _removed(client: asyncssh.SFTPClient, path: str) -> None:
    """As far as the account may; what stays lies among the unfinished files."""
    with contextlib.suppress(asyncssh.SFTPError):
        await client.remove(path)


def _translated(error: asyncssh.SFTPError, key: str) -> StorageError:
    text = f"{key}: {error.reason}" if key else error.reason
    if isinstance(error, _MISSING):
        return NotFound(f"{key} does not exist", key=key)
    for kinds, meaning in ((_REFUSED, StorageDenied), (_NO_ROOM, StorageFull)):
        if isinstance(error, kinds):
            return meaning(text, key=key)
    return StorageUnreachable(text, key=key)
