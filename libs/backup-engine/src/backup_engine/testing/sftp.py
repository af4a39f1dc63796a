"""What both SFTP test servers have in common: keys, accounts and how our storage logs in."""

from dataclasses import dataclass
from pathlib import Path

import asyncssh

from backup_engine.storage.sftp import SFTPStorage
from backup_engine.storage.sftp_connection import SFTPLogin

ADMIN = "admin"  # may do everything below the folder
APPEND_ONLY = "append-only"  # may add files, and read
READ_ONLY = "read-only"
ACCOUNTS = (ADMIN, APPEND_ONLY, READ_ONLY)


@dataclass(frozen=True, slots=True)
class KeyPair:
    private: str  # OpenSSH text
    public: str

    @classmethod
    def fresh(cls) -> "KeyPair":
        key = asyncssh.generate_private_key("ssh-ed25519")
        return cls(key.export_private_key().decode(), key.export_public_key().decode().strip())


@dataclass(frozen=True, slots=True)
class SFTPAddress:
    """A running server; each account of it has its own user or its own key."""

    port: int
    host_key: str
    users: dict[str, str]  # by account
    keys: dict[str, KeyPair]  # by account
    folder: str  # on the server

    def login(self, account: str = ADMIN) -> SFTPLogin:
        return SFTPLogin(
            host="127.0.0.1",
            port=self.port,
            user=self.users[account],
            host_keys=[self.host_key],
            private_key=self.keys[account].private,
        )

    def storage(self, name: str, account: str = ADMIN) -> SFTPStorage:
        """The folder `name`, made ready by the admin; one of its own for every test."""
        folder = f"{self.folder}/{name}"
        admin = SFTPStorage(self.login(), folder)
        admin.prepare()
        if account == ADMIN:
            return admin
        admin.close()
        return SFTPStorage(self.login(account), folder)


def write_private(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text)
    return path
