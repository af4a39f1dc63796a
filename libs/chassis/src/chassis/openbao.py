"""The vault over HTTP, logged in by AppRole."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import httpx
from pydantic import SecretStr

from chassis import http
from chassis.clock import Clock
from chassis.settings import ServiceSettings
from chassis.vault import (
    Secret,
    SignaturePadding,
    VaultConflict,
    VaultDenied,
    VaultError,
    VaultNotFound,
    VaultRejected,
    VaultUnreachable,
    whole_seconds,
)

_RENEW_AT = 0.5
"""Share of a token's life after which it is renewed."""

_CAS_MISMATCH = "check-and-set parameter did not match"
_NO_KEY = ("key not found", "signing key not found")


@dataclass(frozen=True)
class _Lease:
    token: SecretStr
    renewable: bool
    lifetime: float
    obtained: float

    def due(self, now: float) -> bool:
        return now >= self.obtained + self.lifetime * _RENEW_AT

    def expired(self, now: float) -> bool:
        return now >= self.obtained + self.lifetime


class AppRoleVault:
    """A `chassis.vault.Vault`. Logs in on first use, renews ahead of expiry, logs in anew when refused, once."""

    def __init__(self, client: httpx.AsyncClient, *, role_id: str, secret_id: SecretStr, clock: Clock) -> None:
        self._client = client
        self._role_id = role_id
        self._secret_id = secret_id
        self._clock = clock
        self._lease: _Lease | None = None
        self._login = asyncio.Lock()

    async def kv_read(self, path: str) -> tuple[Secret, int] | None:
        answer = await self._call("GET", f"kv/data/{path}", missing_ok=True)
        if answer is None:
            return None
        return answer["data"]["data"], answer["data"]["metadata"]["version"]

    async def kv_create(self, path: str, data: Secret) -> int:
        return await self.kv_write(path, data, cas=0)

    async def kv_write(self, path: str, data: Secret, cas: int | None = None) -> int:
        options = {} if cas is None else {"cas": cas}
        answer = await self._call("POST", f"kv/data/{path}", {"data": data, "options": options})
        version: int = _field(answer, "version", f"kv/data/{path}", int)
        return version

    async def kv_metadata(
        self, path: str, *, max_versions: int | None = None, delete_version_after: timedelta | None = None
    ) -> None:
        body: dict[str, Any] = {}
        if max_versions is not None:
            body["max_versions"] = max_versions
        if delete_version_after is not None:
            body["delete_version_after"] = f"{whole_seconds(delete_version_after)}s"
        await self._call("POST", f"kv/metadata/{path}", body)

    async def kv_list(self, path: str) -> tuple[str, ...]:
        answer = await self._call("LIST", f"kv/metadata/{path}", missing_ok=True)
        return () if answer is None else tuple(_field(answer, "keys", f"kv/metadata/{path}", list))

    async def kv_delete(self, path: str) -> None:
        await self._call("DELETE", f"kv/metadata/{path}")

    async def transit_create_key(self, name: str) -> None:
        await self._call("POST", f"transit/keys/{name}", {"type": "aes256-gcm96"})

    async def transit_has_key(self, name: str) -> bool:
        return await self._call("GET", f"transit/keys/{name}", missing_ok=True) is not None

    async def transit_data_key(self, name: str) -> tuple[bytes, str]:
        path = f"transit/datakey/plaintext/{name}"
        answer = await self._call("POST", path, {"bits": 256})
        return base64.b64decode(_field(answer, "plaintext", path, str)), _field(answer, "ciphertext", path, str)

    async def transit_encrypt(self, name: str, plaintext: bytes) -> str:
        path = f"transit/encrypt/{name}"
        answer = await self._call("POST", path, {"plaintext": base64.b64encode(plaintext).decode()})
        return str(_field(answer, "ciphertext", path, str))

    async def transit_decrypt(self, name: str, ciphertext: str) -> bytes:
        path = f"transit/decrypt/{name}"
        answer = await self._call("POST", path, {"ciphertext": ciphertext})
        return base64.b64decode(_field(answer, "plaintext", path, str))

    async def transit_create_signing_key(self, name: str) -> None:
        await self._call("POST", f"transit/keys/{name}", {"type": "rsa-3072"})

    async def transit_public_key(self, name: str) -> str:
        path = f"transit/keys/{name}"
        versions = _field(await self._call("GET", path), "keys", path, dict)
        return str(versions[max(versions, key=int)]["public_key"])

    async def transit_sign(self, name: str, data: bytes, padding: SignaturePadding) -> bytes:
        path = f"transit/sign/{name}"
        wanted = {"hash_algorithm": "sha2-256", "signature_algorithm": padding, "salt_length": "hash"}
        answer = await self._call("POST", path, {"input": base64.b64encode(data).decode(), **wanted})
        return base64.b64decode(str(_field(answer, "signature", path, str)).rpartition(":")[2])

    async def transit_destroy_signing_key(self, name: str) -> None:
        path = f"transit/keys/{name}"
        if not await self.transit_has_key(name):
            return
        try:
            await self._call("POST", f"{path}/config", {"deletion_allowed": True})
            await self._call("DELETE", path)
        except (VaultRejected, VaultNotFound):
            if await self.transit_has_key(name):  # else somebody else was faster
                raise

    async def _call(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, missing_ok: bool = False
    ) -> dict[str, Any] | None:
        lease = await self._valid_lease()
        response = await self._send(method, path, body, lease.token)
        if response.status_code == HTTPStatus.FORBIDDEN:
            renewed = await self._valid_lease(refused=lease)
            response = await self._send(method, path, body, renewed.token)
        if response.is_success:
            return _json(response, method, path)
        if missing_ok and response.status_code == HTTPStatus.NOT_FOUND and not _complaints(response):
            return None
        raise _error(method, path, response)

    async def _send(
        self, method: str, path: str, body: dict[str, Any] | None, token: SecretStr | None = None
    ) -> httpx.Response:
        headers = {} if token is None else {"X-Vault-Token": token.get_secret_value()}
        try:
            return await self._client.request(method, f"/v1/{path}", json=body, headers=headers)
        except httpx.TransportError as error:
            detail = str(error) or type(error).__name__
            raise VaultUnreachable(method, path, detail) from error

    async def _valid_lease(self, refused: _Lease | None = None) -> _Lease:
        async with self._login:
            lease = self._lease
            if lease is None or lease is refused or lease.expired(self._clock.monotonic()):
                lease = await self._log_in()
            elif lease.due(self._clock.monotonic()):
                lease = await self._renew(lease)
            self._lease = lease
            return lease

    async def _log_in(self) -> _Lease:
        path = "auth/approle/login"
        body = {"role_id": self._role_id, "secret_id": self._secret_id.get_secret_value()}
        response = await self._send("POST", path, body)
        if response.status_code in {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN}:
            raise VaultDenied("POST", path, "role id and secret id are refused")
        if not response.is_success:
            raise _error("POST", path, response)
        return self._lease_of(response, path)

    async def _renew(self, lease: _Lease) -> _Lease:
        """Prolong; log in when the vault refuses or grants less than half, which means the token nears its maximum."""
        path = "auth/token/renew-self"
        if lease.renewable:
            response = await self._send("POST", path, {}, lease.token)
            if response.is_success:
                renewed = self._lease_of(response, path)
                if renewed.lifetime >= lease.lifetime * _RENEW_AT:
                    return renewed
        return await self._log_in()

    def _lease_of(self, response: httpx.Response, path: str) -> _Lease:
        auth = _json(response, "POST", path)["auth"]
        return _Lease(
            token=SecretStr(auth["client_token"]),
            renewable=bool(auth["renewable"]),
            lifetime=float(auth["lease_duration"]) or float("inf"),
            obtained=self._clock.monotonic(),
        )


