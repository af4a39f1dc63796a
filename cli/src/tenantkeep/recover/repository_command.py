"""`tenantkeep repository copy`: move or mirror a repository, with nothing running."""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from tenantkeep.commands import settings
from tenantkeep.commands.errors import usage
from tenantkeep.commands.options import Json, Lang
from tenantkeep.commands.output import Screen, reported
from tenantkeep.recover.access import Access

app = typer.Typer(help="Repositories as a whole; needs no service, only the storages.", no_args_is_help=True)

_ADDRESS = "s3://HOST[:PORT]/BUCKET/PREFIX, sftp://USER@HOST[:PORT]/FOLDER or file:///FOLDER"
_SOURCE, _TARGET = "Where it lies", "Where it goes"


class Lock(StrEnum):
    """How objects of an S3 bucket with object lock are locked."""

    COMPLIANCE = "compliance"
    GOVERNANCE = "governance"


@app.callback()
def repository() -> None:
    """A group of its own, so that `copy` stays a word of the command line."""


@app.command("copy")
@reported
def copy(
    *,
    source: Annotated[str, typer.Option("--from", help=f"The repository: {_ADDRESS}.")],
    target: Annotated[str, typer.Option("--to", help="Where it goes, the same way; empty, or an earlier copy.")],
    from_access_key: Annotated[str | None, typer.Option(help="S3 access key id.", rich_help_panel=_SOURCE)] = None,
    from_secret_key_file: Annotated[
        Path | None, typer.Option(help="File with the S3 secret key.", rich_help_panel=_SOURCE)
    ] = None,
    from_secret_key: Annotated[str | None, typer.Option(hidden=True, envvar="TENANTKEEP_COPY_FROM_SECRET_KEY")] = None,
    from_region: Annotated[str, typer.Option(help="Region of the bucket.", rich_help_panel=_SOURCE)] = "us-east-1",
    from_host_key: Annotated[
        list[str] | None, typer.Option(help="Public key of the SFTP server.", rich_help_panel=_SOURCE)
    ] = None,
    from_ssh_key_file: Annotated[
        Path | None, typer.Option(help="Private key of the SFTP account.", rich_help_panel=_SOURCE)
    ] = None,
    from_ssh_password_file: Annotated[
        Path | None, typer.Option(help="Password of the SFTP account, instead.", rich_help_panel=_SOURCE)
    ] = None,
    from_lock: Annotated[
        Lock | None,
        typer.Option(help="The bucket locks objects: their dates and holds come along.", rich_help_panel=_SOURCE),
    ] = None,
    to_access_key: Annotated[str | None, typer.Option(help="S3 access key id.", rich_help_panel=_TARGET)] = None,
    to_secret_key_file: Annotated[
        Path | None, typer.Option(help="File with the S3 secret key.", rich_help_panel=_TARGET)
    ] = None,
    to_secret_key: Annotated[str | None, typer.Option(hidden=True, envvar="TENANTKEEP_COPY_TO_SECRET_KEY")] = None,
    to_region: Annotated[str, typer.Option(help="Region of the bucket.", rich_help_panel=_TARGET)] = "us-east-1",
    to_host_key: Annotated[
        list[str] | None, typer.Option(help="Public key of the SFTP server.", rich_help_panel=_TARGET)
    ] = None,
    to_ssh_key_file: Annotated[
        Path | None, typer.Option(help="Private key of the SFTP account.", rich_help_panel=_TARGET)
    ] = None,
    to_ssh_password_file: Annotated[
        Path | None, typer.Option(help="Password of the SFTP account, instead.", rich_help_panel=_TARGET)
    ] = None,
    to_lock: Annotated[
        Lock | None, typer.Option(help="Lock the copies; the bucket must have object lock.", rich_help_panel=_TARGET)
    ] = None,
    retain_until: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], help="Lock every copy at least until this day (UTC).", rich_help_panel=_TARGET
        ),
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help="Recovery key file: then every byte of the copy is opened and checked, too.")
    ] = None,
    passphrase_file: Annotated[Path | None, typer.Option(help="File with its passphrase. [default: ask]")] = None,
    passphrase: Annotated[str | None, typer.Option(hidden=True, envvar="TENANTKEEP_RECOVERY_PASSPHRASE")] = None,
    ca_file: Annotated[
        Path | None, typer.Option(help="PEM bundle to trust. [default: TENANTKEEP_CA_FILE, else the system's]")
    ] = None,
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
    origin = Access(
        storage=source,
        access_key=from_access_key,
        secret_key=_secret(from_secret_key),
        secret_key_file=from_secret_key_file,
        region=from_region,
        host_keys=tuple(from_host_key or ()),
        ssh_key_file=from_ssh_key_file,
        ssh_password_file=from_ssh_password_file,
        ca_file=trust,
        lock=from_lock.value if from_lock else None,
    )
    destination = Access(
        storage=target,
        access_key=to_access_key,
        secret_key=_secret(to_secret_key),
        secret_key_file=to_secret_key_file,
        region=to_region,
        host_keys=tuple(to_host_key or ()),
        ssh_key_file=to_ssh_key_file,
        ssh_password_file=to_ssh_password_file,
        ca_file=trust,
        lock=to_lock.value if to_lock else None,
        key=key,
        passphrase_file=passphrase_file,
        passphrase=_secret(passphrase),
    )
    until = None if retain_until is None else retain_until.replace(tzinfo=UTC)
    copying.copy(origin, destination, Screen(lang, as_json=as_json), retain_until=until)


def _secret(text: str | None) -> SecretStr | None:
    return None if text is None else SecretStr(text)
