"""The customer's recovery key: wraps data keys by its public half; the private half is sealed to a passphrase.

Format, sections 3.1 (wrap) and 3.3 (file). Nothing here needs a vault, a database or a service.
"""

import base64
import binascii
import hashlib
import re
import secrets
import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from backup_engine.derivation import KEY_BYTES, derive
from backup_engine.errors import KeyUnavailable

BEGIN = "-----BEGIN TENANTKEEP RECOVERY KEY-----"
END = "-----END TENANTKEEP RECOVERY KEY-----"
MIN_PASSPHRASE = 12  # characters; what a person remembers is the weakest part

_PREFIX = "x25519:"
_INFO = "tenantkeep/1/recovery-wrap"
_NONCE = bytes(12)  # every key here encrypts one message
_FIELDS = ("version", "tenant", "public-key", "created", "kdf", "salt", "sealed")
_SCRYPT_N = frozenset(1 << power for power in range(14, 21))
_SCRYPT_R = range(8, 17)
_SCRYPT_P = range(1, 5)
_KDF = re.compile(r"scrypt n=(\d{1,8}) r=(\d{1,2}) p=(\d)")


@dataclass(frozen=True, slots=True)
class RecoveryPublicKey:
    """The half everybody may know; `text` is what travels and is stored."""

    raw: bytes

    @classmethod
    def parse(cls, text: str) -> "RecoveryPublicKey":
        """Raises ValueError when it is no recovery public key, or one that protects nothing."""
        raw = _bytes(text.removeprefix(_PREFIX)) if text.startswith(_PREFIX) else b""
        if len(raw) != KEY_BYTES:
            message = f"a recovery public key is {_PREFIX} and {KEY_BYTES} bytes in base64"
            raise ValueError(message)
        # A point of small order would make every wrapping key the same: the exchange refuses it.
        X25519PrivateKey.generate().exchange(X25519PublicKey.from_public_bytes(raw))
        return cls(raw)

    @property
    def text(self) -> str:
        return _PREFIX + _text(self.raw)

    @property
    def fingerprint(self) -> str:
        """64 hex digits; the first 16 are enough for people."""
        return hashlib.sha256(self.raw).hexdigest()

    def wrap(self, data_key: bytes, tenant: str, n: int) -> dict[str, str]:
        """One entry of `wraps` in a key record."""
        ephemeral = X25519PrivateKey.generate()
        public = ephemeral.public_key().public_bytes_raw()
        shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(self.raw))
        sealed = AESGCM(derive(shared, _INFO, public + self.raw)).encrypt(
            _NONCE, data_key, _wrap_aad(tenant, n, self.fingerprint)
        )
        return {
            "kind": "x25519",
            "recipient": self.fingerprint,
            "ephemeral": _text(public),
            "ciphertext": _text(sealed),
        }


class RecoveryKey:
    """Both halves, in memory; opens every data key that was or will be wrapped to its public half."""

    def __init__(self, private: X25519PrivateKey) -> None:
        self._private = private
        self.public = RecoveryPublicKey(private.public_key().public_bytes_raw())

    @classmethod
    def generate(cls) -> "RecoveryKey":
        return cls(X25519PrivateKey.generate())

    def unwrap(self, wrap: dict[str, str], tenant: str, n: int) -> bytes:
        """The data key in a wrap made for this key. Raises KeyUnavailable."""
        if wrap.get("recipient") != self.public.fingerprint:
            raise KeyUnavailable(f"data key {n} is wrapped to the recovery key {wrap.get('recipient', '?')[:16]}")
        ephemeral = _bytes(wrap.get("ephemeral", ""))
        try:
            shared = self._private.exchange(X25519PublicKey.from_public_bytes(ephemeral))
            key = derive(shared, _INFO, ephemeral + self.public.raw)
            return AESGCM(key).decrypt(
                _NONCE, _bytes(wrap.get("ciphertext", "")), _wrap_aad(tenant, n, self.public.fingerprint)
            )
        except (ValueError, InvalidTag) as error:
            raise KeyUnavailable(f"the recovery wrap of data key {n} does not open: damaged or moved") from error

    def seal(
        self, passphrase: str, *, tenant: str, created: datetime, parameters: "ScryptParameters | None" = None
    ) -> str:
        """The text of the recovery key file. Raises ValueError for a passphrase that is too short."""
        if len(passphrase) < MIN_PASSPHRASE:
            message = f"the passphrase needs at least {MIN_PASSPHRASE} characters"
            raise ValueError(message)
        parameters = parameters or ScryptParameters()
        salt = secrets.token_bytes(32)
        values = {
            "version": "1",
            "tenant": tenant,
            "public-key": self.public.text,
            "created": created.astimezone(UTC).isoformat(timespec="seconds"),
            "kdf": parameters.text,
            "salt": _text(salt),
        }
        head = "".join(f"{name}: {value}\n" for name, value in values.items())
        key = parameters.derive(passphrase, salt)
        sealed = AESGCM(key).encrypt(_NONCE, self._private.private_bytes_raw(), head.encode())
        return f"{BEGIN}\n{head}sealed: {_text(sealed)}\n{END}\n"


