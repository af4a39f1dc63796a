"""App registrations and enterprise applications on Microsoft Graph, with the token of the directory profile."""

import ssl
from http import HTTPStatus
from types import TracebackType
from typing import Self
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from token_service.adapters.graph_answers import code_of
from token_service.ports import Disabled, NotDisabled, Unanswered

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
