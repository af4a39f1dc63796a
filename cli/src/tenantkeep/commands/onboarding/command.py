"""`tenantkeep onboard`: from nothing to productive, with one human step."""

from pathlib import Path
from typing import Annotated

import typer

from contracts.onboarding import OnboardingView
from contracts.schedules import DEFAULT_SCHEDULE, DEFAULT_TIME_ZONE
from contracts.texts import Text
from contracts.views import Tenant
from tenantkeep.commands.apps_file import AppsFile, AppsPath, read_apps
from tenantkeep.commands.client import Gateway, connect
from tenantkeep.commands.clock import SystemClock
from tenantkeep.commands.contacts import SecurityContact, SupportContact, wanted
from tenantkeep.commands.errors import Refused, usage
from tenantkeep.commands.onboarding.human_steps import Upload
from tenantkeep.commands.onboarding.state import show_missing
from tenantkeep.commands.onboarding.walk import Means, Walk
from tenantkeep.commands.options import Json, Lang, Timeout
from tenantkeep.commands.output import Screen, reported
from tenantkeep.commands.papers.command import gathered, write
from tenantkeep.commands.papers.document import PaperFormat, render
from tenantkeep.commands.recovery_key import KeyFile, Passphrase, PassphraseFile, default_file, made
from tenantkeep.commands.tenant import tenant_body
from tenantkeep.exit_codes import ExitCode

_NOT_FOUND = 404


