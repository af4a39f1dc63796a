"""Start the upkeep that is due: verification, drill and maintenance of each storage target in its rhythm."""

from collections.abc import Mapping
from datetime import timedelta

from backup_service.domain.upkeep import next_time
from backup_service.ports import Runs
from backup_service.ports.upkeep import UpkeepTimes
from chassis.clock import Clock
from chassis.ids import derived
from contracts.names import UpkeepKind


class StartUpkeep:
    """A task of the sweep; any number of planners may run it."""

    def __init__(self, runs: Runs, times: UpkeepTimes, clock: Clock, intervals: Mapping[UpkeepKind, timedelta]) -> None:
        self._runs = runs
        self._times = times
        self._clock = clock
        self._intervals = intervals

    async def __call__(self) -> int:
        """Returns how many runs were started."""
        now = self._clock.now()
        first = {kind: now + interval for kind, interval in self._intervals.items()}
        started = 0
        for upkeep in await self._times.due(now, first):
            started += await self._runs.start(
                upkeep.tenant,
                # Derived, so that two planners that see the same due time start one run.
                derived(upkeep.tenant, "upkeep", upkeep.target, upkeep.kind.value, upkeep.at.isoformat()),
                upkeep.kind.job,
                configuration=None,
                target=upkeep.target,
                requested_at=now,
                details={},
            )
            await self._times.done(upkeep, next_time(upkeep.at, self._intervals[upkeep.kind], now))
        return started
