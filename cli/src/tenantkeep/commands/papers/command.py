"""`tenantkeep handover`: the document a customer gets when a tenant is theirs to use."""

from pathlib import Path
from typing import Annotated

import typer

from contracts.api import ConsentGiverBody
from contracts.names import ConsentSource
from contracts.texts import Text
from contracts.views import TokenView
from tenantkeep.commands.client import Gateway, connect
from tenantkeep.commands.errors import CommandError
from tenantkeep.commands.options import Json, Lang
from tenantkeep.commands.output import Screen, reported
from tenantkeep.commands.papers.document import PaperFormat, render
from tenantkeep.commands.papers.handover import Giver, Handover
from tenantkeep.exit_codes import ExitCode

Format = Annotated[PaperFormat, typer.Option("--format", help="html or markdown.")]
Out = Annotated[Path | None, typer.Option("--out", dir_okay=False, help="File to write. [default: print it]")]
Language = Annotated[str, typer.Option("--language", help="Language of the document: en or de.")]
StatusUrl = Annotated[
    str | None, typer.Option(help="Address where your customer sees the token status. [default: the API's]")
]

ConsentBy = Annotated[
    str, typer.Option(help="Who gave admin consent; recorded, as typed in, for profiles where nobody is.")
]


@reported
def handover(
    *,
    tenant: Annotated[str, typer.Argument(help="Slug of the tenant.")],
    language: Language = "en",
    wanted: Format = PaperFormat.HTML,
    out: Out = None,
    consent_by: ConsentBy = "",
    status_url: StatusUrl = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Make the hand-over document of a tenant, in German or English, as HTML or Markdown.

    It has the four points a customer must know: where the token status is, the contact for problems, who gave admin
    consent and when, and which test backup succeeded. Exits 3 when a point is still open; the document says which.

    Example: tenantkeep handover contoso --language de --format html --out contoso.html
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        found = gathered(gateway, tenant, consent_by, status_url)
    text = render(found.paper(german_or_english(language)), wanted)
    if out is not None:
        write(out, text)
        screen.say(Text("The hand-over document is in {}.", "Das Übergabedokument liegt in {}."), out)
    elif not as_json:
        typer.echo(text, nl=False)
    if as_json:
        screen.document(
            {"tenant": found.tenant, "onboarding": found.onboarding, "complete": found.complete, "document": text}
        )
    raise typer.Exit(ExitCode.SUCCEEDED if found.complete else ExitCode.PARTIAL)


def gathered(gateway: Gateway, tenant: str, consent_by: str, status_url: str | None = None) -> Handover:
    """What the document says, asked of the services."""
    tokens = gateway.tokens(tenant)
    return Handover(
        tenant=gateway.tenant(tenant),
        onboarding=gateway.onboarding(tenant),
        tokens=tuple(tokens),
        status_url=status_url or gateway.address(f"/tenants/{tenant}/tokens"),
        givers=tuple(_giver(gateway, token, consent_by) for token in tokens if token.client_id is not None),
    )


def _giver(gateway: Gateway, token: TokenView, named: str) -> Giver:
    """Who gave a profile's consent, as the record of its token in use says; `named` is recorded where nobody is."""
    records = gateway.token(token.tenant, token.profile).records
    used = next((record for record in records if record.ended is None), None)
    if used is not None and used.consent_by:
        return Giver(token.profile, used.consent_by, used.consent_source)
    if not named:
        return Giver(token.profile)
    gateway.set_consent_giver(token.tenant, token.profile, ConsentGiverBody(name=named))
    return Giver(token.profile, named, ConsentSource.TYPED)


def german_or_english(language: str) -> str:
    """`de` for whatever begins so, else `en`."""
    return "de" if language.lower().startswith("de") else "en"


def write(file: Path, text: str) -> None:
    """Put the document into a file; it takes the place of an earlier one. Raises CommandError."""
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(
            Text(f"{file}: {error.strerror}", f"{file}: {error.strerror}"),
            Text("Name another file with --out.", "Mit --out eine andere Datei nennen."),
            code="file",
        ) from error
