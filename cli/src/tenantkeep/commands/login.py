"""`tenantkeep login`."""

from pathlib import Path
from typing import Annotated

import typer
from pydantic import HttpUrl, TypeAdapter, ValidationError

from contracts.texts import Text
from tenantkeep.commands import session, settings
from tenantkeep.commands.client import Gateway
from tenantkeep.commands.errors import usage
from tenantkeep.commands.options import Json, Lang
from tenantkeep.commands.output import Screen, reported
from tenantkeep.commands.session import EmbeddedSession, RemoteSession

_HTTPS: TypeAdapter[HttpUrl] = TypeAdapter(HttpUrl)


@reported
def login(
    *,
    url: Annotated[str | None, typer.Option(help="https URL of the gateway.")] = None,
    issuer: Annotated[str | None, typer.Option(help="https URL of the OpenID Connect issuer.")] = None,
    client_id: Annotated[str | None, typer.Option(help="Client id at the issuer.")] = None,
    client_secret_file: Annotated[
        Path | None, typer.Option(help="File with the client secret; only its path is stored.")
    ] = None,
    scope: Annotated[str, typer.Option(help="Scope to ask for, if the issuer wants one.")] = "",
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Sign in and remember it for the other commands.

    Without options at the embedded stack of TENANTKEEP_HOME. Tokens renew themselves.

    Example: tenantkeep login --url https://backup.example --issuer https://login.example --client-id ops
    --client-secret-file ops.secret
    """
    screen = Screen(lang, as_json=as_json)
    home, ca_file = settings.home(), settings.load().ca_file
    wanted = _session(
        url=url,
        issuer=issuer,
        client_id=client_id,
        client_secret_file=client_secret_file,
        scope=scope,
        ca_file=ca_file,
    )
    access = session.access(home, wanted, ca_file)
    with Gateway(access) as gateway:
        tenants = gateway.tenants()  # proves token and gateway before anything is stored
    session.save(home, wanted)
    if as_json:
        screen.document({"url": access.url, "issuer": access.issuer, "tenants": [t.tenant for t in tenants]})
        return
    screen.say(
        Text(
            "Signed in at {} ({} tenants). Next: tenantkeep tenant add --help",
            "Angemeldet an {} ({} Mandanten). Weiter: tenantkeep tenant add --help",
        ),
        access.url,
        len(tenants),
    )


def _session(
    *,
    url: str | None,
    issuer: str | None,
    client_id: str | None,
    client_secret_file: Path | None,
    scope: str,
    ca_file: Path | None,
) -> EmbeddedSession | RemoteSession:
    given = (url, issuer, client_id, client_secret_file)
    if not any(given):
        return EmbeddedSession()
    if url is None or issuer is None or client_id is None or client_secret_file is None:
        raise usage(
            "--url, --issuer, --client-id and --client-secret-file belong together.",
            "--url, --issuer, --client-id und --client-secret-file gehören zusammen.",
        )
    return RemoteSession(
        url=_https(url),
        issuer=_https(issuer),
        client_id=client_id,
        client_secret_file=client_secret_file.absolute(),
        scope=scope,
        ca_file=None if ca_file is None else ca_file.absolute(),
    )


def _https(url: str) -> str:
    """A token may only travel encrypted."""
    try:
        parsed = _HTTPS.validate_python(url)
    except ValidationError:
        parsed = None
    if parsed is None or parsed.scheme != "https":
        raise usage(f"{url} is no https URL.", f"{url} ist keine https-Adresse.")
    return url.rstrip("/")
