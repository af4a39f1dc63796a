"""`tenantkeep profiles certificate`: a key made in the vault, whose certificate a person uploads to the app."""

from pathlib import Path
from typing import Annotated

import typer

from contracts.names import Profile
from contracts.texts import Text
from contracts.tokens import VaultKeyOffer
from tenantkeep.commands import figures
from tenantkeep.commands.choose import tenant_of
from tenantkeep.commands.client import connect
from tenantkeep.commands.errors import CommandError
from tenantkeep.commands.options import Json, Lang, TenantName
from tenantkeep.commands.output import Screen, reported

_WHAT_NEXT = (
    Text(
        "1. Upload it: Microsoft Entra admin center > App registrations > the app > Certificates & secrets.",
        "1. Hochladen: Microsoft Entra Admin Center > App-Registrierungen > die App > Zertifikate & Geheimnisse.",
    ),
    Text(
        "2. Sign in with it: tenantkeep token generate {} --vault-key",
        "2. Damit anmelden: tenantkeep token generate {} --vault-key",
    ),
    Text(
        "3. Take what the app signed in with before off the app registration.",
        "3. Danach aus der App-Registrierung entfernen, womit sich die App vorher angemeldet hat.",
    ),
)


@reported
def certificate(
    *,
    profile: Annotated[Profile, typer.Argument(help="App profile.")],
    out: Annotated[
        Path | None, typer.Option("--out", dir_okay=False, help="File for the certificate. [default: print it]")
    ] = None,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Make a key for the app in the vault, and get its certificate. The key never leaves the vault.

    What the app signs in with stays in use until the new key is proven by `token generate --vault-key`. A repeat gives
    the same certificate as long as it is not in use.

    Example: tenantkeep profiles certificate exchange-backup --out exchange-backup.pem
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        offer = gateway.offer_vault_key(tenant_of(gateway, tenant), profile)
    if out is not None:
        write_certificate(offer, out)
    if as_json:
        screen.document(offer)
        return
    show(screen, offer, out)


def write_certificate(offer: VaultKeyOffer, file: Path) -> None:
    """Put the certificate into a file. Raises CommandError."""
    try:
        file.write_text(offer.certificate)
    except OSError as error:
        raise CommandError(
            Text(f"{file}: {error.strerror}", f"{file}: {error.strerror}"),
            Text("Choose a place that you may write to.", "Einen Ort wählen, an den Sie schreiben dürfen."),
            code="file",
        ) from error


def show(screen: Screen, offer: VaultKeyOffer, file: Path | None) -> None:
    """The certificate, how to know it again, and what to do with it."""
    screen.say(
        Text("Certificate of key {} for {}: {}", "Zertifikat zu Schlüssel {} für {}: {}"),
        offer.number,
        offer.profile,
        file or "",
    )
    if file is None:
        typer.echo(offer.certificate, nl=False)
    screen.say(Text("Thumbprint: {}", "Fingerabdruck: {}"), offer.thumbprint)
    screen.say(Text("Valid until: {}", "Gültig bis: {}"), figures.moment(offer.expires_at))
    for step in _WHAT_NEXT:
        screen.say(step, offer.profile)
