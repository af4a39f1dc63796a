"""One harmless call per permission tells whether Microsoft Graph lets a token through.

Reading asks for the ids of a page of one; writing changes something that cannot exist, so that who may write is told
that it is not there, and who may not is refused before. (https://learn.microsoft.com/graph/permissions-reference)
"""

import asyncio
import re
from collections.abc import Collection
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from contracts.names import Answer
from token_service.ports import Probed

_USERS = 10
"""So many users are tried for one with a mailbox (not everybody has one)."""

_AT_ONCE = 4
"""What Outlook lets an app do at a time in one mailbox."""

_NOWHERE = "AAMkTenantkeepProof%3D"
_NOBODY = "00000000-0000-0000-0000-000000000000"
_ONE = {"$select": "id", "$top": "1"}
_NO_MAILBOX = frozenset({"MailboxNotEnabledForRESTAPI", "ResourceNotFound"})
_LICENCE = "Authentication_RequestFromNonPremiumTenantOrB2CTenant"
"""A 403 that speaks of the tenant's licence and not of the app (graph/known-issues)."""
_THROUGH = frozenset({HTTPStatus.OK, HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST})
_CODE = re.compile(r"[A-Za-z_.]{1,60}")


@dataclass(frozen=True)
class _Probe:
    """`{user}` in the path stands for a user, one after another until one has a mailbox; with `body` a PATCH."""

    path: str
    query: dict[str, str] | None = None
    body: dict[str, Any] | None = None


_PROBES: dict[str, _Probe] = {
    "Application.Read.All": _Probe("/servicePrincipals", {"$select": "id"}),
    "AuditLog.Read.All": _Probe("/auditLogs/directoryAudits", {"$top": "1"}),
    "Calendars.Read": _Probe("/users/{user}/calendars", _ONE),
    "Calendars.ReadWrite": _Probe(f"/users/{{user}}/events/{_NOWHERE}", body={"categories": []}),
    "Contacts.Read": _Probe("/users/{user}/contactFolders", _ONE),
    "Contacts.ReadWrite": _Probe(f"/users/{{user}}/contacts/{_NOWHERE}", body={"categories": []}),
    "Directory.Read.All": _Probe("/oauth2PermissionGrants"),
    "Domain.Read.All": _Probe("/domains"),
    "Files.Read.All": _Probe("/users/{user}/drive"),
    "Files.ReadWrite.All": _Probe(f"/drives/{_NOBODY}/items/{_NOBODY}", body={"name": "none"}),
    "GroupMember.Read.All": _Probe("/groups", _ONE),
    "Mail.Read": _Probe("/users/{user}/mailFolders", _ONE),
    "Mail.ReadWrite": _Probe(f"/users/{{user}}/messages/{_NOWHERE}", body={"isRead": True}),
    "OrgContact.Read.All": _Probe("/contacts", _ONE),
    "Policy.Read.All": _Probe("/identity/conditionalAccess/policies"),
    "RoleManagement.Read.Directory": _Probe("/roleManagement/directory/roleAssignments"),
    "Sites.Read.All": _Probe("/sites/root"),
    "Sites.ReadWrite.All": _Probe(f"/sites/{_NOBODY}/lists/{_NOBODY}/items/{_NOBODY}", body={"fields": {}}),
    "User.Read": _Probe("/me", {"$select": "id"}),
    "User.Read.All": _Probe("/users", _ONE),
    "User.ReadWrite.All": _Probe(f"/users/{_NOBODY}", body={"jobTitle": None}),
    "UserAuthenticationMethod.Read.All": _Probe("/users/{user}/authentication/methods"),
}
"""By the name of the permission; what is not here cannot be tried without changing something."""


class GraphProbes:
    """A `token_service.ports.Probes` on a client whose base URL is Graph's with version."""

    def __init__(self, client: httpx.AsyncClient, patience: float = 3.0) -> None:
        self._client = client
        self._patience = patience

    async def try_each(self, permissions: Collection[str], token: SecretStr) -> dict[str, Probed]:
        """Try what can be tried, for `patience` seconds in all."""
        headers = {"Authorization": f"Bearer {token.get_secret_value()}"}
        found = {name: Probed(Answer.UNKNOWN, "cannot be tried") for name in permissions}
        known = [name for name in permissions if name in _PROBES]
        found |= dict.fromkeys(known, Probed(Answer.UNKNOWN, "Microsoft Graph did not answer in time"))
        places = asyncio.Semaphore(_AT_ONCE)

        async def one(name: str, users: list[str]) -> None:
            async with places:
                found[name] = await self._try(_PROBES[name], users, headers)

        try:
            async with asyncio.timeout(self._patience):
                users = await self._users(headers) if any("{user}" in _PROBES[name].path for name in known) else []
                async with asyncio.TaskGroup() as group:
                    for name in known:
                        group.create_task(one(name, users))
        except TimeoutError:
            pass  # what was not answered stays unknown
        return found

    async def _try(self, probe: _Probe, users: list[str], headers: dict[str, str]) -> Probed:
        if "{user}" not in probe.path:
            return (await self._ask(probe, probe.path, headers))[0]
        last = Probed(Answer.UNKNOWN, "no user to try it on")
        for user in users:
            last, code = await self._ask(probe, probe.path.format(user=quote(user, safe="")), headers)
            if code not in _NO_MAILBOX:
                return last
        # A OneDrive that does not exist is told to those who may read it; a mailbox that does not exist to everybody.
        return last if probe.path.endswith("/drive") else Probed(Answer.UNKNOWN, "no user with a mailbox to try it on")

    async def _ask(self, probe: _Probe, path: str, headers: dict[str, str]) -> tuple[Probed, str]:
        method = "GET" if probe.body is None else "PATCH"
        try:
            answer = await self._client.request(method, path, params=probe.query, json=probe.body, headers=headers)
        except httpx.HTTPError as error:
            return Probed(Answer.UNKNOWN, type(error).__name__), ""
        code = code_of(answer)
        if answer.status_code in _THROUGH:
            return Probed(Answer.YES), code
        refused = answer.status_code == HTTPStatus.FORBIDDEN and code != _LICENCE
        return Probed(Answer.NO if refused else Answer.UNKNOWN, code or f"HTTP {answer.status_code}"), code

    async def _users(self, headers: dict[str, str]) -> list[str]:
        try:
            answer = await self._client.get("/users", params={"$select": "id", "$top": str(_USERS)}, headers=headers)
        except httpx.HTTPError:
            return []
        listed = body_of(answer).get("value", [])
        return [str(user["id"]) for user in listed if isinstance(user, dict) and "id" in user]


def code_of(answer: httpx.Response) -> str:
    """Graph's error code; empty when there is none, or when it does not look like one."""
    error = body_of(answer).get("error")
    code = _CODE.fullmatch(str(error.get("code", ""))) if isinstance(error, dict) else None
    return code[0] if code else ""


def body_of(answer: httpx.Response) -> dict[str, Any]:
    """The JSON object of an answer; empty when it is none."""
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
