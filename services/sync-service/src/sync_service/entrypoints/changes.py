"""Answers over the bus (contracts.operations.employees)."""

from chassis.rpc import Call, RpcServer
from contracts import employees as views
from contracts.operations import employees
from contracts.operations.base import ById, Page
from contracts.views import Listing
from sync_service.domain.erasure import Erasure
from sync_service.ports import Employees
from sync_service.ports.erasures import Erasures
from sync_service.usecases.change_local import ChangeLocal
from sync_service.usecases.change_profile import ChangeProfile
from sync_service.usecases.import_employee import ImportEmployee
from sync_service.usecases.protect_data import ProtectData
from sync_service.usecases.read_directory import ReadDirectory


class Changes:
    def __init__(
        self,
        read: ReadDirectory,
        *,
        profile: ChangeProfile,
        local: ChangeLocal,
        single: ImportEmployee,
        protect: ProtectData,
        employees: Employees,
        erasures: Erasures,
    ) -> None:
        self._read = read
        self._profile = profile
        self._local = local
        self._single = single
        self._protect = protect
        self._employees = employees
        self._erasures = erasures

    def bind(self, server: RpcServer) -> None:
        """Register all answers; call before the broker starts."""
        server.answer(employees.EMPLOYEE_CHANGE_PROFILE, self.change_profile)
        server.answer(employees.EMPLOYEE_CHANGE_LOCAL, self.change_local)
        server.answer(employees.EMPLOYEE_CANDIDATES, self.candidates)
        server.answer(employees.EMPLOYEE_IMPORT, self.import_one)
        server.answer(employees.EMPLOYEE_EXPORT, self.export)
        server.answer(employees.EMPLOYEE_ERASE, self.erase)
        server.answer(employees.ERASURE_LIST, self.erasure_list)
        server.answer(employees.EMPLOYEE_ROLES, self.roles)

    async def change_profile(self, call: Call[employees.ChangeProfile]) -> employees.ProfileUpdate:
        tenant, question = call.one_tenant(), call.question
        finished = await self._profile(
            tenant, question.id, question.change, request=question.request, caller=call.caller
        )
        return employees.ProfileUpdate(finished=finished, employee=await self._read.employee(tenant, question.id))

    async def change_local(self, call: Call[employees.ChangeLocal]) -> views.Employee:
        tenant, question = call.one_tenant(), call.question
        await self._local(tenant, question.id, question.change, call.caller)
        return await self._read.employee(tenant, question.id)

    async def candidates(self, call: Call[employees.CandidatesOf]) -> Listing[employees.Candidate]:
        return await self._single.candidates(call.one_tenant(), call.question)

    async def import_one(self, call: Call[ById]) -> views.Employee:
        tenant, user = call.one_tenant(), call.question.id
        await self._single(tenant, user, call.caller)
        return await self._read.employee(tenant, user)

    async def export(self, call: Call[ById]) -> views.Employee:
        tenant, user = call.one_tenant(), call.question.id
        await self._protect.export(tenant, user, call.caller)
        return await self._read.employee(tenant, user)

    async def erase(self, call: Call[employees.EraseEmployee]) -> employees.Erasure:
        tenant, question = call.one_tenant(), call.question
        return _view(await self._protect.erase(tenant, question.id, question.reason, call.caller))

    async def erasure_list(self, call: Call[Page]) -> Listing[employees.Erasure]:
        tenant, page = call.one_tenant(), call.question
        found = await self._erasures.page(tenant, page.cursor, page.limit + 1)
        shown = found[: page.limit]
        return Listing[employees.Erasure](
            items=tuple(_view(one) for one in shown), cursor=shown[-1].id if len(found) > page.limit else None
        )

    async def roles(self, call: Call[ById]) -> employees.EmployeeRoles:
        """No record, no roles: whoever is not known here is nobody."""
        found = await self._employees.get(call.one_tenant(), call.question.id)
        return employees.EmployeeRoles(employee=call.question.id, roles=() if found is None else found.roles)


def _view(erasure: Erasure) -> employees.Erasure:
    return employees.Erasure(
        tenant=erasure.tenant,
        employee=erasure.employee,
        erased_at=erasure.erased_at,
        erased_by=erasure.by,
        reason=erasure.reason,
        activities=erasure.activities,
    )
