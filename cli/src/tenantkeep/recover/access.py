"""Where the repository lies and what opens it, as people gave it."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr


@dataclass(frozen=True)
class Access:
    """The options of `tenantkeep recover` and `repository copy`; nothing is opened yet."""

    storage: str | None = None
    key: Path | None = None
    passphrase_file: Path | None = None
    passphrase: SecretStr | None = None
    access_key: str | None = None
    secret_key: SecretStr | None = None
    secret_key_file: Path | None = None
    region: str = "us-east-1"
    lock: str | None = None  # compliance or governance: the bucket locks objects
    ca_file: Path | None = None
    host_keys: tuple[str, ...] = ()
    ssh_key_file: Path | None = None
    ssh_passphrase_file: Path | None = None
    ssh_password_file: Path | None = None
