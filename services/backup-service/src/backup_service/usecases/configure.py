"""Backup configurations: made, changed, paused."""

from collections.abc import Collection
from typing import Any

from backup_service.domain.schedule import InvalidSchedule, Schedule
from backup_service.ports import Catalogue
from backup_service.usecases.reading.sources import READERS
from backup_service.usecases.retention import Retention
from chassis.clock import Clock
from chassis.ids import derived
from contracts.auditing import AuditAction, recorded
from contracts.caller import Caller
from contracts.names import Source
from contracts.problem import invalid, not_found
from contracts.rpc import ChangeConfiguration, CreateConfiguration
from contracts.views import BackupConfiguration

_KEPT_BY_US = ("id", "next_run_at", "last_run")


class Configure:
    """Both commands may be repeated: the second one changes nothing."""

    def __init__(
        self, catalogue: Catalogue, retention: Retention, clock: Clock, readable: Collection[Source] = READERS
    ) -> None:
        self._catalogue = catalogue
        self._retention = retention
        self._clock = clock
        self._readable = readable

    async def create(self, tenant: str, caller: Caller, wanted: CreateConfiguration) -> BackupConfiguration:
        """Idempotent by the request id. Raises the problem `invalid` for what cannot be kept, read or started."""
        if await self._catalogue.target(tenant, wanted.target) is None:
            raise invalid("the storage target does not exist; create it first")
        self._require_readable(wanted.sources)
        identity = derived(tenant, "configuration", caller.request_id)
        retention = await self._retention.configured(tenant, wanted.retention or f"{wanted.retention_days}d")
        now = self._clock.now()
        configuration = self._timed(
            BackupConfiguration(tenant=tenant, id=identity, **{**wanted.model_dump(), **retention}, created_at=now)
        )
        made = recorded(
            AuditAction.CONFIGURATION_CREATE,
            identity,
            tenant=tenant,
            caller=caller,
            at=now,
            after=configuration,
            leave_out=_KEPT_BY_US,
        )
        await self._catalogue.add_configuration(configuration, [made])
        return await self._catalogue.configuration(tenant, identity) or configuration

    async def change(self, tenant: str, caller: Caller, wanted: ChangeConfiguration) -> BackupConfiguration:
        """What is None stays. Runs that go on keep what they began with."""
        known = await self._catalogue.configuration(tenant, wanted.id)
        if known is None:
            raise not_found("backup configuration")
        changes: dict[str, Any] = wanted.model_dump(exclude={"id", "retention"}, exclude_none=True)
        if wanted.sources is not None:
            self._require_readable(wanted.sources)
        if wanted.schedule == "":
            changes["schedule"] = None
        if wanted.retention is not None:
            changes |= await self._retention.configured(tenant, wanted.retention)
        changed = self._timed(BackupConfiguration(**{**known.model_dump(), **changes}))
        told = recorded(
            AuditAction.CONFIGURATION_CHANGE,
            wanted.id,
            tenant=tenant,
            caller=caller,
            at=self._clock.now(),
            before=known,
            after=changed,
            leave_out=_KEPT_BY_US,
        )
        fields = changed.model_dump(include={*changes, "next_run_at"})
        await self._catalogue.change_configuration(
            tenant, wanted.id, fields, [told] if told.before or told.after else []
        )
        return await self._catalogue.configuration(tenant, wanted.id) or changed

    def _timed(self, configuration: BackupConfiguration) -> BackupConfiguration:
        """With the next strike of its schedule, if it has one and may run by itself."""
        next_at = None
        if configuration.schedule is not None:
            try:
                schedule = Schedule.parse(configuration.schedule, configuration.time_zone)
            except InvalidSchedule as error:
                raise invalid(str(error)) from error
            if configuration.automatic and not configuration.paused:
                next_at = schedule.next_after(self._clock.now())
        return configuration.model_copy(update={"next_run_at": next_at})

    def _require_readable(self, sources: Collection[Source]) -> None:
        unread = [source.value for source in sources if source not in self._readable]
        if unread:
            raise invalid(f"this release cannot back up {', '.join(unread)}")
