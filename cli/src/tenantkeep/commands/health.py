"""`tenantkeep health`."""

from collections.abc import Sequence

import typer

from contracts.names import Health
from contracts.views import HealthView
from tenantkeep.commands import figures, labels
from tenantkeep.commands.choose import tenant_of
from tenantkeep.commands.client import connect
from tenantkeep.commands.options import Json, Lang, TenantName
from tenantkeep.commands.output import Screen, reported
from tenantkeep.exit_codes import ExitCode


@reported
def health(*, tenant: TenantName = None, lang: Lang = "en", as_json: Json = False) -> None:
    """Show the health of a tenant's jobs over 24 hours; exit code 0 only if nothing is critical or unknown.

    Example: tenantkeep health --tenant contoso
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        found = gateway.health(tenant_of(gateway, tenant))
    if as_json:
        screen.document({"items": found})
    else:
        show_health(screen, found)
    good = bool(found) and all(item.health is Health.HEALTHY for item in found)
    raise typer.Exit(ExitCode.SUCCEEDED if good else ExitCode.FAILED)


def show_health(screen: Screen, found: Sequence[HealthView]) -> None:
    """A row per kind of job; every ratio with its denominator."""
    headers = (
        labels.KIND,
        labels.HEALTH,
        labels.FAILURE_RATIO,
        labels.PARTIAL_RATIO,
        labels.LAST_SUCCESS,
        labels.REASON,
    )
    screen.table(headers, [_row(item, screen) for item in found])


def _row(item: HealthView, screen: Screen) -> tuple[str, ...]:
    denominator = item.succeeded + item.partial + item.failed
    return (
        screen.text(labels.KINDS[item.kind]),
        labels.code(item.health, screen.language),
        f"{figures.percent(item.failure_ratio)} ({figures.coverage(item.failed, denominator)})",
        f"{figures.percent(item.partial_ratio)} ({figures.coverage(item.partial, denominator)})",
        figures.moment(item.last_success_at),
        labels.health_reason(item.reason, screen.language),
    )
