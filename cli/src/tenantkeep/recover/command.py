"""`tenantkeep recover …`: read a repository with storage and recovery key alone."""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from tenantkeep.commands import settings
from tenantkeep.commands.options import Json, Lang
from tenantkeep.commands.output import Screen, reported
from tenantkeep.recover.access import Access

app = typer.Typer(
    help=(
        "Read backups with nothing running: the storage and the recovery key are enough.\n\n"
        "Needs no service, no database, no vault and no network but the storage's."
        " Only `rewrap` and `maintain` write there.\n\n"
        "Start with: tenantkeep recover --storage s3://s3.example.com/bucket/prefix --access-key AKIA…"
        " --secret-key-file s3.secret --key contoso.recovery-key list"
    ),
    no_args_is_help=True,
)

Point = Annotated[str, typer.Argument(help="Restore point, or a mailbox: then its newest restore point.")]


class Format(StrEnum):
    """What an export becomes."""

    ZIP = "zip"
    EML = "eml"
    MBOX = "mbox"
    MAILDIR = "maildir"
    ICS = "ics"
    VCF = "vcf"


@app.callback()
def recover(
    context: typer.Context,
    *,
    storage: Annotated[
        str | None,
        typer.Option(
            help="s3://HOST[:PORT]/BUCKET/PREFIX, sftp://USER@HOST[:PORT]/FOLDER or file:///FOLDER.",
            envvar="TENANTKEEP_RECOVER_STORAGE",
        ),
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help="Recovery key file of the tenant.", envvar="TENANTKEEP_RECOVER_KEY")
    ] = None,
    passphrase_file: Annotated[Path | None, typer.Option(help="File with its passphrase. [default: ask]")] = None,
    passphrase: Annotated[str | None, typer.Option(hidden=True, envvar="TENANTKEEP_RECOVERY_PASSPHRASE")] = None,
    access_key: Annotated[
        str | None, typer.Option(help="S3 access key id.", envvar="TENANTKEEP_RECOVER_ACCESS_KEY")
    ] = None,
    secret_key_file: Annotated[Path | None, typer.Option(help="File with the S3 secret key.")] = None,
    secret_key: Annotated[str | None, typer.Option(hidden=True, envvar="TENANTKEEP_RECOVER_SECRET_KEY")] = None,
    region: Annotated[str, typer.Option(help="Region of the bucket.")] = "us-east-1",
    host_key: Annotated[
        list[str] | None, typer.Option(help="Public key of the SFTP server (ssh-ed25519 AAAA…).")
    ] = None,
    ssh_key_file: Annotated[Path | None, typer.Option(help="File with the private key of the SFTP account.")] = None,
    ssh_passphrase_file: Annotated[Path | None, typer.Option(help="File with the passphrase of that key.")] = None,
    ssh_password_file: Annotated[Path | None, typer.Option(help="File with the account's password, instead.")] = None,
    ca_file: Annotated[
        Path | None, typer.Option(help="PEM bundle to trust. [default: TENANTKEEP_CA_FILE, else the system's]")
    ] = None,
) -> None:
    """Where the repository lies and what opens it; the commands below take it from here."""
    context.obj = Access(
        storage=storage,
        key=key,
        passphrase_file=passphrase_file,
        passphrase=None if passphrase is None else SecretStr(passphrase),
        access_key=access_key,
        secret_key=None if secret_key is None else SecretStr(secret_key),
        secret_key_file=secret_key_file,
        region=region,
        host_keys=tuple(host_key or ()),
        ssh_key_file=ssh_key_file,
        ssh_passphrase_file=ssh_passphrase_file,
        ssh_password_file=ssh_password_file,
        ca_file=ca_file or settings.load().ca_file,
    )


@app.command("list")
@reported
def list_(context: typer.Context, *, lang: Lang = "en", as_json: Json = False) -> None:
    """List the mailboxes and the newest restore point of each.

    Example: tenantkeep recover --storage file:///mnt/backup --key contoso.recovery-key list
    """
    from tenantkeep.recover import actions  # noqa: PLC0415 - loads the engine, see the package

    actions.list_mailboxes(context.obj, Screen(lang, as_json=as_json))


