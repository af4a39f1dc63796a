"""`tenantkeep token generate`: look, set, wait for the proof. The token before stays until the new one is proven."""

from pathlib import Path
from typing import Annotated

import typer

from contracts.names import Profile, TokenStatus
from contracts.texts import Text
from contracts.token_texts import PREFLIGHT
from contracts.views import TokenView
from tenantkeep.commands import token_pages
from tenantkeep.commands.choose import tenant_of
from tenantkeep.commands.client import Gateway, connect
from tenantkeep.commands.credential_body import credential_body, set_body
from tenantkeep.commands.options import Json, Lang, TenantName
from tenantkeep.commands.output import Screen, reported
from tenantkeep.exit_codes import ExitCode


@reported
def generate(
    *,
    profile: Annotated[Profile, typer.Argument(help="App profile.")],
    client_id: Annotated[
        str | None, typer.Option(help="Client id of the app registration. [default: as before]")
    ] = None,
    client_secret_file: Annotated[
        Path | None, typer.Option(help="File with the client secret.", exists=True, dir_okay=False)
    ] = None,
    certificate_file: Annotated[
        Path | None, typer.Option(help="PEM certificate, uploaded to the app before.", exists=True, dir_okay=False)
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option(help="Its private key, PEM without passphrase.", exists=True, dir_okay=False)
    ] = None,
    vault_key: Annotated[
        bool, typer.Option("--vault-key", help="The key offered by `profiles certificate`, now that it is uploaded.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Everything is at hand: do not ask.")] = False,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Generate a new token for a profile; the one before stays in use until Microsoft has issued the new one.

    Shows first what should be at hand and which tokens exist already.

    Example: tenantkeep token generate exchange-backup --client-id 1a2b… --client-secret-file backup.secret

    Example: tenantkeep token generate exchange-backup --client-id 1a2b… --vault-key
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        before = preflight(screen, gateway, slug, profile, yes=yes)
        known, files = client_id or before.client_id, (client_secret_file, certificate_file, key_file)
        made = set_body(gateway, slug, profile, credential_body(known, *files, vault_key=vault_key))
    token_pages.overview(screen, [made])
    screen.say(Text("Verify it: tenantkeep token verify {}", "Prüfen: tenantkeep token verify {}"), profile)
    raise typer.Exit(ExitCode.SUCCEEDED if made.status is TokenStatus.ACTIVE else ExitCode.FAILED)


def preflight(screen: Screen, gateway: Gateway, tenant: str, profile: Profile, *, yes: bool) -> TokenView:
    """Show the pre-flight list and the tokens there are, and ask whether to go on; gives the profile's token."""
    known = gateway.tokens(tenant)
    if not screen.as_json:
        screen.say(Text("Before you begin, in tenant {}:", "Vor dem Beginn, im Mandanten {}:"), tenant)
        for point in PREFLIGHT:
            screen.say(Text("  - {}", "  - {}"), screen.text(point))
        token_pages.overview(screen, known)
    if not yes and not typer.confirm(screen.text(Text("Go on?", "Fortfahren?")), err=True):
        raise typer.Exit(ExitCode.FAILED)
    return next(token for token in known if token.profile is profile)
