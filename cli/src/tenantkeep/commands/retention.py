"""`tenantkeep backup retention …`: what is offered, and the least a tenant keeps."""

from typing import Annotated

import typer
from pydantic import ValidationError

from contracts.api import RetentionFloorBody
from contracts.retention import OFFERS
from contracts.texts import Text
from contracts.views import RetentionFloor
from tenantkeep.commands import figures, labels
from tenantkeep.commands.choose import tenant_of
from tenantkeep.commands.client import connect
from tenantkeep.commands.errors import usage
from tenantkeep.commands.options import Json, Lang, TenantName
from tenantkeep.commands.output import Screen, reported

app = typer.Typer(help="How long restore points are kept.", no_args_is_help=True)


@app.command("offers")
@reported
def offers(*, lang: Lang = "en", as_json: Json = False) -> None:
    """List what is offered for `backup configure --keep`. Any period in between can be written as well.

    Example: tenantkeep backup retention offers --lang de
    """
    screen = Screen(lang, as_json=as_json)
    if as_json:
        screen.document({"items": [{"keep": offer.scheme, "text": screen.text(offer.text)} for offer in OFFERS]})
        return
    screen.table((labels.RETENTION, labels.DETAIL), [(offer.scheme, screen.text(offer.text)) for offer in OFFERS])


@app.command("floor")
@reported
def floor(
    *,
    period: Annotated[str | None, typer.Argument(help="The new least retention, such as 1y; without: show it.")] = None,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Show or set the least retention of a tenant. It holds for restore points made from now on.

    Example: tenantkeep backup retention floor 1y --tenant contoso
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        found = gateway.retention_floor(slug) if period is None else gateway.set_retention_floor(slug, _body(period))
    if as_json:
        screen.document(found)
        return
    _show(screen, found)


def _body(period: str) -> RetentionFloorBody:
    try:
        return RetentionFloorBody(period=period)
    except ValidationError:
        raise usage(
            f"{period} is no period: write 90d, 18m, 6y or hgb-6y.",
            f"{period} ist kein Zeitraum: 90d, 18m, 6y oder hgb-6y schreiben.",
        ) from None


def _show(screen: Screen, floor: RetentionFloor) -> None:
    screen.say(
        Text("Restore points of {} are kept {} at the least.", "Stände von {} werden mindestens {} aufbewahrt."),
        floor.tenant,
        floor.period,
    )
    if floor.changes:
        headers = (labels.RETENTION, labels.SET_BY, labels.SET_AT)
        screen.table(headers, [(one.period, one.set_by, figures.moment(one.set_at)) for one in floor.changes])
