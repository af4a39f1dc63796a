"""One harmless call per workload tells whether Microsoft Graph lets an app do what its profile is for.

Mail is what the Exchange profiles are for; calendars and contacts are optional, and told apart.

A decodable `roles` claim is only a hint, and appears before it has effect; a call is the proof.
"""

import ssl
from collections.abc import Collection
from http import HTTPStatus
from types import TracebackType
from typing import Self
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from contracts.errors import ErrorClass
from contracts.names import Answer, Profile
from contracts.profiles import PROFILES
from token_service.adapters.graph_probes import GraphProbes, body_of, code_of
from token_service.ports import Effective, NotEffective, Proof, Unproven

_TIMEOUT = httpx.Timeout(2.0)
_USERS = 10
"""So many users are tried for one with a mailbox (not everybody has one)."""

_NO_ITEM = "AAMkTenantkeepProof%3D"
"""No item has this id: who may write is told that it is not there, who may not is refused before."""

_MISSING = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST})
"""What a change of something that does not exist is answered when changing is allowed."""

_MAILBOXES = frozenset({Profile.EXCHANGE_BACKUP, Profile.EXCHANGE_RESTORE})

_OPTIONAL = (
    ("calendars", "calendars", f"events/{_NO_ITEM}"),
    ("contacts", "contactFolders", f"contacts/{_NO_ITEM}"),
)
"""Workloads of the Exchange profiles that mail can do without: name, what is listed, what would be changed."""


class _Stopped(Exception):
    """A call that settles the question; `proof` is the answer."""

    def __init__(self, proof: NotEffective | Unproven) -> None:
        super().__init__(proof.detail)
        self.proof = proof


class GraphWorkloads:
    """A `Workloads`. `url` is Graph's base URL with version; an async context manager that closes its connections."""

    def __init__(self, url: str, *, trust: ssl.SSLContext, proxy: str | None) -> None:
        self.client = httpx.AsyncClient(
            base_url=url.rstrip("/"),
            verify=trust,
            proxy=None if proxy is None else httpx.Proxy(proxy, ssl_context=trust),
            trust_env=False,
            timeout=_TIMEOUT,
        )
        self._probes = GraphProbes(self.client)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.client.aclose()

    async def prove(self, profile: Profile, token: SecretStr) -> Proof:
        if profile not in _MAILBOXES and profile is not Profile.DIRECTORY:
            return await self._required(profile, token)
        headers = {"Authorization": f"Bearer {token.get_secret_value()}"}
        try:
            users = await self._users(headers)
            if profile in _MAILBOXES:
                return await self._mailbox(headers, users, writes=profile is Profile.EXCHANGE_RESTORE)
        except _Stopped as stopped:
            return stopped.proof
        except httpx.HTTPError as error:
            return Unproven(ErrorClass.CONNECTION_TIMEOUT, f"Microsoft Graph: {type(error).__name__}")
        return Effective()

    async def _required(self, profile: Profile, token: SecretStr) -> Proof:
        """Try each permission that the profile cannot do without."""
        tried = await self._probes.try_each(sorted(PROFILES[profile].required), token)
        refused = [f"{name}: {probed.detail}" for name, probed in tried.items() if probed.answer is Answer.NO]
        if refused:
            return NotEffective(", ".join(refused))
        open_ = [f"{name}: {probed.detail}" for name, probed in tried.items() if probed.answer is Answer.UNKNOWN]
        return Unproven(ErrorClass.CONNECTION_TIMEOUT, ", ".join(open_)) if open_ else Effective()

    async def _users(self, headers: dict[str, str]) -> list[str]:
        """GET /users (graph/api/user-list)."""
        answer = await self.client.get("/users", params={"$select": "id", "$top": str(_USERS)}, headers=headers)
        _refuse("users", answer, {HTTPStatus.OK})
        return [str(user["id"]) for user in body_of(answer).get("value", []) if isinstance(user, dict) and "id" in user]

    async def _mailbox(self, headers: dict[str, str], users: list[str], *, writes: bool) -> Effective:
        """GET mailFolders, and for a restore PATCH a message that does not exist (graph/api/message-update).

        Then the same of the workloads that mail can do without, which spoils nothing.
        """
        for user in users:
            mailbox = f"/users/{quote(user, safe='')}"
            params = {"$select": "id", "$top": "1"}
            answer = await self.client.get(f"{mailbox}/mailFolders", params=params, headers=headers)
            _refuse("mail", answer, {HTTPStatus.OK, HTTPStatus.NOT_FOUND})
            if answer.status_code == HTTPStatus.NOT_FOUND:  # no mailbox
                continue
            if writes:
                path = f"{mailbox}/messages/{_NO_ITEM}"
                answer = await self.client.patch(path, json={"isRead": True}, headers=headers)
                _refuse("mail, writing", answer, _MISSING)
            tried = [await self._optional(headers, mailbox, *each, writes=writes) for each in _OPTIONAL]
            return Effective(tuple(found for found in tried if found))
        raise _Stopped(Unproven(ErrorClass.NOT_FOUND, "no user with a mailbox to prove the permissions on"))

    async def _optional(
        self, headers: dict[str, str], mailbox: str, name: str, listed: str, changed: str, *, writes: bool
    ) -> str:
        """Why the workload is not proven; empty when it is (graph/api/event-update, graph/api/contact-update)."""
        try:
            params = {"$select": "id", "$top": "1"}
            answer = await self.client.get(f"{mailbox}/{listed}", params=params, headers=headers)
            _refuse(name, answer, {HTTPStatus.OK})
            if writes:
                answer = await self.client.patch(f"{mailbox}/{changed}", json={"categories": []}, headers=headers)
                _refuse(f"{name}, writing", answer, _MISSING)
        except _Stopped as stopped:
            return stopped.proof.detail
        except httpx.HTTPError as error:
            return f"{name}: {type(error).__name__}"
        return ""


def _refuse(workload: str, answer: httpx.Response, good: Collection[HTTPStatus]) -> None:
    if answer.status_code in good:
        return
    detail = f"{workload}: {code_of(answer) or f'HTTP {answer.status_code}'}"
    if answer.status_code == HTTPStatus.FORBIDDEN:
        raise _Stopped(NotEffective(detail))
    limited = answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
    raise _Stopped(Unproven(ErrorClass.RATE_LIMITED if limited else ErrorClass.CONNECTION_TIMEOUT, detail))
