"""Change how a tenant is synchronised."""

from chassis.clock import Clock
from contracts.auditing import AuditAction, recorded
from contracts.caller import Caller
from contracts.employees import SyncSettings
from contracts.operations.directory import ChangeSyncSettings
from contracts.problem import conflict
from sync_service.domain.standing import Standing
from sync_service.ports import Standings

_ATTEMPTS = 5


class ChangeSettings:
    def __init__(self, standings: Standings, clock: Clock) -> None:
        self._standings = standings
        self._clock = clock

    async def __call__(self, tenant: str, change: ChangeSyncSettings, caller: Caller) -> SyncSettings:
        """Save and give the settings. Raises ProblemError when a sync under way saves all the time."""
        for _ in range(_ATTEMPTS):
            standing = await self._standings.get(tenant) or Standing(tenant)
            settings = _changed(standing.settings, change)
            after = standing.governed_by(settings, self._clock.now())
            audit = recorded(
                AuditAction.SYNC_CHANGE_SETTINGS,
                tenant,
                tenant=tenant,
                caller=caller,
                at=self._clock.now(),
                before=standing.settings,
                after=settings,
            )
            if await self._standings.save(after, (audit,)) is not None:
                return settings
        raise conflict("the settings are being changed by somebody else; try again")


def _changed(settings: SyncSettings, change: ChangeSyncSettings) -> SyncSettings:
    given = change.model_dump(exclude_none=True)
    if "every_hours" in given:
        given["every_hours"] = given["every_hours"] or None
    return SyncSettings.model_validate({**settings.model_dump(), **given})
