"""`tenantkeep token …`: the tokens of a tenant's app profiles, from generating to deleting. Values are never shown."""

from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError

from contracts.api import TokenNoteBody
from contracts.names import Profile, TokenStatus
from contracts.texts import Text
from contracts.token_texts import QUICK_REFERENCE
from contracts.tokens import NoteText, TokenCheck
from contracts.views import TokenView
from tenantkeep.commands import labels, token_pages
from tenantkeep.commands.choose import named, tenant_of
from tenantkeep.commands.client import Gateway, connect
from tenantkeep.commands.errors import usage
from tenantkeep.commands.following import follow_or_tell
from tenantkeep.commands.options import Json, Lang, TenantName, Timeout, Wait
from tenantkeep.commands.output import Screen, reported
from tenantkeep.commands.token_generate import generate
from tenantkeep.exit_codes import ExitCode

app = typer.Typer(help="Tokens of the app profiles: look, generate, renew, verify, retire.", no_args_is_help=True)

AppProfile = Annotated[Profile, typer.Argument(help="App profile.")]
_GOOD = frozenset({TokenStatus.ACTIVE, TokenStatus.EXPIRING})

app.command("generate")(generate)


@app.command("list")
@reported
def list_(tenant: TenantName = None, lang: Lang = "en", as_json: Json = False) -> None:
    """List the tokens of a tenant with their status, end and next step.

    Example: tenantkeep token list
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        token_pages.overview(screen, gateway.tokens(tenant_of(gateway, tenant)))


@app.command("show")
@reported
def show(profile: AppProfile, tenant: TenantName = None, lang: Lang = "en", as_json: Json = False) -> None:
    """Show a token: status, problem with cause and measure, who generated it, who gave consent, notes.

    Example: tenantkeep token show exchange-backup
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        token_pages.details(screen, gateway.token(tenant_of(gateway, tenant), profile))


@app.command("renew")
@reported
def renew(profile: AppProfile, tenant: TenantName = None, lang: Lang = "en", as_json: Json = False) -> None:
    """Renew a token now. The one before stays when Microsoft issues no new one.

    Example: tenantkeep token renew exchange-backup
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        renewed = gateway.renew_token(tenant_of(gateway, tenant), profile)
    token_pages.overview(screen, [renewed])
    raise typer.Exit(ExitCode.SUCCEEDED if _well(renewed) else ExitCode.FAILED)


@app.command("verify")
@reported
def verify(
    *,
    profile: AppProfile,
    test_backup: Annotated[
        str | None, typer.Option(help="Then run this backup configuration, by name or id, as the test.")
    ] = None,
    wait: Wait = False,
    timeout: Timeout = 3600.0,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Verify a token: its status, and one call per workload of the profile; then a test backup, if wanted.

    Example: tenantkeep token verify exchange-backup --test-backup nightly --wait
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        check = gateway.verify_token(slug, profile)
        if check.probe == "effective" and test_backup is not None:
            token_pages.check(screen, check)
            chosen = named(gateway.configurations(slug), test_backup, labels.NAME)
            run = gateway.start_backup(slug, chosen.id)
            follow_or_tell(screen, gateway, slug, run, wait=wait, timeout=timeout)
        _report(screen, gateway, slug, check)
    raise typer.Exit(_VERDICTS[check.probe])


_VERDICTS = {
    "effective": ExitCode.SUCCEEDED,
    "not_effective": ExitCode.FAILED,
    "unproven": ExitCode.STILL_WAITING,
    "no_token": ExitCode.FAILED,
}


@app.command("deactivate")
@reported
def deactivate(profile: AppProfile, tenant: TenantName = None, lang: Lang = "en", as_json: Json = False) -> None:
    """Switch a token off: token and credential are destroyed here. First generate the new one, then the old one off.

    Example: tenantkeep token deactivate exchange-restore
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        token_pages.overview(screen, [gateway.deactivate_token(tenant_of(gateway, tenant), profile)])
    screen.say(token_pages.TAKE_IT_OFF)


@app.command("delete")
@reported
def delete(
    *,
    profile: AppProfile,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Delete a token and forget its app registration; records and notes stay. For administrators.

    Example: tenantkeep token delete exchange-restore
    """
    screen = Screen(lang, as_json=as_json)
    if not yes and not typer.confirm(screen.text(Text("Delete it?", "Löschen?")), err=True):
        raise typer.Exit(ExitCode.FAILED)
    with connect(screen) as gateway:
        token_pages.overview(screen, [gateway.delete_token(tenant_of(gateway, tenant), profile)])
    screen.say(token_pages.TAKE_IT_OFF)


@app.command("note")
@reported
def note(
    *,
    profile: AppProfile,
    text: Annotated[str, typer.Argument(help="What happened, up to 500 characters.")],
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Put a dated note on a token.

    Example: tenantkeep token note exchange-backup "Moved to the new app registration."
    """
    screen = Screen(lang, as_json=as_json)
    try:
        words = TypeAdapter(NoteText).validate_python(text)
    except ValidationError:
        raise usage("A note has 1 to 500 characters.", "Eine Notiz hat 1 bis 500 Zeichen.") from None
    with connect(screen) as gateway:
        token_pages.details(screen, gateway.note_token(tenant_of(gateway, tenant), profile, TokenNoteBody(text=words)))


@app.command("guide")
@reported
def guide(lang: Lang = "en", as_json: Json = False) -> None:
    """Show the card for quick reference: what to do in which situation.

    Example: tenantkeep token guide --lang de
    """
    screen = Screen(lang, as_json=as_json)
    if as_json:
        cards = [{"situation": screen.text(s), "steps": [screen.text(t) for t in ts]} for s, ts in QUICK_REFERENCE]
        screen.document({"cards": cards})
    for situation, steps in QUICK_REFERENCE:
        screen.say(situation)
        for number, step in enumerate(steps, 1):
            screen.say(Text("  {}. {}", "  {}. {}"), number, screen.text(step))


def _well(token: TokenView) -> bool:
    return token.status in _GOOD and token.problem is None


def _report(screen: Screen, gateway: Gateway, tenant: str, check: TokenCheck) -> None:
    if screen.as_json:
        screen.document(check)
        return
    token_pages.check(screen, check)
    if check.test_backup:
        names = [each.name for each in gateway.configurations(tenant) if not each.paused]
        for name in names:
            screen.say(
                Text(
                    "Test it with a backup: tenantkeep token verify {} --test-backup {} --wait",
                    "Mit einer Sicherung testen: tenantkeep token verify {} --test-backup {} --wait",
                ),
                check.profile,
                name,
            )
