"""App registrations and enterprise applications on Microsoft Graph, with the token of the directory profile."""

import base64
import hashlib
import re
import ssl
from datetime import datetime
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from token_service.adapters.graph_answers import body_of, code_of
from token_service.ports import (
    Disabled,
    NotDisabled,
    NotRead,
    Registered,
    RegisteredCertificate,
    RegisteredSecret,
    Unanswered,
)

_TIMEOUT = httpx.Timeout(2.0)
_DONE = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.OK, HTTPStatus.NOT_FOUND})
"""Without a service principal nobody signs in, either."""
_SELECT = "passwordCredentials,keyCredentials"
_SIGNS_IN = "Verify"
"""Other certificates of an app sign or encrypt for it (graph/api/resources/keycredential)."""
_SHA1_BYTES = 20
_SHA1_HEX = re.compile(r"[0-9A-Fa-f]{40}")


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

    async def credentials(self, client_id: str, token: SecretStr) -> Registered | NotRead | Unanswered:
        """GET /applications(appId='…'); 404 where the publisher is another tenant (graph/api/application-get)."""
        path = f"/applications(appId='{quote(client_id, safe='')}')"
        headers = {"Authorization": f"Bearer {token.get_secret_value()}"}
        try:
            answer = await self._client.get(path, params={"$select": _SELECT}, headers=headers)
        except httpx.HTTPError as error:
            return Unanswered(type(error).__name__)
        if answer.status_code in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}:
            return NotRead(code_of(answer))
        if answer.status_code != HTTPStatus.OK:
            return Unanswered(code_of(answer))
        try:
            return registered_in(body_of(answer))
        except (KeyError, TypeError, ValueError, AttributeError):
            return Unanswered("the answer is not what Graph documents")


def registered_in(application: dict[str, Any]) -> Registered:
    """Read an application object. Raises KeyError, TypeError, ValueError or AttributeError for anything else."""
    return Registered(
        secrets=tuple(_secret(each) for each in application["passwordCredentials"]),
        certificates=tuple(
            _certificate(each) for each in application["keyCredentials"] if each.get("usage") == _SIGNS_IN
        ),
    )


def _secret(stored: dict[str, Any]) -> RegisteredSecret:
    return RegisteredSecret(str(stored.get("hint") or ""), datetime.fromisoformat(str(stored["endDateTime"])))


def _certificate(stored: dict[str, Any]) -> RegisteredCertificate:
    return RegisteredCertificate(_thumbprint(stored), datetime.fromisoformat(str(stored["endDateTime"])))


def _thumbprint(stored: dict[str, Any]) -> str:
    """Of the certificate itself, which Graph gives to who selects it; else what the entry is named by.

    That is the thumbprint in hex where the admin center wrote it, and anything where a program did, often its base64.
    """
    if stored.get("key"):
        whole = base64.b64decode(stored["key"], validate=True)
        return hashlib.sha1(whole, usedforsecurity=False).hexdigest().upper()
    name = str(stored.get("customKeyIdentifier") or "")
    if _SHA1_HEX.fullmatch(name):
        return name.upper()
    try:
        raw = base64.b64decode(name, validate=True)
    except ValueError:
        return ""
    return raw.hex().upper() if len(raw) == _SHA1_BYTES else ""
