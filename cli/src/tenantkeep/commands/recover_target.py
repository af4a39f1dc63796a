"""`tenantkeep storage recover`: after the document store was lost, its content comes back from a repository."""

from typing import Annotated

import typer

from contracts.texts import Text
from contracts.views import StorageTarget
from tenantkeep.commands import labels
from tenantkeep.commands.choose import named, tenant_of
from tenantkeep.commands.client import Gateway, connect
from tenantkeep.commands.clock import Clock, SystemClock
from tenantkeep.commands.errors import CommandError
from tenantkeep.commands.options import Json, Lang, TenantName, Timeout
from tenantkeep.commands.output import Screen, reported
from tenantkeep.exit_codes import ExitCode

_INTERVAL = 0.5


@reported
def recover(
    *,
    target: Annotated[str, typer.Argument(help="Storage target, by name or id: the place that was used before.")],
    tenant: TenantName = None,
    timeout: Timeout = 600.0,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Bring back from a storage target what was lost with the documents: configurations, restore points, employees.

    Register the tenant and add the storage target again first, with the endpoint, bucket and prefix it had. Backups
    then go on where they ended. Repeating it changes nothing twice.

    Example: tenantkeep storage recover archive
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        chosen = named(gateway.storage_targets(slug), target, labels.TARGET)
        found = _followed(gateway, gateway.recover_storage_target(slug, chosen.id), SystemClock(), timeout)
    if as_json:
        screen.document(found)
    _conclude(screen, found)


def _followed(gateway: Gateway, asked: StorageTarget, clock: Clock, timeout: float) -> StorageTarget:
    """Look until the recovery has ended or the time is over; returns the last look."""
    deadline = clock.now() + timeout
    found = asked
    while _waiting(found) and clock.now() < deadline:
        clock.pause(_INTERVAL)
        found = next((t for t in gateway.storage_targets(asked.tenant) if t.id == asked.id), found)
    return found


def _waiting(target: StorageTarget) -> bool:
    return target.recovery is None or target.recovery.state == "waiting"


def _conclude(screen: Screen, target: StorageTarget) -> None:
    recovery = target.recovery
    if recovery is None or recovery.state == "waiting":
        screen.say(Text("Still going on: tenantkeep storage list", "Läuft noch: tenantkeep storage list"))
        raise typer.Exit(ExitCode.STILL_WAITING)
    if recovery.state == "failed":
        raise CommandError(
            Text("Nothing was brought back.", "Es wurde nichts zurückgeholt."),
            Text("Correct the cause and run it again.", "Ursache beheben und wiederholen."),
            lines=(recovery.detail,),
            code="recovery-failed",
        )
    screen.say(
        Text(
            "{} configurations and {} restore points are known again, and what was kept here alone of {} employees. "
            "Next: tenantkeep backup list",
            "{} Konfigurationen und {} Stände sind wieder bekannt, und was nur hier über {} Mitarbeiter geführt wurde. "
            "Weiter: tenantkeep backup list",
        ),
        recovery.configurations,
        recovery.restore_points,
        recovery.employees,
    )
