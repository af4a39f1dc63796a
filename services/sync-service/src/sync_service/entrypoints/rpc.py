"""Answers over the bus (contracts.operations.directory)."""

from chassis.clock import Clock
from chassis.rpc import Call, RpcServer
from contracts import employees as views
from contracts import envelope
from contracts.operations import directory
from contracts.operations.base import ById, Nothing, Page
from contracts.problem import invalid
from contracts.views import Listing
from sync_service.domain.runs import Run
from sync_service.usecases.change_settings import ChangeSettings
from sync_service.usecases.read_directory import ReadDirectory, run_view
from sync_service.usecases.request_sync import RequestSync

GATEWAY = "gateway"
"""Who asked for a run that a person started."""


class Questions:
    def __init__(self, read: ReadDirectory, request: RequestSync, settings: ChangeSettings, clock: Clock) -> None:
        self._read = read
        self._request = request
        self._settings = settings
        self._clock = clock

    def bind(self, server: RpcServer) -> None:
        """Register all answers; call before the broker starts."""
        server.answer(directory.EMPLOYEE_LIST, self.employee_list)
        server.answer(directory.EMPLOYEE_GET, self.employee_get)
        server.answer(directory.ACTIVITY_LIST, self.activity_list)
        server.answer(directory.SYNC_START, self.sync_start)
        server.answer(directory.SYNC_LIST, self.sync_list)
        server.answer(directory.SYNC_GET, self.sync_get)
        server.answer(directory.SYNC_OVERVIEW, self.sync_overview)
        server.answer(directory.SYNC_SETTINGS_SET, self.settings_set)

    async def employee_list(self, call: Call[directory.EmployeesOf]) -> Listing[views.Employee]:
        return await self._read.employees(call.one_tenant(), call.question)

    async def employee_get(self, call: Call[ById]) -> views.Employee:
        return await self._read.employee(call.one_tenant(), call.question.id)

    async def activity_list(self, call: Call[directory.ActivityOf]) -> Listing[views.Activity]:
        return await self._read.activity(call.one_tenant(), call.question)

    async def sync_start(self, call: Call[directory.StartSync]) -> views.SyncRun:
        question = call.question
        if bool(question.users) != question.kind.names_users:
            raise invalid("name users for a sync of kind users or profile, and for no other")
        run = Run(
            tenant=call.one_tenant(),
            id=envelope.run_id(GATEWAY, question.request),
            kind=question.kind,
            requested_at=self._clock.now(),
            by=GATEWAY,
            causation=question.request,
            person=call.caller.subject,
            users=tuple(dict.fromkeys(question.users)),
        )
        return run_view(await self._request.start(run, call.caller))

    async def sync_list(self, call: Call[Page]) -> Listing[views.SyncRun]:
        return await self._read.runs(call.one_tenant(), call.question.cursor, call.question.limit)

    async def sync_get(self, call: Call[ById]) -> views.SyncRun:
        return await self._read.run(call.one_tenant(), call.question.id)

    async def sync_overview(self, call: Call[Nothing]) -> views.SyncOverview:
        return await self._read.overview(call.one_tenant())

    async def settings_set(self, call: Call[directory.ChangeSyncSettings]) -> views.SyncSettings:
        return await self._settings(call.one_tenant(), call.question, call.caller)
