"""The vault: key/value secrets (KV v2 at `kv/`) and transit keys (at `transit/`) of OpenBao or Vault.

    VaultError
      VaultUnreachable   no answer, sealed, or failing: hold and try again
      VaultDenied        the role may not, or its credentials are refused
      VaultConflict      the check-and-set version did not match
      VaultNotFound      no such key or mount
      VaultRejected      the request itself is wrong, such as a ciphertext of another key

No error names a secret: they carry the operation, the path and the status.
"""

from datetime import timedelta
from typing import Any, Literal, Protocol

Secret = dict[str, Any]

SignaturePadding = Literal["pss", "pkcs1v15"]
"""Of an RSA signature; with PSS the salt is as long as the hash (RFC 7518, PS256)."""


class VaultError(Exception):
    """Base of what the vault raises."""

    def __init__(self, operation: str, path: str, detail: str) -> None:
        super().__init__(f"vault {operation} {path}: {detail}")
        self.operation = operation
        self.path = path


class VaultUnreachable(VaultError):
    """No answer, sealed, or failing."""


class VaultDenied(VaultError):
    """The role may not do this, or its credentials are refused."""


class VaultConflict(VaultError):
    """The check-and-set version did not match."""


class VaultNotFound(VaultError):
    """No such key or mount."""


class VaultRejected(VaultError):
    """The vault understood the request and refuses its content."""


class Vault(Protocol):
    """What services need of a vault; paths have no mount and no leading slash: `tenants/contoso/tokens/directory`."""

    async def kv_read(self, path: str) -> tuple[Secret, int] | None:
        """Read the newest version and its number; None when there is none, or it is deleted or expired."""
        ...

    async def kv_create(self, path: str, data: Secret) -> int:
        """Write version 1; raises VaultConflict when the path has ever been written and not destroyed since."""
        ...

    async def kv_write(self, path: str, data: Secret, cas: int | None = None) -> int:
        """Write a version and return its number; with `cas` only if that is the newest (VaultConflict)."""
        ...

    async def kv_metadata(
        self, path: str, *, max_versions: int | None = None, delete_version_after: timedelta | None = None
    ) -> None:
        """Limit the versions kept and how long later ones live; works before the first write.

        `delete_version_after` is in whole seconds, at least one (ValueError): OpenBao ignores fractions silently.
        """
        ...

    async def kv_list(self, path: str) -> tuple[str, ...]:
        """Give the names directly below `path`, those that hold more with a slash at their end; none: empty."""
        ...

    async def kv_delete(self, path: str) -> None:
        """Destroy all versions and the metadata; nothing happens when there are none."""
        ...

    async def transit_create_key(self, name: str) -> None:
        """Create an AES-256-GCM key that never leaves the vault; nothing happens when it exists."""
        ...

    async def transit_has_key(self, name: str) -> bool:
        """Tell whether the key exists; False only when the vault says that it does not."""
        ...

    async def transit_data_key(self, name: str) -> tuple[bytes, str]:
        """Draw a 32-byte data key: plaintext and wrapped form; raises VaultNotFound without key `name`."""
        ...

    async def transit_encrypt(self, name: str, plaintext: bytes) -> str:
        """Wrap with the newest version of key `name`, 32 bytes as a rule.

        Without that key raises VaultNotFound, or VaultDenied where the role may not create one in passing.
        """
        ...

    async def transit_decrypt(self, name: str, ciphertext: str) -> bytes:
        """Unwrap; raises VaultRejected for a ciphertext of another key, VaultNotFound without key `name`."""
        ...

    async def transit_create_signing_key(self, name: str) -> None:
        """Create an RSA key of 3072 bits that never leaves the vault; nothing happens when it exists."""
        ...

    async def transit_public_key(self, name: str) -> str:
        """Give the public half of an RSA key as PEM; raises VaultNotFound without key `name`."""
        ...

    async def transit_sign(self, name: str, data: bytes, padding: SignaturePadding) -> bytes:
        """Sign the SHA-256 of `data` with RSA key `name`; raises VaultNotFound without it."""
        ...

    async def transit_destroy_signing_key(self, name: str) -> None:
        """Destroy it for good, whatever was signed with it; nothing happens when there is none."""
        ...


def whole_seconds(lifetime: timedelta) -> int:
    """Return `lifetime` in seconds; raises ValueError unless it is a whole number of at least one."""
    seconds = lifetime // timedelta(seconds=1)
    if seconds < 1 or timedelta(seconds=seconds) != lifetime:
        raise ValueError(f"{lifetime} is not a whole number of seconds, at least one")
    return seconds
