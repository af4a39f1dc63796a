"""What an app signs in with. It exists in the vault and in memory only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from contracts.names import CredentialKind


@dataclass(frozen=True)
class ClientSecret:
    """A password of the app registration."""

    value: str = field(repr=False)
    kind = CredentialKind.SECRET

    def stored(self) -> dict[str, str]:
        """Give the fields it has in the vault."""
        return {"client_secret": self.value}


@dataclass(frozen=True)
class ClientCertificate:
    """A certificate whose public half was uploaded to the app registration; both parts are PEM."""

    certificate: str
    private_key: str = field(repr=False)
    kind = CredentialKind.CERTIFICATE

    def stored(self) -> dict[str, str]:
        """Give the fields it has in the vault."""
        return {"certificate": self.certificate, "private_key": self.private_key}


@dataclass(frozen=True)
class VaultKey:
    """A key that never leaves the vault: its name there, and the certificate (PEM) of its public half."""

    certificate: str
    key: str
    kind = CredentialKind.VAULT_KEY

    def stored(self) -> dict[str, str]:
        """Give the fields it has in the vault; none is secret."""
        return {"certificate": self.certificate, "vault_key": self.key}

    @property
    def number(self) -> int:
        """The last part of the name; it counts from 1 per profile."""
        return int(self.key.rpartition(".")[2])


Credential = ClientSecret | ClientCertificate | VaultKey


def end_of(certificate: str) -> datetime:
    """Say when a certificate (PEM) ends; whoever kept it proved that it can be read."""
    return x509.load_pem_x509_certificate(certificate.encode()).not_valid_after_utc


def thumbprint_of(certificate: str) -> str:
    """The SHA-1 of a certificate (PEM) in hex, by which Microsoft's pages show it."""
    found = x509.load_pem_x509_certificate(certificate.encode())
    return found.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 - a name, nothing is protected by it


def brought_in(stored: Mapping[str, Any]) -> ClientSecret | ClientCertificate | None:
    """Read what was brought to the intake; None when it is neither kind, or a part is missing or empty.

    Never the name of a key in the vault: who brings it could name another tenant's.
    """
    secret, certificate, key = (stored.get(name) for name in ("client_secret", "certificate", "private_key"))
    if isinstance(secret, str) and secret:
        return ClientSecret(secret)
    if isinstance(certificate, str) and isinstance(key, str) and certificate and key:
        return ClientCertificate(certificate, key)
    return None


def credential_in(stored: Mapping[str, Any]) -> Credential | None:
    """Read a credential that was proven and kept; None when it is none, or a part is missing or empty."""
    certificate, key = (stored.get(name) for name in ("certificate", "vault_key"))
    if isinstance(certificate, str) and isinstance(key, str) and certificate and key:
        return VaultKey(certificate, key)
    return brought_in(stored)
