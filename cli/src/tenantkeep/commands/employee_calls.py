"""The part of the gateway's API that is about employees and syncs."""

from typing import Any

from contracts import api
from contracts.employee_changes import LocalChange, ProfileChange
from contracts.employees import Activity, Employee, SyncOverview, SyncRun, SyncSettings
from contracts.operations.employees import Candidate, Erasure, ProfileUpdate
from contracts.views import Listing
from tenantkeep.commands.transport import Transport, part


class EmployeeCalls(Transport):
    def employees(self, tenant: str, **wanted: Any) -> list[Employee]:
        """`wanted` as in the API."""
        given = {name: str(value).lower() if isinstance(value, bool) else value for name, value in wanted.items()}
        return self._list(f"/tenants/{part(tenant)}/employees", Employee, **given)

    def employee(self, tenant: str, employee: str) -> Employee:
        return self._get(_employee(tenant, employee), Employee)

    def change_profile(self, tenant: str, employee: str, body: ProfileChange, key: str) -> ProfileUpdate:
        """The same `key` is the same update: asked again it tells how it went."""
        content = body.model_dump(mode="json", exclude_none=True)
        path, headers = f"{_employee(tenant, employee)}/profile", {"idempotency-key": key}
        return self._answer(self._send("PATCH", path, json=content, headers=headers), ProfileUpdate)

    def change_local_fields(self, tenant: str, employee: str, body: LocalChange) -> Employee:
        content = body.model_dump(mode="json", exclude_none=True)
        return self._answer(self._send("PATCH", f"{_employee(tenant, employee)}/local-fields", json=content), Employee)

    def candidates(self, tenant: str, q: str, cursor: str | None, limit: int) -> Listing[Candidate]:
        path, asked = f"/tenants/{part(tenant)}/import-candidates", {"q": q, "cursor": cursor, "limit": limit}
        return self._page(path, Listing[Candidate], asked)

    def import_employee(self, tenant: str, employee: str) -> Employee:
        return self._post(f"{_employee(tenant, employee)}/import", None, Employee)

    def activity(self, tenant: str, employee: str | None, cursor: str | None, limit: int) -> Listing[Activity]:
        path = f"/tenants/{part(tenant)}" if employee is None else _employee(tenant, employee)
        return self._page(f"{path}/activity", Listing[Activity], {"cursor": cursor, "limit": limit})

    def export_employee(self, tenant: str, employee: str) -> api.EmployeeExport:
        return self._post(f"{_employee(tenant, employee)}/export", None, api.EmployeeExport)

    def erase_employee(self, tenant: str, employee: str, body: api.ErasureBody) -> Erasure:
        return self._post(f"{_employee(tenant, employee)}/erasure", body, Erasure)

    def erasures(self, tenant: str) -> list[Erasure]:
        return self._list(f"/tenants/{part(tenant)}/erasures", Erasure)

    def sync_overview(self, tenant: str) -> SyncOverview:
        return self._get(f"/tenants/{part(tenant)}/sync", SyncOverview)

    def set_sync_settings(self, tenant: str, body: api.SyncSettingsBody) -> SyncSettings:
        content = body.model_dump(mode="json", exclude_none=True)
        return self._answer(self._send("PATCH", f"/tenants/{part(tenant)}/sync/settings", json=content), SyncSettings)

    def start_sync(self, tenant: str, body: api.SyncBody, key: str | None = None) -> SyncRun:
        """The same `key` never starts a second sync."""
        return self._post(f"/tenants/{part(tenant)}/sync/runs", body, SyncRun, key)

    def syncs(self, tenant: str, limit: int) -> Listing[SyncRun]:
        return self._page(f"/tenants/{part(tenant)}/sync/runs", Listing[SyncRun], {"limit": limit})

    def sync(self, tenant: str, run: str) -> SyncRun:
        return self._get(f"/tenants/{part(tenant)}/sync/runs/{part(run)}", SyncRun)


def _employee(tenant: str, employee: str) -> str:
    return f"/tenants/{part(tenant)}/employees/{part(employee)}"
