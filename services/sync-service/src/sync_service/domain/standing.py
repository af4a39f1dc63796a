"""Where the sync of a tenant stands: what was read, what is still to be read, and when the next run is due."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from contracts.employees import SyncSettings
from contracts.names import Role


@dataclass(frozen=True)
class Round:
    """One walk through the changes, which may outlive the worker and the run that began it.

    `whole`: everybody is listed, not only changes. `listed`: every page is applied; what follows from them is not yet.
    """

    run: str
    started_at: datetime
    whole: bool
    listed: bool = False


@dataclass(frozen=True)
class Numbers:
    """How many employees of a tenant are what; `admins` are present and their account is enabled."""

    present: int = 0
    deleted: int = 0
    admins: int = 0
    roles: Mapping[Role, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Standing:
    """One per tenant. `session` is the worker who may write it; `version` 0 is not stored yet.

    `link` is where to go on: the next page while a round is open, otherwise where the next round begins (None: at
    everybody). `groups_link` likewise for the members of groups. `role_groups` pins the group of each role by its
    object id, so that nobody becomes an administrator by another group of the same name. `numbers` are those of the end
    of the last sync: to count a large tenant anew takes longer than a question may.
    `life` names the time from when it is stored first until the documents are lost, `recovered` earlier ones of which
    nothing is to be brought back (any more).
    """

    tenant: str
    version: int = 0
    session: str = ""
    settings: SyncSettings = field(default_factory=SyncSettings)
    link: str | None = None
    round: Round | None = None
    groups_link: str | None = None
    roles_due: bool = True
    role_groups: Mapping[Role, str] = field(default_factory=dict)
    numbers: Numbers = field(default_factory=Numbers)
    last_sync_at: datetime | None = None
    last_whole_at: datetime | None = None
    next_at: datetime | None = None
    life: str = ""
    recovered: tuple[str, ...] = ()

    def scheduled(self, now: datetime) -> "Standing":
        """The next run by the clock; none when the schedule is off."""
        hours = self.settings.every_hours
        return replace(self, next_at=None if hours is None else now + timedelta(hours=hours))

    def governed_by(self, settings: SyncSettings, now: datetime) -> "Standing":
        """The standing under other settings, with what follows from them."""
        after = replace(self, settings=settings)
        if settings.every_hours != self.settings.every_hours:
            after = after.scheduled(now)
        if settings.guests and not self.settings.guests:
            after = after.wanting_everybody()  # change tracking told of the guests there are long ago
        if settings.group_pattern != self.settings.group_pattern:
            after = replace(after, roles_due=True, role_groups={})
        return after

    def reborn(self, life: str, lost: str) -> "Standing":
        """The standing after all of the life `lost` was brought back: in a new life, of which nothing is kept yet."""
        over = tuple(one for one in (lost, self.life) if one)
        return replace(self, life=life, recovered=(*self.recovered, *over))

    def wanting_everybody(self) -> "Standing":
        """The next round lists everybody: change tracking cannot tell what is wanted."""
        return replace(self, link=None, round=None, roles_due=True)
