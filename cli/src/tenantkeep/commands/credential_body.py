"""From what a person says of a credential to what is sent."""

from pathlib import Path

from pydantic import SecretStr

from contracts.api import CertificateBody, CredentialBody, VaultKeyBody
from contracts.names import Profile
from contracts.views import TokenView
from tenantkeep.commands.client import Gateway
from tenantkeep.commands.errors import usage

AnyBody = CredentialBody | CertificateBody | VaultKeyBody


def set_body(gateway: Gateway, tenant: str, profile: Profile, body: AnyBody) -> TokenView:
    """Send it to the route of its kind."""
    match body:
        case CredentialBody():
            return gateway.set_credential(tenant, profile, body)
        case CertificateBody():
            return gateway.set_certificate(tenant, profile, body)
        case VaultKeyBody():
            return gateway.set_vault_key(tenant, profile, body)


def credential_body(
    client_id: str | None, secret: Path | None, certificate: Path | None, key: Path | None, *, vault_key: bool = False
) -> AnyBody:
    """Read the files a person named; `CommandError` when they do not make a credential."""
    if client_id is None:
        raise usage("Give --client-id.", "--client-id angeben.")
    match secret, certificate, key:
        case None, None, None if vault_key:
            return VaultKeyBody(client_id=client_id)
        case _ if vault_key:
            raise usage("--vault-key needs no file.", "--vault-key braucht keine Datei.")
        case Path(), None, None:
            return CredentialBody(client_id=client_id, client_secret=SecretStr(secret.read_text().strip()))
        case None, Path(), Path():
            return certificate_body(client_id, certificate, key)
        case _:
            raise usage(
                "Give --client-secret-file, or --certificate-file and --key-file, or use a key in the vault.",
                "--client-secret-file, oder --certificate-file und --key-file, oder einen Schlüssel im Tresor nutzen.",
            )


def certificate_body(client_id: str, certificate: Path, key: Path) -> CertificateBody:
    """Read a certificate and its key; `CommandError` when they are no pair that an app can sign in with."""
    # Only here: every question about tenants would load it.
    from cryptography import x509  # noqa: PLC0415 - as said
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - as said
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 - as said

    public, private = _text(certificate), _text(key)
    try:
        known = x509.load_pem_x509_certificate(public.encode())
    except ValueError as error:
        raise usage(f"{certificate} is no PEM certificate.", f"{certificate} ist kein PEM-Zertifikat.") from error
    try:
        secret = load_pem_private_key(private.encode(), password=None)
    except (TypeError, ValueError, UnsupportedAlgorithm):
        raise usage(
            f"{key} is no PEM key, or it has a passphrase.",
            f"{key} ist kein PEM-Schlüssel, oder er hat eine Passphrase.",
        ) from None
    if known.public_key() != secret.public_key():
        raise usage(f"{key} does not belong to {certificate}.", f"{key} gehört nicht zu {certificate}.")
    return CertificateBody(client_id=client_id, certificate=public, private_key=SecretStr(private))


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError as error:
        raise usage(f"{file}: {error.strerror}", f"{file}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise usage(f"{file} is no PEM file.", f"{file} ist keine PEM-Datei.") from None
