"""`tenantkeep source …`: systems of others that may ask for work and hear what becomes of it."""

import json
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError

from contracts.foreign_sources import API_PREFIX, EVENTS, ForeignSource, SourceName
from contracts.names import Slug
from contracts.texts import Text
from tenantkeep.commands import figures, labels, settings
from tenantkeep.commands.client import connect
from tenantkeep.commands.errors import usage
from tenantkeep.commands.options import Json, Lang
from tenantkeep.commands.output import Screen, reported
from tenantkeep.stack import bus_accounts, sources
from tenantkeep.stack import register as registers
from tenantkeep.stack import settings as stack_settings

app = typer.Typer(help="Systems of others on the bus: what they may ask for, and for whom.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the source, as in crm: 1 to 32 of a-z, 0-9 and -.")]
File = Annotated[
    Path | None,
    typer.Option("--register", dir_okay=False, help="Register of a bus of your own. [default: the embedded stack's]"),
]


@app.command("add")
@reported
def add(
    *,
    name: Name,
    tenants: Annotated[list[str], typer.Option("--tenant", "-t", help="Slug of a tenant; may be repeated.")],
    credentials: Annotated[
        Path | None, typer.Option(dir_okay=False, help="File for the source's nkey seed. [default: NAME.nk]")
    ] = None,
    register: File = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Give a system a bus user of its own. A source that exists gets these tenants instead of those it had.

    It may publish its requests for these tenants and read their events from its own durable, nothing else. Its
    nkey seed is written into one file, for you to hand over, and kept nowhere else.

    Example: tenantkeep source add crm --tenant contoso --tenant fabrikam --credentials crm.nk
    """
    screen = Screen(lang, as_json=as_json)
    slugs = _checked(screen, name, tenants)
    made = registers.add(_path(register), name, slugs, credentials or Path(f"{name}.nk"))
    place = None if made.credentials is None else str(made.credentials)
    _applied(screen, register)
    if as_json:
        screen.document({**_shown(made.source), "credentials": place})
        return
    screen.say(
        Text("Source {} may speak for: {}", "Quelle {} darf sprechen für: {}"), name, ", ".join(made.source.tenants)
    )
    screen.say(
        Text("API prefix {}, stream {}, durable {}", "API-Präfix {}, Stream {}, Durable {}"),
        API_PREFIX,
        EVENTS.name,
        made.source.durable,
    )
    if place is None:
        screen.say(
            Text(
                "It was registered before and keeps its seed. For a new one: tenantkeep source remove, then add.",
                "Sie war schon eingetragen und behält ihren Seed. Für einen neuen: tenantkeep source remove, dann add.",
            )
        )
    else:
        screen.say(
            Text(
                "Its seed is in {}. Hand it over and delete the file: it is shown nowhere else.",
                "Ihr Seed steht in {}. Übergeben und die Datei löschen: Er wird nirgends sonst gezeigt.",
            ),
            place,
        )


@app.command("list")
@reported
def list_(register: File = None, lang: Lang = "en", as_json: Json = False) -> None:
    """List the registered sources.

    Example: tenantkeep source list
    """
    screen = Screen(lang, as_json=as_json)
    known = registers.load(_path(register)).sources
    if as_json:
        screen.document({"items": [_shown(source) for source in known]})
        return
    rows = [(s.name, ", ".join(s.tenants), s.durable, figures.moment(s.created_at)) for s in known]
    screen.table((labels.NAME, labels.TENANT, labels.DURABLE, labels.CREATED), rows)


@app.command("remove")
@reported
def remove(name: Name, register: File = None, lang: Lang = "en", as_json: Json = False) -> None:
    """Revoke a source: its connections are closed, its durable is deleted. What it asked for before goes on.

    Example: tenantkeep source remove crm
    """
    screen = Screen(lang, as_json=as_json)
    gone = registers.remove(_path(register), name)
    _applied(screen, register)
    if as_json:
        screen.document(_shown(gone))
        return
    screen.say(Text("Source {} is revoked.", "Quelle {} ist widerrufen."), name)


@app.command("config")
@reported
def config(register: File = None, lang: Lang = "en") -> None:
    """Print the accounts of all sources as configuration of nats-server, to be merged into its `accounts`.

    For a bus of your own; the embedded stack follows its register by itself.

    Example: tenantkeep source config --register sources.json > sources.conf.json
    """
    accounts = bus_accounts.foreign(registers.load(_path(register)))
    Screen(lang, as_json=True).document(accounts)


def _path(given: Path | None) -> Path:
    return given or settings.home().sources


def _checked(screen: Screen, name: str, tenants: list[str]) -> tuple[str, ...]:
    """The tenants, all of which exist; a usage error otherwise."""
    try:
        TypeAdapter(SourceName).validate_python(name)
    except ValidationError:
        raise usage(
            f"{name} cannot name a source: 1 to 32 of a-z, 0-9 and -, and not a service of Tenantkeep.",
            f"{name} kann keine Quelle heißen: 1 bis 32 aus a-z, 0-9 und -, und kein Dienst von Tenantkeep.",
        ) from None
    with connect(screen) as gateway:
        known = {tenant.tenant for tenant in gateway.tenants()}
    unknown = ", ".join(tenant for tenant in tenants if tenant not in known)
    if unknown:
        there = ", ".join(sorted(known)) or "–"
        raise usage(f"No such tenant: {unknown}. There are: {there}", f"Kein Mandant: {unknown}. Vorhanden: {there}")
    return tuple(TypeAdapter(Slug).validate_python(tenant) for tenant in tenants)


def _applied(screen: Screen, register: Path | None) -> None:
    """Let the embedded bus follow; for another one, say what remains to be done."""
    if register is not None:
        screen.say(
            Text(
                "Now merge `tenantkeep source config --register {}` into the bus' accounts, reload it twice, and run "
                "the bootstrap with TENANTKEEP_BUS_SOURCES={}.",
                "Jetzt `tenantkeep source config --register {}` in die Accounts des Busses übernehmen, ihn zweimal neu "
                "laden und den Bootstrap mit TENANTKEEP_BUS_SOURCES={} ausführen.",
            ),
            register,
            register,
        )
        return
    if not sources.apply(settings.home(), stack_settings.load()):
        screen.say(
            Text("The bus does not run; it follows at its next start.", "Der Bus läuft nicht; er folgt beim Start.")
        )


def _shown(source: ForeignSource) -> dict[str, object]:
    shown: dict[str, object] = json.loads(source.model_dump_json(exclude={"public_key"}))
    return {**shown, "durable": source.durable}
