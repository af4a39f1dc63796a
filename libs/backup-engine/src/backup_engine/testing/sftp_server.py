"""An SFTP server inside the test process (asyncssh): its disk can be full, its connections end, its clock be off."""

import asyncio
import os
import threading
from collections.abc import Awaitable
from datetime import timedelta
from io import FileIO
from pathlib import Path
from typing import Self

import asyncssh

from backup_engine.testing.sftp import ACCOUNTS, ADMIN, APPEND_ONLY, READ_ONLY, KeyPair, SFTPAddress

_READY_WITHIN = 10.0  # seconds
_Space = os.statvfs_result | asyncssh.SFTPVFSAttrs
_WRITING = asyncssh.FXF_WRITE | asyncssh.FXF_APPEND | asyncssh.FXF_TRUNC
_BLOCK = 4096  # bytes


class SFTPTestServer:
    """Use as a context manager; every account is a user of its own, the admin may also use `password`."""

    def __init__(self, folder: Path) -> None:
        self.password = "correct horse"  # noqa: S105 - of a server that lives for a test
        self.room: int | None = None  # bytes the disk still takes; None: no end
        self.cut_after: int | None = None  # bytes that may still be written before all connections are cut, once
        self.fsync = True  # offered; without it files may be renamed unsynced
        self.replaces = False  # whether a rename replaces what is there
        self.synced: set[bytes] = set()  # local paths
        self.ahead = timedelta(0)  # of its clock before this machine's, as the times of its files show it
        self.address: SFTPAddress
        self._folder = folder
        self._host_key = KeyPair.fresh()
        self._keys = {account: KeyPair.fresh() for account in ACCOUNTS}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sftp-test-server", daemon=True)
        self._connections: set[asyncssh.SSHServerConnection] = set()
        self._acceptor: asyncssh.SSHAcceptor | None = None

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._thread.start()
        port = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(_READY_WITHIN)
        users = {account: account for account in ACCOUNTS}
        self.address = SFTPAddress(port, self._host_key.public, users, self._keys, "/objects")
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(_READY_WITHIN)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def end_sessions(self) -> None:
        self._loop.call_soon_threadsafe(self.cut)

    def cut(self) -> None:
        """On the server's own loop: end every connection without a word."""
        for connection in self._connections:
            connection.abort()

    def login_allowed(self, user: str, key: asyncssh.SSHKey) -> bool:
        known = self._keys.get(user)
        return known is not None and asyncssh.import_public_key(known.public) == key

    def joined(self, connection: asyncssh.SSHServerConnection) -> None:
        self._connections.add(connection)

    def left(self, connection: asyncssh.SSHServerConnection) -> None:
        self._connections.discard(connection)

    async def _listen(self) -> int:
        self._acceptor = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=lambda: _Login(self),
            server_host_keys=[asyncssh.import_private_key(self._host_key.private)],
            sftp_factory=lambda channel: _Files(channel, self, str(self._folder)),
        )
        return self._acceptor.get_port()

    async def _stop(self) -> None:
        assert self._acceptor is not None
        self._acceptor.close()
        connections = list(self._connections)
        self.cut()
        for connection in connections:
            await connection.wait_closed()
        await self._acceptor.wait_closed()


class _Login(asyncssh.SSHServer):
    def __init__(self, server: SFTPTestServer) -> None:
        self._server = server
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._server.joined(conn)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncssh's signature
        if self._connection is not None:
            self._server.left(self._connection)

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return self._server.login_allowed(username, key)

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return username == ADMIN and password == self._server.password


class _Files(asyncssh.SFTPServer):
    """Refuses what OpenSSH's `-P`, `-R` and umask refuse the same account."""

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], server: SFTPTestServer, folder: str) -> None:
        super().__init__(channel, chroot=folder.encode())
        self._server = server
        self._account = str(channel.get_extra_info("username"))

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        if pflags & _WRITING:
            exists = os.path.lexists(self.map_path(path))
            if self._account == READ_ONLY or (self._account == APPEND_ONLY and exists):
                raise asyncssh.SFTPPermissionDenied("Permission denied")
        return super().open(path, pflags, attrs)

    def write(self, file_obj: object, offset: int, data: bytes) -> int | Awaitable[int]:
        server = self._server
        if server.cut_after is not None:
            server.cut_after -= len(data)
            if server.cut_after < 0:
                server.cut_after = None
                server.cut()
        if server.room is not None:
            if server.room < len(data):
                raise asyncssh.SFTPFailure("No space left on device")
            server.room -= len(data)
        return super().write(file_obj, offset, data)

    def stat(self, path: bytes) -> asyncssh.SFTPAttrs:
        found = asyncssh.SFTPAttrs.from_local(Path(os.fsdecode(self.map_path(path))).stat())
        found.mtime = int((found.mtime or 0) + self._server.ahead.total_seconds())
        return found

    def statvfs(self, path: bytes) -> _Space | Awaitable[_Space]:
        room = self._server.room
        if room is None:
            return super().statvfs(path)
        return asyncssh.SFTPVFSAttrs(
            bsize=_BLOCK, frsize=_BLOCK, blocks=1 << 20, bfree=room // _BLOCK, bavail=room // _BLOCK
        )

    def remove(self, path: bytes) -> None:
        self._require_admin()
        super().remove(path)

    def mkdir(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        self._require_admin()
        super().mkdir(path, attrs)

    def rmdir(self, path: bytes) -> None:
        self._require_admin()
        super().rmdir(path)

    def fsync(self, file_obj: object) -> None:
        if not self._server.fsync:
            raise asyncssh.SFTPOpUnsupported("Operation not supported")
        super().fsync(file_obj)
        assert isinstance(file_obj, FileIO)
        self._server.synced.add(file_obj.name)

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        if self._account == READ_ONLY:
            raise asyncssh.SFTPPermissionDenied("Permission denied")
        if self.map_path(oldpath) not in self._server.synced:
            raise asyncssh.SFTPFailure("published before it was synced")
        if self._server.replaces:
            super().posix_rename(oldpath, newpath)
        else:
            super().rename(oldpath, newpath)

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        self._require_admin()
        super().posix_rename(oldpath, newpath)

    def link(self, oldpath: bytes, newpath: bytes) -> None:
        self._require_admin()
        super().link(oldpath, newpath)

    def symlink(self, oldpath: bytes, newpath: bytes) -> None:
        self._require_admin()
        super().symlink(oldpath, newpath)

    def setstat(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        self._require_admin()
        super().setstat(path, attrs)

    def lsetstat(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        self._require_admin()
        super().lsetstat(path, attrs)

    def fsetstat(self, file_obj: object, attrs: asyncssh.SFTPAttrs) -> None:
        self._require_admin()
        super().fsetstat(file_obj, attrs)

    def _require_admin(self) -> None:
        if self._account != ADMIN:
            raise asyncssh.SFTPPermissionDenied("Permission denied")
