"""`tenantkeep repository copy`: move or mirror a repository, with nothing running."""

from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import SecretStr

from tenantkeep.commands import settings
from tenantkeep.commands.errors import usage
from tenantkeep.commands.options import Json, Lang
from tenantkeep.commands.output import Screen, reported
from tenantkeep.recover.access import Access

app = typer.Typer(help="Repositories as a whole; needs no service, only the storages.", no_args_is_help=True)

_ADDRESS = "s3://HOST[:PORT]/BUCKET/PREFIX, sftp://USER@HOST[:PORT]/FOLDER or file:///FOLDER"


class Lock(StrEnum):
    """How objects of an S3 bucket with object lock are locked."""

    COMPLIANCE = "compliance"
    GOVERNANCE = "governance"


_FROM, _TO = "Where it lies", "Where it goes"
Source = Annotated[str, typer.Option("--from", help=f"The repository: {_ADDRESS}.")]
Target = Annotated[str, typer.Option("--to", help="Where it goes, the same way; empty, or an earlier copy.")]
FromKeyId = Annotated[str | None, typer.Option(help="S3 access key id.", rich_help_panel=_FROM)]
FromSecretFile = Annotated[Path | None, typer.Option(help="File with the S3 secret key.", rich_help_panel=_FROM)]
FromSecret = Annotated[str | None, typer.Option(hidden=True, envvar="TENANTKEEP_COPY_FROM_SECRET_KEY")]
FromRegion = Annotated[str, typer.Option(help="Region of the bucket.", rich_help_panel=_FROM)]
FromHostKey = Annotated[list[str] | None, typer.Option(help="Public key of the SFTP server.", rich_help_panel=_FROM)]
FromSshKey = Annotated[Path | None, typer.Option(help="Private key of the SFTP account.", rich_help_panel=_FROM)]
FromSshPassword = Annotated[Path | None, typer.Option(help="Its password, instead.", rich_help_panel=_FROM)]
FromLock = Annotated[
    Lock | None,
    typer.Option(help="The bucket locks objects: their dates and holds come along.", rich_help_panel=_FROM),
]
ToKeyId = Annotated[str | None, typer.Option(help="S3 access key id.", rich_help_panel=_TO)]
ToSecretFile = Annotated[Path | None, typer.Option(help="File with the S3 secret key.", rich_help_panel=_TO)]
ToSecret = Annotated[str | None, typer.Option(hidden=True, envvar="TENANTKEEP_COPY_TO_SECRET_KEY")]
ToRegion = Annotated[str, typer.Option(help="Region of the bucket.", rich_help_panel=_TO)]
ToHostKey = Annotated[list[str] | None, typer.Option(help="Public key of the SFTP server.", rich_help_panel=_TO)]
ToSshKey = Annotated[Path | None, typer.Option(help="Private key of the SFTP account.", rich_help_panel=_TO)]
ToSshPassword = Annotated[Path | None, typer.Option(help="Its password, instead.", rich_help_panel=_TO)]
ToLock = Annotated[
    Lock | None, typer.Option(help="Lock the copies; the bucket must have object lock.", rich_help_panel=_TO)
]
Until = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="Lock every copy at least until this day (UTC).", rich_help_panel=_TO),
]
RecoveryKeyFile = Annotated[
    Path | None, typer.Option(help="Recovery key file: then every byte of the copy is opened and checked, too.")
]
PassphraseFile = Annotated[Path | None, typer.Option(help="File with its passphrase. [default: ask]")]
Passphrase = Annotated[str | None, typer.Option(hidden=True, envvar="TENANTKEEP_RECOVERY_PASSPHRASE")]
CaFile = Annotated[
    Path | None, typer.Option(help="PEM bundle to trust. [default: TENANTKEEP_CA_FILE, else the system's]")
]


@app.callback()
def repository() -> None:
    """A group of its own, so that `copy` stays a word of the command line."""


@app.command("copy")
@reported
def copy(
    *,
    source: Source,
    target: Target,
    from_access_key: FromKeyId = None,
    from_secret_key_file: FromSecretFile = None,
    from_secret_key: FromSecret = None,
    from_region: FromRegion = "us-east-1",
    from_host_key: FromHostKey = None,
    from_ssh_key_file: FromSshKey = None,
    from_ssh_password_file: FromSshPassword = None,
    from_lock: FromLock = None,
    to_access_key: ToKeyId = None,
    to_secret_key_file: ToSecretFile = None,
    to_secret_key: ToSecret = None,
    to_region: ToRegion = "us-east-1",
    to_host_key: ToHostKey = None,
    to_ssh_key_file: ToSshKey = None,
    to_ssh_password_file: ToSshPassword = None,
    to_lock: ToLock = None,
    retain_until: Until = None,
    key: RecoveryKeyFile = None,
    passphrase_file: PassphraseFile = None,
    passphrase: Passphrase = None,
    ca_file: CaFile = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Copy a repository as it is; run it again to go on, or to take along what is new. Restore points go last.

    Every object is read back and compared. Exit code 1 when something differs.

    Example: tenantkeep repository copy --from file:///mnt/backup/contoso --to s3://s3.example.com/bucket/contoso
    --to-access-key AKIA… --to-secret-key-file s3.secret --key contoso.recovery-key
    """
    from tenantkeep.recover import copying  # noqa: PLC0415 - loads the engine, see the package

    if retain_until is not None and to_lock is None:
        raise usage("--retain-until needs --to-lock.", "--retain-until braucht --to-lock.")
    trust = ca_file or settings.load().ca_file
    s3 = Access(source, None, None, None, from_access_key, _secret(from_secret_key), from_secret_key_file, from_region)
    ssh = _ssh(from_host_key, from_ssh_key_file, from_ssh_password_file)
    origin = replace(s3, ca_file=trust, lock=from_lock, **ssh)
    s3 = Access(target, None, None, None, to_access_key, _secret(to_secret_key), to_secret_key_file, to_region)
    ssh = _ssh(to_host_key, to_ssh_key_file, to_ssh_password_file)
    opens: dict[str, Any] = {"key": key, "passphrase_file": passphrase_file, "passphrase": _secret(passphrase)}
    destination = replace(s3, ca_file=trust, lock=to_lock, **ssh, **opens)
    until = None if retain_until is None else retain_until.replace(tzinfo=UTC)
    copying.copy(origin, destination, Screen(lang, as_json=as_json), retain_until=until)


def _ssh(host_key: list[str] | None, key_file: Path | None, password_file: Path | None) -> dict[str, Any]:
    return {"host_keys": tuple(host_key or ()), "ssh_key_file": key_file, "ssh_password_file": password_file}


def _secret(text: str | None) -> SecretStr | None:
    return None if text is None else SecretStr(text)
