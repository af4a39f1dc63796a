"""sync-service on stores and a Microsoft 365 in memory."""

import itertools
from collections.abc import Callable
from typing import Any

from pydantic import SecretStr

from chassis.testing.clock import ManualClock
from contracts.employees import SynchronisedFields
from contracts.names import SyncKind
from sync_fakes.directory import MemoryDirectory
from sync_fakes.profiles import MemoryProfiles
from sync_fakes.stores import MemoryEmployees, MemoryRuns, MemoryStandings
from sync_fakes.updates import MemoryErasures, MemoryProfileUpdates
from sync_service.adapters.error_classes import Judgement
from sync_service.app import App, build_with
from sync_service.domain.employee import Employee
from sync_service.domain.runs import Run, queued
from sync_service.ports import Directories
from sync_service.settings import SyncSettings

TENANT = "contoso"


def settings(**more: Any) -> SyncSettings:
    return SyncSettings(
        health_port=0,
        nats_url="tls://127.0.0.1:1",
        nats_nkey=SecretStr("unused"),
        mongo_url="mongodb://127.0.0.1:1/?tls=false",
        vault_url="https://127.0.0.1:1",
        vault_role_id="unused",
        vault_secret_id=SecretStr("unused"),
        **more,
    )


class MemoryService:
    """`fuse` is asked at every step outside the process: it may raise, and change something meanwhile."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.directory = MemoryDirectory()
        self.directories: Directories = self.directory
        self.employees = MemoryEmployees(self._step)
        self.runs = MemoryRuns(self._step)
        self.standings = MemoryStandings(self._step)
        self.directory.step = self._step
        self.profiles = MemoryProfiles(self.directory)
        self.updates = MemoryProfileUpdates(self._step)
        self.erasures = MemoryErasures()
        self.fuse: Callable[[str], None] = lambda _step: None
        self.app = self._started()
        self._numbers = itertools.count()

    def restart(self) -> None:
        """A new process over the same stores."""
        self.app = self._started()

    def _started(self) -> App:
        sessions = itertools.count()
        return build_with(
            employees=self.employees,
            runs=self.runs,
            standings=self.standings,
            updates=self.updates,
            erasures=self.erasures,
            directories=self.directories,
            profiles=self.profiles,
            judge=Judgement(60.0),
            clock=self.clock,
            settings=settings(),
            new_session=lambda: f"session-{id(sessions)}-{next(sessions)}",
        )

    def _step(self, step: str) -> None:
        self.fuse(step)

    async def sync(self, kind: SyncKind = SyncKind.INCREMENTAL, *, users: tuple[str, ...] = ()) -> Run:
        """Ask for a sync, do it, and give the run as it was left."""
        run = Run(TENANT, f"run-{next(self._numbers)}", kind, self.clock.now(), by="crm", users=users)
        run = await self.runs.add(*queued(run, self.clock.now()))
        await self.work()
        return self.runs.runs[TENANT, run.id]

    async def work(self) -> None:
        """Do what is due."""
        for run in await self.app.execute.due():
            await self.app.execute(run)

    def employee(self, user: str) -> Employee:
        return self.employees.records[TENANT, user]

    def expected(self, user: str) -> SynchronisedFields:
        """What Microsoft 365 has of this user."""
        fields = {name: value for name, value in self.directory.users[user].items() if name != "guest"}
        return SynchronisedFields(**fields)

    def logged(self, user: str) -> list[tuple[str, str, Any, Any]]:
        """Action, field, old and new value of each entry about this user, in order."""
        own = [entry for (_, _), entry in self.employees.log.items() if entry.employee == user]
        return [(one.action, one.field, one.old, one.new) for one in sorted(own, key=lambda one: one.version)]

    def told(self, user: str = "") -> list[str]:
        """Names of the events about this user, or about all."""
        found = [event for event in self.employees.events if user in {"", getattr(event, "employee", "")}]
        return [event.NAME for event in found]
