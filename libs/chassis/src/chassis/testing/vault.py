"""A vault in memory that keeps the promises of `chassis.vault.Vault`; the same suite runs on it and on OpenBao."""

import copy
import functools
import secrets
from dataclasses import dataclass, field
from datetime import timedelta

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding as paddings
from cryptography.hazmat.primitives.asymmetric import rsa

from chassis.clock import Clock
from chassis.vault import Secret, SignaturePadding, VaultConflict, VaultNotFound, VaultRejected, whole_seconds

_PADDINGS: dict[SignaturePadding, paddings.AsymmetricPadding] = {
    "pss": paddings.PSS(paddings.MGF1(hashes.SHA256()), hashes.SHA256.digest_size),
    "pkcs1v15": paddings.PKCS1v15(),
}


@functools.cache
def _rsa_key(_number: int) -> rsa.RSAPrivateKey:
    """The n-th key of a vault: each vault has it only once, and a process draws it only once, which takes a while."""
    return rsa.generate_private_key(public_exponent=65537, key_size=3072)


@dataclass
class _Entry:
    versions: list[tuple[float, Secret]] = field(default_factory=list)
    """Moment of expiry (monotonic seconds) and data, oldest first."""
    lifetime: float = float("inf")
    max_versions: int = 10


class MemoryVault:
    """Without policies: who may read what is proved on the real vault."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._keys: set[str] = set()
        self._wrapped: dict[tuple[str, str], bytes] = {}
        self._signing_keys: dict[str, rsa.RSAPrivateKey] = {}
        self._made = 0

    async def kv_read(self, path: str) -> tuple[Secret, int] | None:
        entry = self._entries.get(path)
        if entry is None or not entry.versions:
            return None
        expires, data = entry.versions[-1]
        if self._clock.monotonic() >= expires:
            return None
        return copy.deepcopy(data), len(entry.versions)

    async def kv_create(self, path: str, data: Secret) -> int:
        return await self.kv_write(path, data, cas=0)

    async def kv_write(self, path: str, data: Secret, cas: int | None = None) -> int:
        newest = len(self._entries[path].versions) if path in self._entries else 0
        if cas is not None and cas != newest:
            raise VaultConflict("POST", f"kv/data/{path}", "the version did not match")
        entry = self._entries.setdefault(path, _Entry())
        entry.versions.append((self._clock.monotonic() + entry.lifetime, copy.deepcopy(data)))
        return len(entry.versions)

    async def kv_metadata(
        self, path: str, *, max_versions: int | None = None, delete_version_after: timedelta | None = None
    ) -> None:
        lifetime = None if delete_version_after is None else float(whole_seconds(delete_version_after))
        entry = self._entries.setdefault(path, _Entry())
        if max_versions is not None:  # kept for tests to look at: only the newest version can be read anyway
            entry.max_versions = max_versions
        if lifetime is not None:
            entry.lifetime = lifetime

    async def kv_list(self, path: str) -> tuple[str, ...]:
        below = [name.removeprefix(f"{path}/") for name in self._entries if name.startswith(f"{path}/")]
        return tuple(sorted({name.partition("/")[0] + ("/" if "/" in name else "") for name in below}))

    async def kv_delete(self, path: str) -> None:
        self._entries.pop(path, None)

    async def transit_create_key(self, name: str) -> None:
        self._keys.add(name)

    async def transit_has_key(self, name: str) -> bool:
        return name in self._keys or name in self._signing_keys

    def transit_destroy_key(self, name: str) -> None:
        """What no service may do: an operator's own role does it at the end of a tenant."""
        self._keys.discard(name)

    async def transit_data_key(self, name: str) -> tuple[bytes, str]:
        self._require(name)
        plaintext = secrets.token_bytes(32)
        return plaintext, await self.transit_encrypt(name, plaintext)

    async def transit_encrypt(self, name: str, plaintext: bytes) -> str:
        self._require(name)
        ciphertext = f"vault:v1:{secrets.token_urlsafe(45)}"
        self._wrapped[name, ciphertext] = plaintext
        return ciphertext

    async def transit_decrypt(self, name: str, ciphertext: str) -> bytes:
        self._require(name)
        plaintext = self._wrapped.get((name, ciphertext))
        if plaintext is None:
            raise VaultRejected("POST", f"transit/decrypt/{name}", "status 400")
        return plaintext

    async def transit_create_signing_key(self, name: str) -> None:
        if name not in self._signing_keys:
            self._made += 1
            self._signing_keys[name] = _rsa_key(self._made)

    async def transit_public_key(self, name: str) -> str:
        public, info = self._signing_key(name).public_key(), serialization.PublicFormat.SubjectPublicKeyInfo
        return public.public_bytes(serialization.Encoding.PEM, info).decode()

    async def transit_sign(self, name: str, data: bytes, padding: SignaturePadding) -> bytes:
        return self._signing_key(name).sign(data, _PADDINGS[padding], hashes.SHA256())

    async def transit_destroy_signing_key(self, name: str) -> None:
        self._signing_keys.pop(name, None)

    def _signing_key(self, name: str) -> rsa.RSAPrivateKey:
        if name not in self._signing_keys:
            raise VaultNotFound("POST", f"transit/sign/{name}", "no such key")
        return self._signing_keys[name]

    def _require(self, name: str) -> None:
        if name not in self._keys:
            raise VaultNotFound("POST", f"transit/keys/{name}", "no such key")