@reported
def onboard(
    *,
    tenant: Annotated[str, typer.Argument(help="Slug: 1 to 32 of a-z, 0-9 and -.")],
    apps: AppsPath = None,
    entra_tenant_id: Annotated[str | None, typer.Option(help="Entra tenant id, if there is no --apps file.")] = None,
    display_name: Annotated[str | None, typer.Option(help="Name people read. [default: the slug]")] = None,
    support: SupportContact = None,
    security: SecurityContact = None,
    embedded: Annotated[
        bool, typer.Option("--embedded", help="Store in the object store of the embedded stack.")
    ] = False,
    target: Annotated[str | None, typer.Option(help="Storage target, by name or id. [default: the only one]")] = None,
    configuration: Annotated[str, typer.Option(help="Name of the backup configuration.")] = "nightly",
    schedule: Annotated[str, typer.Option(help="When backups run, as in `backup configure`.")] = DEFAULT_SCHEDULE,
    time_zone: Annotated[str, typer.Option(help="Time zone of the schedule.")] = DEFAULT_TIME_ZONE,
    keep: Annotated[
        str | None, typer.Option(help="How long restore points are kept, such as 1y. [default: 90d]")
    ] = None,
    consent_by: Annotated[str, typer.Option(help="Who consents; recorded where the directory tells nobody.")] = "",
    document: Annotated[
        Path | None,
        typer.Option("--handover", dir_okay=False, help="Hand-over document. [default: TENANT-handover.html]"),
    ] = None,
    recovery_key_file: KeyFile = None,
    passphrase_file: PassphraseFile = None,
    passphrase: Passphrase = None,
    timeout: Timeout = 3600.0,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Take a tenant from nothing to productive: every step that is missing, in its order.

    It registers the tenant, makes its recovery key, sets the apps' credentials, adds the storage target and the
    configuration, runs the test backup and writes the hand-over document. It says which certificate somebody uploads to
    which app, gives the consent link for the customer's administrator, and waits. Steps that are done are left alone:
    run it again and it goes on where it stopped. A step without means (no --apps, no --embedded) is named with its
    command. Of each profile the --apps file tells "client_id" and one of: "client_secret"; "certificate_file" and
    "key_file" (PEM, relative to the file); "vault_key": true, for a key that is made in the vault and never leaves it.

    Exits 0 when productive, 1 when a person has to do something first, 4 when the time was over.

    Example: tenantkeep onboard contoso --apps contoso.json --embedded --support "Service desk <desk@contoso.com>"

    Example: tenantkeep onboard contoso --target archive --schedule "daily 01:30" --time-zone Europe/Berlin --keep 1y
    """
    screen, clock = Screen(lang, as_json=as_json), SystemClock()
    known = None if apps is None else read_apps(apps)
    means = Means(known, embedded, target, configuration, schedule, time_zone, keep)
    with connect(screen) as gateway:
        name, key = display_name or tenant, (recovery_key_file, passphrase_file, passphrase)
        registered = _entered(gateway, screen, tenant, known, identity=entra_tenant_id, name=name, key=key)
        if support is not None or security is not None:
            gateway.set_contacts(tenant, wanted(registered, support, security))
        walk = Walk(gateway, screen, tenant, means, clock, clock.now() + timeout)
        found = walk.run()
        paper = (document or Path(f"{tenant}-handover.html")) if walk.is_done(found) else None
        if paper is not None:
            _hand_over(gateway, screen, tenant, consent_by, paper)
    _end(screen, found, list(walk.sign_ins.uploads.values()), paper)
    raise typer.Exit(_exit_code(walk, found))


def _entered(
    gateway: Gateway,
    screen: Screen,
    tenant: str,
    known: AppsFile | None,
    *,
    identity: str | None,
    name: str,
    key: tuple[Path | None, Path | None, str | None],
) -> Tenant:
    """The tenant as it is registered, or was just now with a new recovery key; `key` is its file and passphrase."""
    registered = _registered(gateway, tenant)
    if registered is None:
        entra = _identity(known, identity)
        file, passphrase_file, passphrase = key
        public = made(screen, tenant, file or default_file(tenant), passphrase_file, passphrase)
        body = tenant_body(tenant, entra, name).model_copy(update={"recovery_key": public})
        return gateway.register_tenant(body)
    if known is not None and known.tenant_id != registered.entra_tenant_id:
        raise usage(
            f"The apps file is about another Entra tenant than {tenant}.",
            f"Die Apps-Datei gehört zu einem anderen Entra-Mandanten als {tenant}.",
        )
    return registered


def _registered(gateway: Gateway, tenant: str) -> Tenant | None:
    try:
        return gateway.tenant(tenant)
    except Refused as error:
        if error.problem.status != _NOT_FOUND:
            raise
        return None


def _identity(apps: AppsFile | None, given: str | None) -> str:
    if given is None and apps is None:
        raise usage("Give --apps or --entra-tenant-id.", "--apps oder --entra-tenant-id angeben.")
    return given or ("" if apps is None else apps.tenant_id)


def _hand_over(gateway: Gateway, screen: Screen, tenant: str, consent_by: str, file: Path) -> None:
    wanted_format = PaperFormat.MARKDOWN if file.suffix == PaperFormat.MARKDOWN.suffix else PaperFormat.HTML
    write(file, render(gathered(gateway, tenant, consent_by).paper(screen.language), wanted_format))


def _end(screen: Screen, found: OnboardingView, uploads: list[Upload], paper: Path | None) -> None:
    if screen.as_json:
        handover = None if paper is None else str(paper)
        screen.document({"onboarding": found, "uploads": [one.document() for one in uploads], "handover": handover})
        return
    show_missing(screen, found)
    for upload in uploads:
        screen.say(Text("Still to be uploaded for {}: {}", "Noch hochzuladen für {}: {}"), upload.profile, upload.file)
    if paper is not None:
        screen.say(
            Text(
                "{} is productive. Hand-over document: {} (other languages and formats: tenantkeep handover {} --help)",
                "{} ist produktiv. Übergabedokument: {} (andere Sprachen und Formate: tenantkeep handover {} --help)",
            ),
            found.tenant,
            paper,
            found.tenant,
        )


def _exit_code(walk: Walk, found: OnboardingView) -> ExitCode:
    if walk.is_done(found):
        return ExitCode.SUCCEEDED
    return ExitCode.STILL_WAITING if walk.waits(found) else ExitCode.FAILED