@dataclass(frozen=True, slots=True)
class ScryptParameters:
    """Cost of trying one passphrase; the default takes about half a second and 128 MiB."""

    n: int = 1 << 17
    r: int = 8
    p: int = 1

    @property
    def text(self) -> str:
        return f"scrypt n={self.n} r={self.r} p={self.p}"

    def derive(self, passphrase: str, salt: bytes) -> bytes:
        secret = unicodedata.normalize("NFC", passphrase).encode()
        return Scrypt(salt=salt, length=KEY_BYTES, n=self.n, r=self.r, p=self.p).derive(secret)

    @classmethod
    def parse(cls, text: str) -> "ScryptParameters":
        """Raises ValueError for what is unreadable, too weak, or would take too long."""
        match = _KDF.fullmatch(text)
        found = cls(*(int(part) for part in match.groups())) if match else cls(0, 0, 0)
        if found.n not in _SCRYPT_N or found.r not in _SCRYPT_R or found.p not in _SCRYPT_P:
            message = "the recovery key file asks for a key derivation outside the format's limits"
            raise ValueError(message)
        return found


@dataclass(frozen=True, slots=True)
class SealedRecoveryKey:
    """A recovery key file, read but not opened."""

    tenant: str
    public: RecoveryPublicKey
    created: datetime
    _head: str = field(repr=False)
    _parameters: ScryptParameters = field(repr=False)
    _salt: bytes = field(repr=False)
    _sealed: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> "SealedRecoveryKey":
        """Raises ValueError, saying what is wrong with the file."""
        values = _values(text)
        if values["version"] != "1":
            message = f"the recovery key file has version {values['version']}: use a newer release of Tenantkeep"
            raise ValueError(message)
        return cls(
            tenant=values["tenant"],
            public=RecoveryPublicKey.parse(values["public-key"]),
            created=datetime.fromisoformat(values["created"]),
            _head="".join(f"{name}: {values[name]}\n" for name in _FIELDS[:-1]),
            _parameters=ScryptParameters.parse(values["kdf"]),
            _salt=_bytes(values["salt"]),
            _sealed=_bytes(values["sealed"]),
        )

    def open(self, passphrase: str) -> RecoveryKey:
        """Raises KeyUnavailable for a wrong passphrase or an altered file."""
        key = self._parameters.derive(passphrase, self._salt)
        try:
            raw = AESGCM(key).decrypt(_NONCE, self._sealed, self._head.encode())
            opened = RecoveryKey(X25519PrivateKey.from_private_bytes(raw))
        except (InvalidTag, ValueError) as error:
            raise KeyUnavailable("the passphrase is wrong, or the recovery key file was altered") from error
        if opened.public != self.public:
            raise KeyUnavailable("the recovery key file names another public key than it holds")
        return opened


def _values(text: str) -> dict[str, str]:
    _, begin, rest = text.partition(BEGIN)
    body, end, _ = rest.partition(END)
    if not begin or not end:
        message = "this is no recovery key file: its first and last lines are missing"
        raise ValueError(message)
    lines = [line.strip() for line in body.strip().splitlines()]
    values = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if tuple(values) != _FIELDS:
        message = "the recovery key file is damaged: it must have the lines " + ", ".join(_FIELDS)
        raise ValueError(message)
    return values


def _wrap_aad(tenant: str, n: int, fingerprint: str) -> bytes:
    return b"\0".join((_INFO.encode(), tenant.encode(), n.to_bytes(4, "big") + bytes.fromhex(fingerprint)))


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bytes(text: str) -> bytes:
    """Empty for what is no base64: whoever needs a certain length will say so."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