@app.command("restore-points")
@reported
def restore_points(
    context: typer.Context,
    mailbox: Annotated[str | None, typer.Argument(help="Only of this mailbox, by address or id.")] = None,
    *,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """List restore points, newest first. Each one is complete by itself.

    Example: tenantkeep recover --storage … --key … restore-points anna@contoso.example
    """
    from tenantkeep.recover import actions  # noqa: PLC0415 - loads the engine, see the package

    actions.list_restore_points(context.obj, Screen(lang, as_json=as_json), mailbox)


@app.command("items")
@reported
def items(
    context: typer.Context,
    point: Point,
    *,
    folder: Annotated[
        list[str] | None, typer.Option(help="Only of this folder and those below, such as Inbox.")
    ] = None,
    subject: Annotated[str | None, typer.Option(help="Only mails with this in the subject; reads every mail.")] = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """List the mails of a restore point; their keys select them in `export --item`.

    Example: tenantkeep recover --storage … --key … items anna@contoso.example --subject invoice
    """
    from tenantkeep.recover import actions  # noqa: PLC0415 - loads the engine, see the package

    actions.list_items(context.obj, Screen(lang, as_json=as_json), point, tuple(folder or ()), subject)


@app.command("export")
@reported
def export(
    context: typer.Context,
    point: Annotated[
        str | None, typer.Argument(help="Restore point, or a mailbox: then its newest. Not with --all.")
    ] = None,
    *,
    out: Annotated[Path, typer.Option(help="File (zip) or folder to make; nothing is written over.")],
    form: Annotated[
        Format, typer.Option("--format", help="zip and eml with a manifest; mbox is mboxrd; ics, vcf: only those.")
    ] = Format.ZIP,
    every: Annotated[bool, typer.Option("--all", help="The newest restore point of every mailbox.")] = False,
    folder: Annotated[list[str] | None, typer.Option(help="Only this folder and those below.")] = None,
    item: Annotated[list[str] | None, typer.Option(help="Only this mail, event or contact, by key.")] = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Write a restore point to files: the stored bytes, each mail compared with its SHA-256.

    Exit code 3: everything but the damaged mails that are listed.

    Example: tenantkeep recover --storage … --key … export anna@contoso.example --out anna.zip

    Example: tenantkeep recover --storage … --key … export --all --format maildir --out /mnt/everyone
    """
    from tenantkeep.recover import actions  # noqa: PLC0415 - loads the engine, see the package

    actions.export(
        context.obj,
        Screen(lang, as_json=as_json),
        point=point,
        every=every,
        out=out,
        form=form.value,
        folders=tuple(folder or ()),
        items=tuple(item or ()),
    )


@app.command("documents")
@reported
def documents(context: typer.Context, *, lang: Lang = "en") -> None:
    """Print what the services left sealed in the repository, as JSON: what they could not rebuild themselves.

    The tenant, its app registrations, the storage target, the backup configurations and what was kept of employees
    here alone; no secret is in it.
    `tenantkeep storage recover` brings it back into a new installation.

    Example: tenantkeep recover --storage … --key … documents > contoso.json
    """
    from tenantkeep.recover import actions  # noqa: PLC0415 - loads the engine, see the package

    actions.show_documents(context.obj, Screen(lang, as_json=True))


@app.command("rewrap")
@reported
def rewrap(
    context: typer.Context,
    *,
    vault: Annotated[str, typer.Option(help="https URL of the new vault.")],
    role_id: Annotated[str, typer.Option(help="AppRole role id that may wrap with the tenant's key.")],
    secret_id_file: Annotated[Path, typer.Option(help="File with its secret id.", exists=True, dir_okay=False)],
    transit_key: Annotated[str, typer.Option(help="Name of the key. [default: tenant-<tenant>]")] = "",
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Let a new vault open the repository: every data key is wrapped to its key, too. Nothing else is written.

    For the day after the vault was lost: register the tenant again, put the target's credentials into the new vault,
    run this. Backups go on where they stopped. docs/reference/recovery.md has the commands.

    Example: tenantkeep recover --storage … --key … rewrap --vault https://vault.example:8200 --role-id backup-service
    --secret-id-file backup-service.secret-id
    """
    from tenantkeep.recover import vault_keys  # noqa: PLC0415 - loads the engine, see the package
    from tenantkeep.recover.transit import VaultAccess  # noqa: PLC0415 - as above

    access: Access = context.obj
    where = VaultAccess(vault, role_id, secret_id_file, access.ca_file)
    vault_keys.rewrap(access, Screen(lang, as_json=as_json), where, transit_key)


@app.command("rotate")
@reported
def rotate(
    context: typer.Context,
    *,
    vault: Annotated[str, typer.Option(help="https URL of the vault.")],
    role_id: Annotated[str, typer.Option(help="AppRole role id that may wrap with the tenant's key.")],
    secret_id_file: Annotated[Path, typer.Option(help="File with its secret id.", exists=True, dir_okay=False)],
    transit_key: Annotated[str, typer.Option(help="Name of the key. [default: tenant-<tenant>]")] = "",
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Draw a new data key; what is written from now on is sealed with it, what is stored stays under the older ones.

    After a data key may have become known, or as often as your rules want it. It is wrapped to the vault's key and to
    the recovery key: the file there is opens it, too. Restart the workers to have it at once.

    Example: tenantkeep recover --storage … --key … rotate --vault https://vault.example:8200 --role-id backup-service
    --secret-id-file backup-service.secret-id
    """
    from tenantkeep.recover import vault_keys  # noqa: PLC0415 - loads the engine, see the package
    from tenantkeep.recover.transit import VaultAccess  # noqa: PLC0415 - as above

    access: Access = context.obj
    where = VaultAccess(vault, role_id, secret_id_file, access.ca_file)
    vault_keys.rotate(access, Screen(lang, as_json=as_json), where, transit_key)


@app.command("maintain")
@reported
def maintain(context: typer.Context, *, lang: Lang = "en", as_json: Json = False) -> None:
    """Remove what has expired, with an account that may delete, while the services' own may only add.

    The same as `tenantkeep backup maintain`, which is the way where the services may delete; safe beside running
    backups. A call deletes what one at least 24 hours before has condemned: run it once a week or so.

    Exit code 3: the storage refused to delete something, or a pack is damaged. Exit code 1: something cannot be read,
    and nothing was removed.

    Example: tenantkeep recover --storage sftp://tenantkeep@backup.example.com/srv/backup --ssh-key-file storage-admin
    --host-key "ssh-ed25519 AAAA…" --key contoso.recovery-key maintain
    """
    from tenantkeep.recover import maintaining  # noqa: PLC0415 - loads the engine, see the package

    maintaining.maintain(context.obj, Screen(lang, as_json=as_json), at=datetime.now(UTC))


@app.command("keys")
@reported
def keys(context: typer.Context, *, lang: Lang = "en", as_json: Json = False) -> None:
    """Show which keys open the repository; needs none of them.

    Destroying all of them, and only all of them, makes the backups unreadable for ever.

    Example: tenantkeep recover --storage s3://s3.example.com/bucket/contoso --access-key … keys
    """
    from tenantkeep.recover import actions  # noqa: PLC0415 - loads the engine, see the package

    actions.show_keys(context.obj, Screen(lang, as_json=as_json))
