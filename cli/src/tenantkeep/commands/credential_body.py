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
            return CertificateBody(
                client_id=client_id, certificate=certificate.read_text(), private_key=SecretStr(key.read_text())
            )
        case _:
            raise usage(
                "Give --client-secret-file, or --certificate-file and --key-file, or use a key in the vault.",
                "--client-secret-file, oder --certificate-file und --key-file, oder einen Schlüssel im Tresor nutzen.",
            )
