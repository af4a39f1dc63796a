"""Upkeep of storage targets: when it is due, and what it found out."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from backup_service.domain.upkeep import DueUpkeep
from contracts.names import UpkeepKind
from contracts.views import Verification


class Proofs(Protocol):
    """What verification and drills found out about restore points."""

    async def read_whole(
        self, tenant: str, target: str, since: datetime | None, affected: Mapping[str, int] | None
    ) -> None:
        """All that the target holds was read whole since then; `affected` items per restore point cannot be read.

        None leaves what is known of either.
        """
        ...

    async def drilled(self, tenant: str, point: str, result: Verification) -> None:
        """A sample of the restore point was restored and compared; a point nobody knows is passed over."""
        ...


class UpkeepTimes(Protocol):
    """When each storage target is due for which upkeep."""

    async def due(self, now: datetime, first: Mapping[UpkeepKind, datetime]) -> Sequence[DueUpkeep]:
        """What is due. A target seen for the first time gets the times of `first`."""
        ...

    async def done(self, upkeep: DueUpkeep, next_at: datetime) -> None:
        """Set the next time, unless another planner has."""
        ...
