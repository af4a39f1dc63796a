"""`tenantkeep backup hold …`: what must not expire."""

from typing import Annotated

import typer

from contracts.api import LegalHoldBody, LegalHoldReleaseBody
from contracts.texts import Text
from contracts.views import LegalHold
from tenantkeep.commands import figures, labels
from tenantkeep.commands.choose import named, restore_point, tenant_of
from tenantkeep.commands.client import Gateway, connect
from tenantkeep.commands.errors import usage
from tenantkeep.commands.options import Json, Lang, TenantName
from tenantkeep.commands.output import Screen, reported

app = typer.Typer(help="Legal holds: what they cover does not expire.", no_args_is_help=True)

Reason = Annotated[str, typer.Option(help="Why; it stays on record.")]


@app.command("place")
@reported
def place(
    *,
    point: Annotated[
        str | None, typer.Argument(metavar="[RESTORE_POINT]", help="Id, or a mailbox for its newest one.")
    ] = None,
    reason: Reason,
    mailbox: Annotated[str | None, typer.Option(help="All of this mailbox, by address or id.")] = None,
    target: Annotated[str | None, typer.Option(help="All of this storage target, by name or id.")] = None,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Hold one restore point, a mailbox or a whole storage target, until it is released.

    Example: tenantkeep backup hold place --mailbox anna@contoso.com --reason "Lawsuit 4711"
    """
    screen = Screen(lang, as_json=as_json)
    chosen = {"point": point, "mailbox": mailbox, "target": target}
    if sum(value is not None for value in chosen.values()) != 1:
        raise usage(
            "Give RESTORE_POINT, --mailbox or --target.", "Wiederherstellungspunkt, --mailbox oder --target angeben."
        )
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        made = [gateway.place_hold(slug, body) for body in _bodies(gateway, slug, reason, **chosen)]
    _say(screen, made, Text("Hold {}: {}", "Sperre {}: {}"))


@app.command("list")
@reported
def list_(*, tenant: TenantName = None, lang: Lang = "en", as_json: Json = False) -> None:
    """List legal holds, newest first, released ones included.

    Example: tenantkeep backup hold list --tenant contoso
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        found = gateway.holds(tenant_of(gateway, tenant))
    if as_json:
        screen.document({"items": found})
        return
    headers = (labels.ID, labels.STATE, labels.HELD, labels.REASON, labels.SET_BY, labels.SET_AT, labels.DETAIL)
    screen.table(headers, [_row(hold, screen) for hold in found])


@app.command("release")
@reported
def release(
    *,
    hold: Annotated[str, typer.Argument(help="Id of the hold.")],
    reason: Reason,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Release a legal hold. What it covered expires at its own date, unless another hold covers it.

    Example: tenantkeep backup hold release HOLD --reason "settled"
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        released = gateway.release_hold(slug, hold, LegalHoldReleaseBody(reason=reason))
    _say(screen, [released], Text("Hold {}: {}", "Sperre {}: {}"))


def _bodies(
    gateway: Gateway, tenant: str, reason: str, *, point: str | None, mailbox: str | None, target: str | None
) -> list[LegalHoldBody]:
    """One hold, or one for each configuration that backs the mailbox up."""
    if point is not None:
        return [LegalHoldBody(restore_point=restore_point(gateway, tenant, point).id, reason=reason)]
    if target is not None:
        chosen = named(gateway.storage_targets(tenant), target, labels.TARGET)
        return [LegalHoldBody(target=chosen.id, reason=reason)]
    points = gateway.restore_points(tenant)
    found = {(p.configuration, p.resource) for p in points if mailbox in {p.resource, p.resource_name}}
    if not found:
        raise usage(f"No restore point of {mailbox}.", f"Kein Wiederherstellungspunkt von {mailbox}.")
    return [LegalHoldBody(configuration=c, resource=resource, reason=reason) for c, resource in sorted(found)]


def _say(screen: Screen, holds: list[LegalHold], text: Text) -> None:
    if screen.as_json:
        screen.document({"items": holds})
        return
    for hold in holds:
        screen.say(text, hold.id, labels.code(hold.state, screen.language))


def _row(hold: LegalHold, screen: Screen) -> tuple[str, ...]:
    covered = hold.restore_point or hold.resource or hold.target
    return (
        hold.id,
        labels.code(hold.state, screen.language),
        covered,
        hold.reason,
        hold.placed_by,
        figures.moment(hold.placed_at),
        hold.detail or hold.release_reason,
    )
