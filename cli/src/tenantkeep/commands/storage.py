"""`tenantkeep storage …`."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr, ValidationError

from contracts.api import S3Credentials, SFTPTargetBody, StorageTargetBody, StorageTargetResult
from contracts.names import AddressStyle, LockMode
from contracts.texts import STORAGE_FINDINGS, Text
from contracts.views import ProbeStep, StorageTarget
from tenantkeep.commands import figures, labels, settings
from tenantkeep.commands.choose import named, tenant_of
from tenantkeep.commands.client import connect
from tenantkeep.commands.errors import usage
from tenantkeep.commands.options import Json, KeyFile, Lang, PassphraseFile, PasswordFile, SecretKeyFile, TenantName
from tenantkeep.commands.output import Screen, reported
from tenantkeep.commands.recover_target import recover
from tenantkeep.commands.storage_bodies import invalid_fields, rate_limit, sftp_target, tested
from tenantkeep.commands.storage_credentials import credentials
from tenantkeep.exit_codes import ExitCode
from tenantkeep.stack import objects
from tenantkeep.stack import ports as stack_ports
from tenantkeep.stack.home import Home

app = typer.Typer(help="Where backups are stored.", no_args_is_help=True)


ObjectLock = Annotated[
    LockMode | None,
    typer.Option(
        "--object-lock",
        help="Keep objects from everybody (compliance), or from all without the right to bypass (governance); the "
        "bucket was made with object lock, which the connection test proves.",
        case_sensitive=False,
    ),
]
HostKeys = Annotated[
    list[str] | None,
    typer.Option(help="Public key of the SFTP server (ssh-ed25519 AAAA…); repeat it for more than one."),
]


@app.command("add")
@reported
def add(
    *,
    name: Annotated[str, typer.Argument(help="Name of the target.")],
    embedded: Annotated[bool, typer.Option("--embedded", help="The object store of the embedded stack.")] = False,
    endpoint: Annotated[str | None, typer.Option(help="https URL of the S3 service.")] = None,
    bucket: Annotated[str | None, typer.Option(help="Bucket; it must exist.")] = None,
    prefix: Annotated[str, typer.Option(help="Start of every key, such as backup/; each has a repository.")] = "",
    region: Annotated[str, typer.Option(help="Region of the bucket.")] = "us-east-1",
    access_key: Annotated[str | None, typer.Option(help="Access key id.")] = None,
    secret_key_file: SecretKeyFile = None,
    style: Annotated[AddressStyle, typer.Option(help="Where the bucket's name stands.")] = AddressStyle.AUTO,
    lock: ObjectLock = None,
    proxy: Annotated[str | None, typer.Option(help="URL of an HTTP proxy on the way to the S3 service.")] = None,
    limit: Annotated[
        str | None, typer.Option(help="Bytes per second in each direction and worker, such as 500k, 20M or 1G.")
    ] = None,
    sftp: Annotated[str | None, typer.Option(help="host:port of an SFTP server, instead of --endpoint.")] = None,
    user: Annotated[str | None, typer.Option(help="Account on the SFTP server.")] = None,
    folder: Annotated[str | None, typer.Option(help="Folder on the SFTP server.")] = None,
    host_key: HostKeys = None,
    key_file: KeyFile = None,
    passphrase_file: PassphraseFile = None,
    password_file: PasswordFile = None,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Add a storage target. It is saved only if every step of the connection test holds.

    Example: tenantkeep storage add archive --endpoint https://s3.example.com --bucket backups
    --access-key AKIA… --secret-key-file s3.secret

    Example: tenantkeep storage add offsite --sftp backup.example.com:22 --user tenantkeep --folder /srv/backup
    --host-key "ssh-ed25519 AAAA…" --key-file id_ed25519

    Example: tenantkeep storage add local --embedded
    """
    screen = Screen(lang, as_json=as_json)
    rate = None if limit is None else rate_limit(limit)
    if proxy is not None and (embedded or sftp is not None):
        raise usage("--proxy goes with --endpoint.", "--proxy gehört zu --endpoint.")
    if embedded and not all(one is None for one in (endpoint, bucket, access_key, secret_key_file, sftp)):
        raise usage(
            "--embedded is a store of its own: leave out endpoint, bucket, access key and --sftp.",
            "--embedded ist ein eigener Speicher: Endpoint, Bucket, Access-Key und --sftp weglassen.",
        )
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        if embedded:
            body: StorageTargetBody | SFTPTargetBody = embedded_target(settings.home(), slug, name, prefix)
        elif sftp is not None:
            files = {"private_key": key_file, "passphrase": passphrase_file, "password": password_file}
            body = sftp_target(
                name=name, address=sftp, user=user, folder=folder, host_keys=host_key or [], secrets=files
            )
        else:
            body = _target(
                name=name, endpoint=endpoint, bucket=bucket, prefix=prefix, region=region, access_key=access_key,
                secret_key_file=secret_key_file, style=style, lock=lock, proxy=proxy,
            )  # fmt: skip
        result = tested(gateway, slug, body.model_copy(update={"rate_limit": rate}), lang)
    if as_json:
        screen.document(result)
        return
    show_steps(screen, result)