@asynccontextmanager
async def open_vault(settings: ServiceSettings, clock: Clock) -> AsyncIterator[AppRoleVault]:
    """Open the vault the settings name; closes its connections at the end."""
    async with http.client(settings.ca_file, base_url=settings.vault_url, read=10.0, connections=10) as client:
        yield AppRoleVault(client, role_id=settings.vault_role_id, secret_id=settings.vault_secret_id, clock=clock)


def _json(response: httpx.Response, operation: str, path: str) -> dict[str, Any]:
    if response.status_code == HTTPStatus.NO_CONTENT:
        return {}
    try:
        answer = response.json()
    except ValueError:
        raise VaultUnreachable(operation, path, "the answer is not JSON: is this a vault?") from None
    if not isinstance(answer, dict):
        raise VaultUnreachable(operation, path, "the answer is no object: is this a vault?")
    return answer


def _field(answer: dict[str, Any] | None, name: str, path: str, kind: type[Any]) -> Any:
    value = (answer or {}).get("data", {}).get(name)
    if not isinstance(value, kind):
        raise VaultUnreachable("POST", path, f"the answer lacks {name}")
    return value


def _complaints(response: httpx.Response) -> list[str]:
    try:
        answer = response.json()
    except ValueError:
        return [response.reason_phrase]
    errors = answer.get("errors", []) if isinstance(answer, dict) else [response.reason_phrase]
    return [str(error) for error in errors]


_REFUSALS: dict[int, tuple[type[VaultError], str]] = {
    HTTPStatus.FORBIDDEN: (VaultDenied, "permission denied"),
    HTTPStatus.NOT_FOUND: (VaultNotFound, "status 404"),
    HTTPStatus.SERVICE_UNAVAILABLE: (VaultUnreachable, "sealed or not ready (status 503)"),
}


def _error(operation: str, path: str, response: httpx.Response) -> VaultError:
    """Map a status. The vault's own words may quote the request, so they choose the class but are not passed on."""
    status = response.status_code
    kind, detail = _REFUSALS.get(status, (VaultUnreachable, f"status {status}"))
    if status == HTTPStatus.BAD_REQUEST:
        kind = VaultRejected
        complaints = " ".join(_complaints(response))
        if _CAS_MISMATCH in complaints:
            kind, detail = VaultConflict, "the version did not match"
        elif any(words in complaints for words in _NO_KEY):
            kind, detail = VaultNotFound, "no such key"
    return kind(operation, path, detail)
