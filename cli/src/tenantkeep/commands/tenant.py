"""`tenantkeep tenant …`."""

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from contracts.api import TenantBody, VaultKeyBody
from contracts.names import Profile, TokenStatus
from contracts.texts import Text, render
from contracts.views import Tenant, TokenView
from tenantkeep.commands import figures, labels, token_pages
from tenantkeep.commands.apps_file import AppsFile, AppsPath, read_apps
from tenantkeep.commands.choose import tenant_of
from tenantkeep.commands.client import Gateway, connect
from tenantkeep.commands.clock import Clock, SystemClock
from tenantkeep.commands.consent import consent
from tenantkeep.commands.contacts import contacts, show_support
from tenantkeep.commands.credential_body import credential_body, set_body
from tenantkeep.commands.errors import CommandError, Refused, usage
from tenantkeep.commands.onboarding.state import onboarding
from tenantkeep.commands.options import Json, Lang, TenantName, Timeout
from tenantkeep.commands.output import Screen, reported
from tenantkeep.commands.recovery_key import KeyFile, Passphrase, PassphraseFile, default_file, recovery_key
from tenantkeep.commands.recovery_key import made as made_key
from tenantkeep.commands.recovery_key import show as show_recovery_key
from tenantkeep.exit_codes import ExitCode

app = typer.Typer(help="Tenants, their app registrations and tokens.", no_args_is_help=True)

_INTERVAL = 0.5
_NOT_FOUND = 404
_PENDING = frozenset({TokenStatus.UNKNOWN})


