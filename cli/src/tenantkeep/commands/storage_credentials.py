"""`tenantkeep storage credentials`: other keys or another password for a storage target that is in use."""

from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr, ValidationError

from contracts.api import S3Credentials, SFTPCredentials, StorageCredentialsBody
from contracts.texts import Text
from tenantkeep.commands import labels
from tenantkeep.commands.choose import named, tenant_of
from tenantkeep.commands.client import connect
from tenantkeep.commands.errors import usage
from tenantkeep.commands.options import Json, KeyFile, Lang, PassphraseFile, PasswordFile, SecretKeyFile, TenantName
from tenantkeep.commands.output import Screen, reported
from tenantkeep.commands.storage_bodies import invalid_fields, secret_of, steps_told


@reported
def credentials(
    *,
    target: Annotated[str, typer.Argument(help="Storage target, by name or id.")],
    access_key: Annotated[str | None, typer.Option(help="New access key id.")] = None,
    secret_key_file: SecretKeyFile = None,
    key_file: KeyFile = None,
    passphrase_file: PassphraseFile = None,
    password_file: PasswordFile = None,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Give a storage target new credentials. They count once every step of the connection test holds with them.

    Jobs under way end with the old ones: revoke those at the storage when these jobs have ended. After a loss of the
    vault this gives a target its credentials back.

    Example: tenantkeep storage credentials archive --access-key AKIA… --secret-key-file s3.secret

    Example: tenantkeep storage credentials offsite --key-file id_ed25519_new
    """
    screen = Screen(lang, as_json=as_json)
    sftp = {"private_key": key_file, "passphrase": passphrase_file, "password": password_file}
    given = {part: secret_of(file, part) for part, file in sftp.items() if file is not None}
    body = StorageCredentialsBody(credentials=_sftp(given) if given else _s3(access_key, secret_key_file))
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        chosen = named(gateway.storage_targets(slug), target, labels.TARGET)
        with steps_told(lang):
            result = gateway.renew_storage_credentials(slug, chosen.id, body)
    if as_json:
        screen.document(result)
        return
    screen.say(
        Text("Storage target {} uses the new credentials.", "Speicherziel {} verwendet die neuen Zugangsdaten."),
        result.target.name,
    )


def _sftp(given: dict[str, SecretStr]) -> SFTPCredentials:
    try:
        return SFTPCredentials(**given)
    except ValidationError as error:
        raise invalid_fields(error) from None


def _s3(access_key: str | None, secret_key_file: Path | None) -> S3Credentials:
    if access_key is None or secret_key_file is None:
        raise usage(
            "Give --access-key and --secret-key-file, or --key-file or --password-file.",
            "--access-key und --secret-key-file angeben oder --key-file oder --password-file.",
        )
    return S3Credentials(access_key=SecretStr(access_key), secret_key=secret_of(secret_key_file, "secret_key"))
