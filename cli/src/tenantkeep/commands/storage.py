"""`tenantkeep storage …`."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr, ValidationError

from contracts.api import S3Credentials, StorageTargetBody, StorageTargetResult
from contracts.texts import Text
from contracts.views import ProbeStep
from tenantkeep.commands import figures, labels, settings
from tenantkeep.commands.choose import tenant_of
from tenantkeep.commands.client import connect
from tenantkeep.commands.errors import usage
from tenantkeep.commands.options import Json, Lang, TenantName
from tenantkeep.commands.output import Screen, reported
from tenantkeep.stack import objects, stack
from tenantkeep.stack.home import Home

app = typer.Typer(help="Where backups are stored.", no_args_is_help=True)


@app.command("add")
@reported
def add(
    *,
    name: Annotated[str, typer.Argument(help="Name of the target.")],
    embedded: Annotated[bool, typer.Option("--embedded", help="The object store of the embedded stack.")] = False,
    endpoint: Annotated[str | None, typer.Option(help="https URL of the S3 service.")] = None,
    bucket: Annotated[str | None, typer.Option(help="Bucket; it must exist.")] = None,
    prefix: Annotated[str, typer.Option(help="Start of every key, such as backup/.")] = "",
    region: Annotated[str, typer.Option(help="Region of the bucket.")] = "us-east-1",
    access_key: Annotated[str | None, typer.Option(help="Access key id.")] = None,
    secret_key_file: Annotated[
        Path | None, typer.Option(help="File with the secret key.", exists=True, dir_okay=False)
    ] = None,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Add a storage target. It is saved only if every step of the connection test holds.

    Example: tenantkeep storage add archive --endpoint https://s3.example.com --bucket backups
    --access-key AKIA… --secret-key-file s3.secret

    Example: tenantkeep storage add local --embedded
    """
    screen = Screen(lang, as_json=as_json)
    with connect() as gateway:
        slug = tenant_of(gateway, tenant)
        if embedded:
            body = embedded_target(settings.home(), slug, name)
        else:
            body = _target(
                name=name,
                endpoint=endpoint,
                bucket=bucket,
                prefix=prefix,
                region=region,
                access_key=access_key,
                secret_key_file=secret_key_file,
            )
        result = gateway.create_storage_target(slug, body)
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
    with connect() as gateway:
        targets = gateway.storage_targets(tenant_of(gateway, tenant))
    if as_json:
        screen.document({"items": targets})
        return
    rows = [
        (t.name, t.id, t.endpoint, t.bucket, t.prefix, figures.moment(t.tested_at), t.recovery_key[:16] or "–")
        for t in targets
    ]
    headers = (
        labels.NAME, labels.ID, labels.ENDPOINT, labels.BUCKET, labels.PREFIX, labels.TESTED, labels.RECOVERY_KEY,
    )  # fmt: skip
    screen.table(headers, rows)


def embedded_target(home: Home, tenant: str, name: str) -> StorageTargetBody:
    """A target in the embedded object store: the tenant's own prefix and its own access key."""
    made = asyncio.run(objects.create_tenant_identity(home, stack.running_ports(home), tenant))
    return StorageTargetBody(
        name=name,
        endpoint=made["endpoint"],
        bucket=made["bucket"],
        region=made["region"],
        prefix=made["prefix"],
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
    return step.name, screen.text(labels.OK if step.ok else labels.FAILED), step.detail


def _target(
    *,
    name: str,
    endpoint: str | None,
    bucket: str | None,
    prefix: str,
    region: str,
    access_key: str | None,
    secret_key_file: Path | None,
) -> StorageTargetBody:
    if endpoint is None or bucket is None or access_key is None or secret_key_file is None:
        raise usage(
            "Give --embedded, or --endpoint, --bucket, --access-key and --secret-key-file.",
            "--embedded angeben oder --endpoint, --bucket, --access-key und --secret-key-file.",
        )
    try:
        credentials = S3Credentials(
            access_key=SecretStr(access_key), secret_key=SecretStr(secret_key_file.read_text().strip())
        )
        return StorageTargetBody(
            name=name, endpoint=endpoint, bucket=bucket, prefix=prefix, region=region, credentials=credentials
        )
    except ValidationError as error:
        fields = ", ".join(str(e["loc"][0]) for e in error.errors(include_input=False))
        raise usage(f"Not valid: {fields}", f"Nicht gültig: {fields}") from None
