"""App registrations and enterprise applications on Microsoft Graph, with the token of the directory profile."""

import ssl
from datetime import datetime
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from token_service.adapters.graph_answers import body_of, code_of
from token_service.ports import Disabled, NotDisabled, NotRead, Registered, RegisteredSecret, Unanswered

_TIMEOUT = httpx.Timeout(2.0)
_DONE = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.OK, HTTPStatus.NOT_FOUND})
"""Without a service principal nobody signs in, either."""


class GraphRegistrations:
    """An `AppRegistrations`. `url` is Graph's base URL with version; an async context manager."""

    def __init__(self, url: str, *, trust: ssl.SSLContext, proxy: str | None) -> None:
        self._client = httpx.AsyncClient(
            base_url=url.rstrip("/"),
            verify=trust,
            proxy=None if proxy is None else httpx.Proxy(proxy, ssl_context=trust),
            trust_env=False,
            timeout=_TIMEOUT,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def disable(self, client_id: str, token: SecretStr) -> Disabled | NotDisabled | Unanswered:
        """PATCH /servicePrincipals(appId='…'); needs Application.ReadWrite.All (graph/api/serviceprincipal-update)."""
        path = f"/servicePrincipals(appId='{quote(client_id, safe='')}')"
        headers = {"Authorization": f"Bearer {token.get_secret_value()}"}
        try:
            answer = await self._client.patch(path, json={"accountEnabled": False}, headers=headers)
        except httpx.HTTPError as error:
            return Unanswered(type(error).__name__)
        if answer.status_code in _DONE:
            return Disabled()
        if answer.status_code in {HTTPStatus.FORBIDDEN, HTTPStatus.UNAUTHORIZED, HTTPStatus.BAD_REQUEST}:
            return NotDisabled(code_of(answer))
        return Unanswered(code_of(answer))

    async def secrets(self, client_id: str, token: SecretStr) -> Registered | NotRead | Unanswered:
        """GET /applications(appId='…'); 404 where the publisher is another tenant (graph/api/application-get)."""
        path = f"/applications(appId='{quote(client_id, safe='')}')"
        headers = {"Authorization": f"Bearer {token.get_secret_value()}"}
        try:
            answer = await self._client.get(path, params={"$select": "passwordCredentials"}, headers=headers)
        except httpx.HTTPError as error:
            return Unanswered(type(error).__name__)
        if answer.status_code in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}:
            return NotRead(code_of(answer))
        found = body_of(answer).get("passwordCredentials")
        if answer.status_code != HTTPStatus.OK or not isinstance(found, list):
            return Unanswered(code_of(answer))
        try:
            return Registered(tuple(_secret(each) for each in found if each.get("hint")))
        except (KeyError, TypeError, ValueError, AttributeError):
            return Unanswered("the answer is not what Graph documents")


def _secret(stored: dict[str, Any]) -> RegisteredSecret:
    return RegisteredSecret(str(stored["hint"]), datetime.fromisoformat(str(stored["endDateTime"])))
