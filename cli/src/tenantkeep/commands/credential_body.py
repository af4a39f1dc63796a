"""From the files of a credential to what is sent."""

from pathlib import Path

from pydantic import SecretStr

from contracts.api import CertificateBody, CredentialBody
from tenantkeep.commands.errors import usage


def credential_body(
    client_id: str | None, secret: Path | None, certificate: Path | None, key: Path | None
) -> CredentialBody | CertificateBody:
    """Read the files a person named; `CommandError` when they do not make a credential."""
    if client_id is None:
        raise usage("Give --client-id.", "--client-id angeben.")
    match secret, certificate, key:
        case Path(), None, None:
            return CredentialBody(client_id=client_id, client_secret=SecretStr(secret.read_text().strip()))
        case None, Path(), Path():
            return CertificateBody(
                client_id=client_id, certificate=certificate.read_text(), private_key=SecretStr(key.read_text())
            )
        case _:
            raise usage(
                "Give either --client-secret-file, or --certificate-file and --key-file.",
                "Entweder --client-secret-file oder --certificate-file und --key-file angeben.",
            )
