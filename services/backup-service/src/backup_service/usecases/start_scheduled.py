"""Start the backups whose time has come."""

from datetime import timedelta

import structlog

from backup_service.domain.jobs import Cause
from backup_service.domain.schedule import InvalidSchedule, Schedule
from backup_service.ports import Runs, Timetable
from chassis.clock import Clock
from chassis.ids import derived
from contracts.names import JobKind
from contracts.views import BackupConfiguration

log = structlog.get_logger()

SCHEDULE = "schedule"
"""Who asked for a run that nobody asked for."""


class StartScheduled:
    """A task of the sweep; any number of planners may run it.

    Strikes that were missed are made up for by one run. While a run of the configuration goes on, a strike waits for
    its end: it is put off by `wait` again and again.
    """

    def __init__(self, runs: Runs, timetable: Timetable, clock: Clock, wait: timedelta) -> None:
        self._runs = runs
        self._timetable = timetable
        self._clock = clock
        self._wait = wait

    async def __call__(self) -> int:
        """Returns how many runs were started."""
        started = 0
        for configuration in await self._timetable.due(self._clock.now()):
            started += await self._start(configuration)
        return started

    async def _start(self, configuration: BackupConfiguration) -> bool:
        strike, now = configuration.next_run_at, self._clock.now()
        if strike is None or configuration.schedule is None:
            return False
        if await self._runs.unfinished(configuration.tenant, configuration.id, JobKind.BACKUP):
            await self._timetable.struck(configuration.tenant, configuration.id, strike, now + self._wait)
            return False
        try:
            next_at = Schedule.parse(configuration.schedule, configuration.time_zone).next_after(now)
        except InvalidSchedule as error:
            # It was checked when it was saved: the time zone database of this machine is another one.
            log.warning("a schedule cannot be read; set it anew", configuration=configuration.id, reason=str(error))
            await self._timetable.struck(configuration.tenant, configuration.id, strike, now + self._wait)
            return False
        # Derived, so that two planners that see the same strike start one run.
        run = derived(configuration.tenant, SCHEDULE, configuration.id, strike.isoformat())
        started = await self._runs.start(
            configuration.tenant,
            run,
            JobKind.BACKUP,
            configuration=configuration.id,
            requested_at=now,
            details={},
            cause=Cause(SCHEDULE, run),
        )
        await self._timetable.struck(configuration.tenant, configuration.id, strike, next_at)
        return started
