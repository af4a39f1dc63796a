"""Change a profile: Microsoft 365 first, read back, then here (ADR 0029).

    begin      the wish is stored; it locks the profile for everybody else
    write      Microsoft 365 is changed, or refuses with a cause
    read back  until Microsoft 365 shows the change, or the wait is over
    keep       the record here takes over what Microsoft 365 shows
    conclude   the lock is gone, and whoever asks again under the same id learns how it went

Whatever fails before `keep` leaves the record as it was. A process that dies leaves an unfinished update; when it is
due, anybody reads back and keeps what Microsoft 365 shows, and writes nothing again: it may have been changed since.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from chassis.clock import Clock
from contracts.auditing import AuditAction, recorded
from contracts.caller import Caller
from contracts.employee_changes import ProfileChange, Refusal, refused
from contracts.events.audit import AuditRecorded
from contracts.problem import conflict, not_found
from sync_service.domain.directory_user import DirectoryUser
from sync_service.domain.employee import Author, Change, Employee, Reading, refreshed
from sync_service.domain.profile_change import Values, shows, wanted
from sync_service.domain.profile_update import ProfileUpdate, Step
from sync_service.domain.refusals import ChangeRefused
from sync_service.ports import Employees
from sync_service.ports.profiles import ProfileAccess, Profiles
from sync_service.ports.updates import ProfileUpdates
from sync_service.usecases.background import Background

log = structlog.get_logger(__name__)

ORIGIN = "profile"
MICROSOFT_365 = "microsoft-365"
"""Who changed what was found changed beside the wish."""

_DUE_AT_ONCE = 20
_LOOK_AGAIN = 0.1


@dataclass(frozen=True)
class UpdatePace:
    """Seconds. `patience`: how long an answer may take, which then says that the update goes on.

    `read_back`: how long Microsoft 365 may take to show a change. `claim`: after this an unfinished update is somebody
    else's; its owner stops before.
    """

    patience: float = 3.5
    read_back: float = 10.0
    pause: float = 0.3
    claim: float = 60.0


class ChangeProfile:
    def __init__(
        self,
        employees: Employees,
        updates: ProfileUpdates,
        access: ProfileAccess,
        *,
        background: Background,
        clock: Clock,
        pace: UpdatePace,
    ) -> None:
        self._employees = employees
        self._updates = updates
        self._access = access
        self._background = background
        self._clock = clock
        self._pace = pace

    async def __call__(self, tenant: str, user: str, change: ProfileChange, *, request: str, caller: Caller) -> bool:
        """Change the profile, or tell how the update of this request goes: True when it is done.

        Raises ProblemError with the cause of a refusal.
        """
        deadline = self._clock.monotonic() + self._pace.patience
        known = await self._updates.get(tenant, user)
        if known is None or known.id != request or known.worth_another_try:
            known = await self._begin(tenant, user, change, request=request, caller=caller)
            self._background.start(f"{tenant}/{user}", self._carry_out(known))
        await self._background.ended(f"{tenant}/{user}", max(0.0, deadline - self._clock.monotonic()))
        return await self._told(tenant, user, request)

    async def resume(self) -> int:
        """Carry on what dead processes left unfinished; gives how many."""
        now = self._clock.now()
        due = await self._updates.due(now, _DUE_AT_ONCE)
        for update in due:
            claimed = await self._updates.save(update.claimed(now + self._claim))
            if claimed is not None:
                log.info("profile update carried on", tenant=update.tenant, employee=update.employee)
                await self._carry_on(claimed)
        return len(due)

    @property
    def _claim(self) -> timedelta:
        return timedelta(seconds=self._pace.claim)

    async def _begin(
        self, tenant: str, user: str, change: ProfileChange, *, request: str, caller: Caller
    ) -> ProfileUpdate:
        """Store the wish; waits for another update of this employee. Raises ProblemError."""
        deadline = self._clock.monotonic() + self._pace.patience
        while True:
            values = await self._allowed(tenant, user, change)
            before, now = await self._updates.get(tenant, user), self._clock.now()
            if before is None or before.step.finished:
                version = 0 if before is None else before.version
                wish = ProfileUpdate(
                    tenant, user, request, caller, now, now + self._claim, values=values, version=version
                )
                stored = await self._updates.save(wish)
                if stored is not None:
                    return stored
            if self._clock.monotonic() >= deadline:
                raise conflict("another change of this employee goes on; try again shortly")
            await self._clock.sleep(_LOOK_AGAIN)

    async def _allowed(self, tenant: str, user: str, change: ProfileChange) -> Values:
        employee = await self._known(tenant, user)
        if change.version is not None and employee.version != change.version:
            raise conflict("the employee was changed meanwhile: look at it again, and change what is there now")
        if not employee.present:
            raise refused(Refusal.DEACTIVATED)
        try:
            return wanted(change)
        except ChangeRefused as error:
            raise refused(error.refusal, error.faults) from error

    async def _known(self, tenant: str, user: str) -> Employee:
        employee = await self._employees.get(tenant, user)
        if employee is None:
            raise not_found("employee")
        return employee

    async def _carry_out(self, update: ProfileUpdate) -> None:
        """Bounded, so that no owner writes after its claim."""
        try:
            async with asyncio.timeout(self._pace.claim / 2), self._access.profiles(update.tenant) as profiles:
                await profiles.write(update.employee, update.values)
                written = await self._updates.save(update.written())
                if written is not None:
                    await self._finish(profiles, written)
        except ChangeRefused as error:
            await self._updates.save(update.refused(error.refusal, error.faults))
        except TimeoutError:
            await self._updates.save(update.refused(Refusal.CONNECTION_TIMEOUT))

    async def _carry_on(self, update: ProfileUpdate) -> None:
        async with self._access.profiles(update.tenant) as profiles:
            await self._finish(profiles, update)

    async def _finish(self, profiles: Profiles, update: ProfileUpdate) -> None:
        try:
            await self._keep(profiles, update)
        except ChangeRefused as error:
            await self._updates.save(update.refused(error.refusal, error.faults))
        else:
            await self._updates.save(update.done())

    async def _keep(self, profiles: Profiles, update: ProfileUpdate) -> None:
        """Take over what Microsoft 365 shows, as soon as it shows the change. Raises ChangeRefused."""
        while True:
            read_at = self._clock.now()
            user = await self._read_back(profiles, update)
            employee = await self._employees.get(update.tenant, update.employee)
            if employee is None:
                return  # erased meanwhile
            if employee.synced_at > read_at:
                continue  # a sync has looked later than we have
            changes = self._changes(employee, user, update, read_at=read_at)
            if not await self._save(changes):
                continue
            await self._employees.seen(update.tenant, {update.employee}, read_at)
            return

    async def _read_back(self, profiles: Profiles, update: ProfileUpdate) -> DirectoryUser:
        deadline = self._clock.monotonic() + self._pace.read_back
        while True:
            user = await profiles.read(update.employee)
            if shows(user.whole(), update.values):
                return user
            if self._clock.monotonic() >= deadline:
                unknown = update.step is Step.WRITING
                raise ChangeRefused(Refusal.INTERRUPTED if unknown else Refusal.NOT_VISIBLE)
            await self._clock.sleep(self._pace.pause)

    def _changes(
        self, employee: Employee, user: DirectoryUser, update: ProfileUpdate, *, read_at: datetime
    ) -> list[Change]:
        """What others changed in Microsoft 365 is theirs in the activity log, what was wished is the asker's."""
        now, shown = self._clock.now(), user.whole()
        beside = shown.model_copy(update={name: getattr(employee.fields, name) for name in update.values})
        others = refreshed(employee, beside, Reading(Author(MICROSOFT_365, ORIGIN), read_at, now))
        after = employee if others is None else others.employee
        own = refreshed(after, shown, Reading(Author(update.caller.subject, ORIGIN), read_at, now))
        if own is not None:
            own = replace(own, events=(*own.events, self._audited(update)))
        return [change for change in (others, own) if change is not None]

    def _audited(self, update: ProfileUpdate) -> AuditRecorded:
        return recorded(
            AuditAction.EMPLOYEE_CHANGE_PROFILE,
            update.employee,
            tenant=update.tenant,
            caller=update.caller,
            at=self._clock.now(),
            after={"fields": sorted(update.values)},
        )

    async def _save(self, changes: list[Change]) -> bool:
        for change in changes:
            if await self._employees.save([change]):
                return False
        return True

    async def _told(self, tenant: str, user: str, request: str) -> bool:
        update = await self._updates.get(tenant, user)
        if update is None or update.id != request:
            return True  # another one came after it, which only a finished one lets in
        if update.refusal is not None:
            raise refused(update.refusal, update.faults)
        return update.step.finished
