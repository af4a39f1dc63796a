"""RSA keys that are only ever in the vault: their certificates, and the assertions that apps sign in with.

cryptography and pyjwt let a key be somewhere else: whatever implements `RSAPrivateKey` may sign. So they build
certificate and assertion, and only the signature is asked of the vault.
"""

import asyncio
import base64
import secrets
from collections.abc import Callable
from concurrent.futures import CancelledError
from datetime import timedelta
from typing import Any, NoReturn

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding as paddings
from cryptography.hazmat.primitives.asymmetric import rsa, utils
from cryptography.x509.oid import NameOID

from chassis.clock import Clock
from chassis.vault import SignaturePadding, Vault, VaultUnreachable
from token_service.domain.credential import VaultKey

_LIFE = timedelta(minutes=5)
"""Of an assertion: enough for a sign-in that is slow, and for clocks that differ (Microsoft allows as much again)."""
_SKEW = timedelta(minutes=5)
"""How far back a certificate begins: Microsoft's clock may be behind."""
_PATIENCE = 10.0

Ask = Callable[[bytes, SignaturePadding], bytes]


class TransitKeys:
    """Whoever signs here runs in a thread of its own, because msal and cryptography wait for their signatures."""

    def __init__(self, vault: Vault, clock: Clock) -> None:
        self._vault = vault
        self._clock = clock

    async def certificate(self, key: str, name: str, life: timedelta) -> str:
        """Make a self-signed certificate (PEM) of the key for `name`. Raises VaultError."""
        found = serialization.load_pem_public_key((await self._vault.transit_public_key(key)).encode())
        assert isinstance(found, rsa.RSAPublicKey)
        private = _TransitKey(found, self._asking(key, asyncio.get_running_loop()))
        made = await asyncio.to_thread(self._certificate, private, name, life)
        return made.public_bytes(serialization.Encoding.PEM).decode()

    def _certificate(self, key: rsa.RSAPrivateKey, name: str, life: timedelta) -> x509.Certificate:
        subject, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), self._clock.now()
        builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        return builder.not_valid_before(now - _SKEW).not_valid_after(now + life).sign(key, hashes.SHA256())

    def assertion(self, credential: VaultKey, loop: asyncio.AbstractEventLoop, *, client_id: str, audience: str) -> str:
        """Sign what the app says of itself; called in a thread, while `loop` runs. Raises VaultError.

        PS256 with `x5t#S256` (entra/identity-platform/certificate-credentials).
        """
        certificate, now = x509.load_pem_x509_certificate(credential.certificate.encode()), self._clock.now()
        public = certificate.public_key()
        assert isinstance(public, rsa.RSAPublicKey)
        claims = {
            "aud": audience,
            "iss": client_id,
            "sub": client_id,
            "jti": secrets.token_urlsafe(16),
            "iat": int(now.timestamp()),
            "nbf": int(now.timestamp()),
            "exp": int((now + _LIFE).timestamp()),
        }
        thumbprint = base64.urlsafe_b64encode(certificate.fingerprint(hashes.SHA256())).rstrip(b"=").decode()
        key = _TransitKey(public, self._asking(credential.key, loop))
        return jwt.encode(claims, key, algorithm="PS256", headers={"x5t#S256": thumbprint})

    def _asking(self, key: str, loop: asyncio.AbstractEventLoop) -> Ask:
        def ask(data: bytes, padding: SignaturePadding) -> bytes:
            answer = asyncio.run_coroutine_threadsafe(self._vault.transit_sign(key, data, padding), loop)
            try:
                return answer.result(_PATIENCE)
            except (TimeoutError, CancelledError) as error:
                answer.cancel()
                raise VaultUnreachable("POST", f"transit/sign/{key}", type(error).__name__) from error

        return ask


class _TransitKey(rsa.RSAPrivateKey):
    """Signs by asking; whatever else a private key does, this one cannot."""

    def __init__(self, public: rsa.RSAPublicKey, ask: Ask) -> None:
        self._public = public
        self._ask = ask

    @property
    def key_size(self) -> int:
        return self._public.key_size

    def public_key(self) -> rsa.RSAPublicKey:
        return self._public

    def sign(
        self,
        data: bytes,
        padding: paddings.AsymmetricPadding,
        algorithm: utils.Prehashed | hashes.HashAlgorithm | utils.NoDigestInfo,
    ) -> bytes:
        assert isinstance(algorithm, hashes.SHA256)
        return self._ask(data, "pss" if isinstance(padding, paddings.PSS) else "pkcs1v15")

    def decrypt(self, *_: Any) -> bytes:
        self._stays()

    def private_numbers(self) -> rsa.RSAPrivateNumbers:
        self._stays()

    def private_bytes(self, *_: Any, **__: Any) -> bytes:
        self._stays()

    def __copy__(self) -> "_TransitKey":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "_TransitKey":
        return self

    def _stays(self) -> NoReturn:
        message = "the key is in the vault and only signs"
        raise TypeError(message)