@app.command("list")
@reported
def list_(tenant: TenantName = None, lang: Lang = "en", as_json: Json = False) -> None:
    """List the storage targets of a tenant.

    Example: tenantkeep storage list --tenant contoso
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        targets = gateway.storage_targets(tenant_of(gateway, tenant))
    if as_json:
        screen.document({"items": targets})
        return
    rows = [
        (
            t.name, t.id, t.endpoint, t.bucket, t.prefix, _lock(t, screen), figures.moment(t.tested_at),
            t.recovery_key[:16] or "–",
        )
        for t in targets
    ]  # fmt: skip
    headers = (
        labels.NAME, labels.ID, labels.ENDPOINT, labels.BUCKET, labels.PREFIX, labels.LOCK, labels.TESTED,
        labels.RECOVERY_KEY,
    )  # fmt: skip
    screen.table(headers, rows)


@reported
def try_again(
    *,
    target: Annotated[str, typer.Argument(help="Storage target, by name or id.")],
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Test the connection to a saved storage target. Exits 1 when a step does not hold.

    Example: tenantkeep storage test archive
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        found = named(gateway.storage_targets(slug), target, labels.TARGET)
        result = gateway.test_storage_target(slug, found.id)
    if as_json:
        screen.document(result)
    else:
        screen.table((labels.STEP, labels.RESULT, labels.DETAIL), [_step(step, screen) for step in result.steps])
    raise typer.Exit(ExitCode.SUCCEEDED if all(step.ok for step in result.steps) else ExitCode.FAILED)


app.command("test")(try_again)  # a function of that name would be taken for a test
app.command("recover")(recover)
app.command("credentials")(credentials)


def embedded_target(home: Home, tenant: str, name: str, prefix: str = "") -> StorageTargetBody:
    """A target in the embedded object store: below the tenant's own prefix, with its own access key."""
    made = asyncio.run(objects.create_tenant_identity(home, stack_ports.running(home), tenant))
    return StorageTargetBody(
        name=name,
        endpoint=made["endpoint"],
        bucket=made["bucket"],
        region=made["region"],
        prefix=f"{made['prefix']}{prefix}",
        credentials=S3Credentials(access_key=SecretStr(made["access_key"]), secret_key=SecretStr(made["secret_key"])),
    )


def show_steps(screen: Screen, result: StorageTargetResult) -> None:
    screen.table((labels.STEP, labels.RESULT, labels.DETAIL), [_step(step, screen) for step in result.steps])
    screen.say(
        Text("Storage target {} is saved ({}).", "Speicherziel {} ist gespeichert ({})."),
        result.target.name,
        result.target.id,
    )


def _step(step: ProbeStep, screen: Screen) -> tuple[str, str, str]:
    said = step.detail if step.finding is None else screen.text(STORAGE_FINDINGS[step.finding])
    return step.name, screen.text(labels.OK if step.ok else labels.FAILED), said


def _lock(target: StorageTarget, screen: Screen) -> str:
    return "" if target.lock is None else screen.text(labels.LOCKS[target.lock])


def _target(
    *,
    name: str,
    endpoint: str | None,
    bucket: str | None,
    prefix: str,
    region: str,
    access_key: str | None,
    secret_key_file: Path | None,
    style: AddressStyle,
    lock: LockMode | None,
    proxy: str | None,
) -> StorageTargetBody:
    if endpoint is None or bucket is None or access_key is None or secret_key_file is None:
        raise usage(
            "Give --embedded, or --sftp, or --endpoint, --bucket, --access-key and --secret-key-file.",
            "--embedded angeben oder --sftp oder --endpoint, --bucket, --access-key und --secret-key-file.",
        )
    try:
        credentials = S3Credentials(
            access_key=SecretStr(access_key), secret_key=SecretStr(secret_key_file.read_text().strip())
        )
        return StorageTargetBody(
            name=name,
            endpoint=endpoint,
            bucket=bucket,
            prefix=prefix,
            region=region,
            style=style,
            lock=lock,
            proxy=proxy,
            credentials=credentials,
        )
    except ValidationError as error:
        raise invalid_fields(error) from None
