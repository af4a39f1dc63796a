"""What an app signs in with. It exists in the vault and in memory only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography import x509

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


Credential = ClientSecret | ClientCertificate


def end_of(certificate: ClientCertificate) -> datetime:
    """Say when the certificate ends; whoever set it proved that it can be read."""
    return x509.load_pem_x509_certificate(certificate.certificate.encode()).not_valid_after_utc


def credential_in(stored: Mapping[str, Any]) -> Credential | None:
    """Read what the vault holds; None when it is neither kind, or a part is missing or empty."""
    secret, certificate, key = (stored.get(name) for name in ("client_secret", "certificate", "private_key"))
    if isinstance(secret, str) and secret:
        return ClientSecret(secret)
    if isinstance(certificate, str) and isinstance(key, str) and certificate and key:
        return ClientCertificate(certificate, key)
    return None
