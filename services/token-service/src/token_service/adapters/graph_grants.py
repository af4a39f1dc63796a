"""What the tenant's directory says an app was granted, and by whom.

https://learn.microsoft.com/graph/api/serviceprincipal-list-approleassignments · /oauth2permissiongrant-list
"""

import asyncio
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from contracts.names import ConsentSource
from contracts.profiles import GRAPH_APP_ID
from token_service.adapters.graph_probes import body_of, code_of
from token_service.domain.permissions import ConsentGiver
from token_service.ports import Granted, Unreadable

_PAGES = 20
"""More pages of grants than this are no list of ours, but a loop."""


class _Refused(Exception):
    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class GraphGrants:
    """A `token_service.ports.Grants` on a client whose base URL is Graph's with version."""

    def __init__(self, client: httpx.AsyncClient, patience: float = 3.0) -> None:
        self._client = client
        self._patience = patience

    async def read(self, client_id: str, token: SecretStr) -> Granted | Unreadable:
        headers = {"Authorization": f"Bearer {token.get_secret_value()}"}
        try:
            async with asyncio.timeout(self._patience):
                return await self._read(client_id, headers)
        except TimeoutError:
            return Unreadable("Microsoft Graph did not answer in time")
        except httpx.HTTPError as error:
            return Unreadable(f"Microsoft Graph: {type(error).__name__}")
        except _Refused as refused:
            return Unreadable(refused.detail, rejected=refused.status == HTTPStatus.UNAUTHORIZED)

    async def _read(self, client_id: str, headers: dict[str, str]) -> Granted:
        path = f"/servicePrincipals(appId='{quote(client_id, safe='')}')"
        try:
            found = await self._get(path, headers, {"$select": "id,accountEnabled"})
        except _Refused as refused:
            if refused.status == HTTPStatus.NOT_FOUND:
                return Granted(None)
            raise
        principal = str(found.get("id", ""))
        names = await self._names(headers)
        assigned = await self._listed(f"/servicePrincipals/{quote(principal, safe='')}/appRoleAssignments", headers)
        roles = [str(one.get("appRoleId", "")) for one in assigned]
        return Granted(
            principal_id=principal,
            application=frozenset(names.get(role, role) for role in roles),
            delegated=await self._delegated(principal, headers),
            enabled=found.get("accountEnabled") is not False,
            giver=await self._giver(principal, headers),
        )

    async def _names(self, headers: dict[str, str]) -> dict[str, str]:
        """Names of Graph's app roles by their id."""
        graph = await self._get(f"/servicePrincipals(appId='{GRAPH_APP_ID}')", headers, {"$select": "id,appRoles"})
        roles = graph.get("appRoles")
        known = [role for role in roles if isinstance(role, dict)] if isinstance(roles, list) else []
        return {str(role.get("id")): str(role.get("value")) for role in known}

    async def _delegated(self, principal: str, headers: dict[str, str]) -> frozenset[str] | None:
        """Scopes granted for everybody or for single people; None where the profile may not read them."""
        query = {"$filter": f"clientId eq '{principal}'"}
        try:
            found = await self._listed("/oauth2PermissionGrants", headers, query)
        except _Refused:
            return None
        return frozenset(name for one in found for name in str(one.get("scope", "")).split())

    async def _giver(self, principal: str, headers: dict[str, str]) -> ConsentGiver | None:
        """The newest consent in the directory audit, which is kept for 7 to 30 days (graph/api/directoryaudit-list)."""
        named = f"activityDisplayName eq 'Consent to application' and targetResources/any(t:t/id eq '{principal}')"
        try:
            found = (await self._get("/auditLogs/directoryAudits", headers, {"$filter": named})).get("value")
        except _Refused:
            return None
        entries = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
        for entry in sorted(entries, key=lambda one: str(one.get("activityDateTime", "")), reverse=True):
            person = entry.get("initiatedBy", {}).get("user") or {}
            name = person.get("userPrincipalName") or person.get("id")
            if entry.get("result") == "success" and isinstance(name, str):
                return ConsentGiver(name[:200], ConsentSource.AUDIT, _instant(entry.get("activityDateTime")))
        return None

    async def _listed(
        self, path: str, headers: dict[str, str], query: dict[str, str] | None = None
    ) -> list[dict[str, Any]]:
        page = await self._get(path, headers, query)
        found: list[dict[str, Any]] = []
        for _ in range(_PAGES):
            found += [one for one in page.get("value", []) if isinstance(one, dict)]
            link = page.get("@odata.nextLink")
            if not isinstance(link, str):
                return found
            page = await self._get(link, headers)
        raise _Refused(HTTPStatus.OK, "the list of grants does not end")

    async def _get(self, path: str, headers: dict[str, str], query: dict[str, str] | None = None) -> dict[str, Any]:
        answer = await self._client.get(path, params=query, headers=headers)
        if answer.status_code != HTTPStatus.OK:
            raise _Refused(answer.status_code, code_of(answer) or f"HTTP {answer.status_code}")
        return body_of(answer)


def _instant(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None