@app.command("add")
@reported
def add(
    *,
    tenant: Annotated[str, typer.Argument(help="Slug: 1 to 32 of a-z, 0-9 and -.")],
    apps: AppsPath = None,
    entra_tenant_id: Annotated[str | None, typer.Option(help="Entra tenant id, if there is no --apps file.")] = None,
    display_name: Annotated[str | None, typer.Option(help="Name people read. [default: the slug]")] = None,
    support_contact: Annotated[str, typer.Option(help="Shown with every problem of this tenant.")] = "",
    recovery_key_file: KeyFile = None,
    passphrase_file: PassphraseFile = None,
    passphrase: Passphrase = None,
    no_recovery_key: Annotated[
        bool, typer.Option("--no-recovery-key", help="None: whoever loses the vault loses the backups.")
    ] = False,
    timeout: Timeout = 30.0,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Register a tenant; with --apps also set the credentials of its profiles and wait for the tokens.

    Its recovery key is made here and saved to a file, sealed to a passphrase: it opens the backups when everything
    else is gone. Only its public half is sent.

    Example: tenantkeep tenant add contoso --apps contoso-apps.json
    """
    screen = Screen(lang, as_json=as_json)
    known = None if apps is None else _without_vault_keys(read_apps(apps), tenant, apps)
    identity = entra_tenant_id or (None if known is None else known.tenant_id)
    if identity is None:
        raise usage("Give --apps or --entra-tenant-id.", "--apps oder --entra-tenant-id angeben.")
    body = tenant_body(tenant, identity, display_name or tenant, support_contact)
    with connect(screen) as gateway:
        file = None if no_recovery_key else recovery_key_file or default_file(tenant)
        if file is not None:
            public_key = made_key(screen, tenant, file, passphrase_file, passphrase)
            body = body.model_copy(update={"recovery_key": public_key})
        made = gateway.register_tenant(body)
        tokens = [] if known is None else set_credentials(gateway, tenant, known)
        if tokens:
            tokens = wait_for_tokens(gateway, tenant, [t.profile for t in tokens], SystemClock(), timeout)
    _show(screen, made, tokens, file)
    raise typer.Exit(exit_code(tokens))


@app.command("list")
@reported
def list_(lang: Lang = "en", as_json: Json = False) -> None:
    """List the tenants you may see.

    Example: tenantkeep tenant list --json
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        tenants = gateway.tenants()
    if as_json:
        screen.document({"items": tenants})
        return
    rows = [(t.tenant, t.display_name, t.entra_tenant_id, figures.moment(t.created_at)) for t in tenants]
    screen.table((labels.TENANT, labels.NAME, labels.ENTRA_TENANT, labels.CREATED), rows)


@app.command("show")
@reported
def show(
    tenant: Annotated[str, typer.Argument(help="Slug of the tenant.")], lang: Lang = "en", as_json: Json = False
) -> None:
    """Show a tenant and the state of its tokens; values are never shown.

    Example: tenantkeep tenant show contoso
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        found, tokens = gateway.tenant(tenant), gateway.tokens(tenant)
    _show(screen, found, tokens)


@app.command("credential")
@reported
def credential(
    *,
    profile: Annotated[Profile, typer.Argument(help="App profile.")],
    client_id: Annotated[str, typer.Option(help="Client id of the app registration.")],
    client_secret_file: Annotated[
        Path | None, typer.Option(help="File with the client secret.", exists=True, dir_okay=False)
    ] = None,
    certificate_file: Annotated[
        Path | None, typer.Option(help="PEM certificate, uploaded to the app before.", exists=True, dir_okay=False)
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option(help="Its private key, PEM without passphrase.", exists=True, dir_okay=False)
    ] = None,
    tenant: TenantName = None,
    timeout: Timeout = 30.0,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Set the client secret, or certificate and key, of an app profile. It goes into the vault and cannot be read back.

    Example: tenantkeep tenant credential exchange-backup --client-id 1a2b… --client-secret-file backup.secret
    """
    screen = Screen(lang, as_json=as_json)
    body = credential_body(client_id, client_secret_file, certificate_file, key_file)
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        set_body(gateway, slug, profile, body)
        tokens = wait_for_tokens(gateway, slug, [profile], SystemClock(), timeout)
        _show(screen, gateway.tenant(slug), tokens)
    raise typer.Exit(exit_code(tokens) if tokens else ExitCode.STILL_WAITING)


app.command("consent")(consent)
app.command("contacts")(contacts)
app.command("onboarding")(onboarding)
app.command("recovery-key")(recovery_key)


def _without_vault_keys(known: AppsFile, tenant: str, file: Path) -> AppsFile:
    """A key in the vault is taken when somebody has uploaded its certificate; onboarding waits for that."""
    if any(isinstance(body, VaultKeyBody) for body in known.apps.values()):
        command = f"tenantkeep onboard {tenant} --apps {file}"
        raise CommandError(
            Text(
                "The apps file names keys in the vault, whose certificates have to be uploaded first.",
                "Die Apps-Datei nennt Schlüssel im Tresor, deren Zertifikate zuerst hochgeladen werden müssen.",
            ),
            Text(f"Onboarding waits for that: {command}", f"Das Onboarding wartet darauf: {command}"),
            ExitCode.USAGE,
            code="usage",
        )
    return known


def set_credentials(gateway: Gateway, tenant: str, known: AppsFile) -> list[TokenView]:
    """Set the credential of each profile of the file."""
    return [set_body(gateway, tenant, profile, body) for profile, body in known.apps.items()]


def wait_for_tokens(
    gateway: Gateway, tenant: str, profiles: list[Profile], clock: Clock, timeout: float
) -> list[TokenView]:
    """Look until each profile's token has a definite status or the time is over; returns the last look."""
    deadline = clock.now() + timeout
    while True:
        try:
            tokens = [token for token in gateway.tokens(tenant) if token.profile in profiles]
        except Refused as error:
            if error.problem.status != _NOT_FOUND:
                raise
            tokens = []
        settled = len(tokens) == len(profiles) and not any(t.status in _PENDING for t in tokens)
        if settled or clock.now() >= deadline:
            return tokens
        clock.pause(_INTERVAL)


def exit_code(tokens: list[TokenView]) -> ExitCode:
    """Active or expiring is good, unknown is still waiting, anything else failed."""
    good = (TokenStatus.ACTIVE, TokenStatus.EXPIRING)
    if all(token.status in good for token in tokens):
        return ExitCode.SUCCEEDED
    bad = any(token.status not in (*good, *_PENDING) for token in tokens)
    return ExitCode.FAILED if bad else ExitCode.STILL_WAITING


def tenant_body(tenant: str, identity: str, name: str, contact: str = "") -> TenantBody:
    """A registration; a usage error for what cannot be one."""
    try:
        return TenantBody(tenant=tenant, entra_tenant_id=identity, display_name=name, support_contact=contact)
    except ValidationError as error:
        fields = ", ".join(str(e["loc"][0]) for e in error.errors(include_input=False))
        raise usage(f"Not valid: {fields}", f"Nicht gültig: {fields}") from None


def _show(screen: Screen, tenant: Tenant, tokens: list[TokenView], file: Path | None = None) -> None:
    if screen.as_json:
        known = {} if file is None else {"recovery_key_file": str(file)}
        screen.document({"tenant": tenant, "tokens": tokens, **known})
        return
    screen.say(
        Text("Tenant {} ({}), Entra id {}", "Mandant {} ({}), Entra-ID {}"),
        tenant.tenant,
        tenant.display_name,
        tenant.entra_tenant_id,
    )
    show_recovery_key(screen, tenant, file)
    if not tokens:
        screen.say(
            Text(
                "No credentials yet: tenantkeep tenant credential --help",
                "Noch keine Zugangsdaten: tenantkeep tenant credential --help",
            )
        )
        return
    rows = [_token_row(token, screen.language) for token in tokens]
    screen.table((labels.PROFILE, labels.STATUS, labels.CLIENT, labels.EXPIRES, labels.PROBLEM), rows)
    if any(token.problem is not None for token in tokens):
        show_support(screen, tenant)


def _token_row(token: TokenView, language: str) -> tuple[str, ...]:
    problem = ""
    if token.problem is not None:
        title, remedy = labels.error_title(token.problem, language), token_pages.next_step(token, language)
        problem = f"{title} → {remedy} {token.detail}".strip()
    elif token.without:
        problem = f"{render(labels.WITHOUT, language)} {', '.join(token.without)}"
    status = labels.code(token.status, language)
    return token.profile, status, token.client_id or "", figures.moment(token.expires_at), problem
