"""Hand out what is known here alone, to be kept elsewhere, and take it back after the documents were lost."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from chassis.clock import Clock
from chassis.ids import derived
from contracts.employees import SyncSettings
from contracts.operations.employees import Erasure as ErasureView
from contracts.operations.kept_directory import BringBack, BroughtBack, KeptDirectory, KeptEmployee
from contracts.problem import conflict
from sync_service.domain.erasure import Erasure
from sync_service.domain.keeping import brought_back, kept
from sync_service.domain.standing import Standing
from sync_service.ports import EmployeeFilter, Employees, Standings
from sync_service.ports.erasures import Erasures

_LOOKED_AT = 500
_MOST = 100_000
"""Bytes of one page, about: an answer has to fit into a message."""
_ERASURES = 500
_ATTEMPTS = 5


class KeepDirectory:
    def __init__(self, employees: Employees, erasures: Erasures, standings: Standings, clock: Clock) -> None:
        self._employees = employees
        self._erasures = erasures
        self._standings = standings
        self._clock = clock

    async def export(self, tenant: str, after: str | None) -> KeptDirectory:
        """Give a page of employees worth keeping behind `after`; there may be none on it and more behind it."""
        standing = await self._standings.get(tenant)
        if standing is None:
            return KeptDirectory()
        found = await self._employees.page(tenant, EmployeeFilter(), after, _LOOKED_AT)
        shown: list[KeptEmployee] = []
        size, cursor = 0, after
        for record in found:
            if size > _MOST:
                break
            cursor, worth = record.id, kept(record)
            if worth is not None:
                shown.append(worth)
                size += len(worth.model_dump_json())
        complete = len(found) < _LOOKED_AT and (not found or cursor == found[-1].id)
        return KeptDirectory(
            life=standing.life,
            settings=standing.settings,
            role_groups=dict(standing.role_groups),
            employees=tuple(shown),
            cursor=None if complete else cursor,
        )

    async def bring_back(self, tenant: str, part: BringBack) -> BroughtBack:
        """Take back a part of an earlier life, once; gives what it changed. Raises ProblemError."""
        standing = await self._standings.get(tenant)
        if standing is not None and part.life in {standing.life, *standing.recovered}:
            return BroughtBack()
        for erasure in part.erasures:
            await self._erasures.bring_back(_erasure(tenant, erasure))
        # An erasure holds for whatever is brought back, too.
        erased = await self._erased(tenant)
        lost = [one for one in part.employees if one.id not in erased or one.imported_at > erased[one.id]]
        told = [one for one in part.activity if one.employee not in erased or one.at > erased[one.employee]]
        records, entries = await self._records(tenant, lost), await self._employees.relog(tenant, told)
        if part.last:
            await self._end(tenant, part)
        return BroughtBack(employees=records, activity=entries)

    async def _records(self, tenant: str, lost: Sequence[KeptEmployee]) -> int:
        waiting, done = {one.id: one for one in lost}, 0
        for _ in range(_ATTEMPTS):
            known, now = await self._employees.some(tenant, waiting), self._clock.now()
            changes = [
                change
                for one in waiting.values()
                if (change := brought_back(tenant, known.get(one.id), one, now)) is not None
            ]
            late = await self._employees.save(changes)
            done += len(changes) - len(late)
            waiting = {identity: waiting[identity] for identity in late}
            if not waiting:
                return done
        raise conflict("employees are being changed all the time; try again shortly")

    async def _erased(self, tenant: str) -> dict[str, datetime]:
        """Who was erased, and when last."""
        erased: dict[str, datetime] = {}
        after = None
        while found := await self._erasures.page(tenant, after, _ERASURES):
            for erasure in found:
                erased.setdefault(erasure.employee, erasure.erased_at)
            after = found[-1].id
        return erased

    async def _end(self, tenant: str, part: BringBack) -> None:
        """Settings that nobody has made anew come back; the groups of roles are known again by their object ids.

        A sync of everybody is due: who was deleted in Microsoft 365 meanwhile is a record that nobody tells of.
        """
        for _ in range(_ATTEMPTS):
            before, now = await self._standings.get(tenant) or Standing(tenant), self._clock.now()
            after = before
            if part.settings is not None and before.settings == SyncSettings():
                after = before.governed_by(part.settings, now)
            groups = {**part.role_groups, **after.role_groups}
            after = replace(after.wanting_everybody(), role_groups=groups, next_at=now)
            after = after.reborn(derived(tenant, part.life, before.life), part.life)
            if await self._standings.save(after) is not None:
                return
        raise conflict("a sync goes on; try again shortly")


def _erasure(tenant: str, told: ErasureView) -> Erasure:
    return Erasure(
        tenant, told.employee, told.erased_at, told.erased_by, told.reason, due_at=None, activities=told.activities
    )
