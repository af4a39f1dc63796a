"""One SSH connection on an event loop of its own, so that synchronous callers in any thread can share it."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import asyncssh

from backup_engine.errors import StorageDenied, StorageError, StorageUnreachable

T = TypeVar("T")

_CONNECT_WITHIN = 15.0  # seconds, login included
_ANSWER_WITHIN = 600.0  # seconds for a whole operation; a silent server is found out sooner, by keep-alive
_KEEPALIVE = 15.0  # seconds; three without an answer end the connection
# AES-GCM first: with it asyncssh moves a quarter more bytes per second than with its default, ChaCha20.
_CIPHERS = "aes256-gcm@openssh.com,aes128-gcm@openssh.com,chacha20-poly1305@openssh.com,aes256-ctr,aes128-ctr"
_KEY_EXCHANGES = (
    "mlkem768x25519-sha256,curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp521,ecdh-sha2-nistp384,"
    "ecdh-sha2-nistp256,diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,diffie-hellman-group14-sha256"
)
_MACS = (
    "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,umac-128-etm@openssh.com,hmac-sha2-256,hmac-sha2-512"
)
_SIGNATURES = "ssh-ed25519,ecdsa-sha2-nistp521,ecdsa-sha2-nistp384,ecdsa-sha2-nistp256,rsa-sha2-512,rsa-sha2-256"


class Secret(Protocol):
    """What pydantic's SecretStr offers; a plain str is accepted as well."""

    def get_secret_value(self) -> str: ...


@dataclass(frozen=True, slots=True)
class SFTPLogin:
    """`host_keys` are OpenSSH public keys (`ssh-ed25519 AAAA…`), at least one: only a server that owns one is used.

    Exactly one of `private_key` (PEM or OpenSSH text, with its `passphrase` if it has one) and `password`.
    """

    host: str
    port: int
    user: str
    host_keys: Sequence[str]
    private_key: str | Secret | None = field(default=None, repr=False)
    passphrase: str | Secret | None = field(default=None, repr=False)
    password: str | Secret | None = field(default=None, repr=False)


class SFTPConnection:
    """Made when it is needed and made anew after it was lost.

    Raises StorageDenied for keys that cannot be read or a login without any.
    """

    def __init__(self, login: SFTPLogin) -> None:
        self._where = f"{login.user}@{login.host}:{login.port}"
        self._options = _options(login)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._mutex = threading.Lock()
        self._connecting: asyncio.Lock | None = None
        self._connection: asyncssh.SSHClientConnection | None = None
        self._client: asyncssh.SFTPClient | None = None

    def run(self, operation: Callable[[asyncssh.SFTPClient], Awaitable[T]]) -> T:
        """Return the operation's result; SFTPError of the server passes, everything else becomes a StorageError."""
        return asyncio.run_coroutine_threadsafe(self._run(operation), self._started()).result()

    def close(self) -> None:
        with self._mutex:
            loop, self._loop = self._loop, None
            thread, self._thread = self._thread, None
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._drop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._mutex:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._connecting = asyncio.Lock()
                self._thread = threading.Thread(target=self._loop.run_forever, name="sftp", daemon=True)
                self._thread.start()
            return self._loop

    async def _run(self, operation: Callable[[asyncssh.SFTPClient], Awaitable[T]]) -> T:
        try:
            client = await self._connected()
            async with asyncio.timeout(_ANSWER_WITHIN):
                return await operation(client)
        except (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection) as error:
            await self._drop()
            raise StorageUnreachable(f"{self._where}: the connection was lost: {error}") from error
        except (asyncssh.SFTPError, StorageError):
            raise
        except (asyncssh.Error, OSError) as error:  # OSError: refused, unknown host, timed out
            await self._drop()
            raise self._translated(error) from error

    async def _connected(self) -> asyncssh.SFTPClient:
        assert self._connecting is not None
        async with self._connecting:
            if self._client is None or self._connection is None or self._connection.is_closed():
                await self._drop()
                async with asyncio.timeout(_CONNECT_WITHIN):
                    self._connection = await asyncssh.connect(**self._options)
                    self._client = await self._connection.start_sftp_client()
            return self._client

    async def _drop(self) -> None:
        connection, self._connection, self._client = self._connection, None, None
        if connection is not None:
            connection.abort()
            await connection.wait_closed()

    def _translated(self, error: Exception) -> StorageError:
        match error:
            case asyncssh.HostKeyNotVerifiable():
                text = (
                    "the server shows another host key than the one pinned: somebody is in between, or it was renewed"
                )
                return StorageDenied(f"{self._where}: {text}")
            case asyncssh.PermissionDenied():
                return StorageDenied(f"{self._where}: the login was refused: check user, key or password")
            case asyncssh.KeyExchangeFailed() | asyncssh.ProtocolNotSupported():
                return StorageDenied(f"{self._where}: the server offers no acceptable cryptography: {error}")
            case asyncssh.ChannelOpenError() if error.code == asyncssh.OPEN_REQUEST_SESSION_FAILED:
                return StorageDenied(f"{self._where}: the account may not use SFTP: {error}")
        return StorageUnreachable(f"{self._where}: {error or 'no answer in time'}")


def _options(login: SFTPLogin) -> dict[str, Any]:
    """Nothing comes from the environment: no agent, no configuration file, no known_hosts, no key of the user."""
    if (login.private_key is None) == (login.password is None):
        raise StorageDenied("an SFTP login needs either a private key or a password")
    if not login.host_keys:
        raise StorageDenied("an SFTP server is only used when its host key is known")
    return {
        "host": login.host,
        "port": login.port,
        "username": login.user,
        "known_hosts": ([_public_key(text) for text in login.host_keys], [], []),
        "client_keys": [_private_key(login)] if login.private_key is not None else None,
        "password": _plain(login.password),
        "preferred_auth": "publickey" if login.private_key is not None else "password,keyboard-interactive",
        "encryption_algs": _CIPHERS,
        "kex_algs": _KEY_EXCHANGES,
        "mac_algs": _MACS,
        "signature_algs": _SIGNATURES,
        "compression_algs": "none",  # packs are compressed
        "config": None,
        "agent_path": None,
        "x509_trusted_certs": None,
        "gss_kex": False,
        "gss_auth": False,
        "disable_trivial_auth": True,
        "keepalive_interval": _KEEPALIVE,
        "connect_timeout": _CONNECT_WITHIN,
    }


def _public_key(text: str) -> asyncssh.SSHKey:
    try:
        return asyncssh.import_public_key(text)
    except asyncssh.KeyImportError as error:
        raise StorageDenied(f"not a host key in OpenSSH's form: {error}") from error


def _private_key(login: SFTPLogin) -> asyncssh.SSHKey:
    try:
        return asyncssh.import_private_key(_plain(login.private_key) or "", _plain(login.passphrase))
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
        # Without its cause: that may quote the key.
        raise StorageDenied(
            "the private key cannot be read: it must be PEM or OpenSSH, and its passphrase right"
        ) from None


def _plain(secret: str | Secret | None) -> str | None:
    return secret if secret is None or isinstance(secret, str) else secret.get_secret_value()
