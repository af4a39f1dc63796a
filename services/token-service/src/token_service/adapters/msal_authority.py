"""Microsoft's identity platform through msal, with its traps fenced off.

A new msal application per acquisition: its memory would replay a 400 for a minute after the administrator fixed
the cause, hand out a token that Graph has just refused, and share tokens between hosts that differ in the port.
Its own HTTP session would follow CA variables of the environment and wait for ever, so it gets ours.
(msal 1.39: throttled_http_client.py, token_cache.py, application.py)
"""

import asyncio
import re
import ssl
from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import httpx
import msal
from pydantic import SecretStr

from chassis.clock import Clock
from chassis.vault import VaultNotFound
from contracts.errors import ErrorClass
from graph_client import pause_asked_for
from token_service.adapters.pem import fault_of
from token_service.adapters.transit_keys import TransitKeys
from token_service.domain.credential import ClientCertificate, ClientSecret, Credential, VaultKey
from token_service.ports import Issued, NoAnswer, Outcome, Refused

TIMEOUT = httpx.Timeout(connect=2.0, read=5.0, write=5.0, pool=5.0)

# Branch on `error`, which is stable; the AADSTS number is for people (identity-platform/reference-error-codes).
_REFUSALS = {
    "invalid_client": ErrorClass.TOKEN_EXPIRED,
    "unauthorized_client": ErrorClass.CONSENT_REQUIRED,
    "invalid_grant": ErrorClass.CONSENT_REQUIRED,
    "interaction_required": ErrorClass.CONSENT_REQUIRED,
    "consent_required": ErrorClass.CONSENT_REQUIRED,
    "access_denied": ErrorClass.ACCESS_DENIED,
    "invalid_scope": ErrorClass.ACCESS_DENIED,
    "invalid_resource": ErrorClass.ACCESS_DENIED,
    "invalid_request": ErrorClass.NO_VALID_TOKEN,
    "invalid_tenant": ErrorClass.NO_VALID_TOKEN,
}
_NUMBER = re.compile(r"AADSTS[0-9]{4,8}")

MsalCredential = str | dict[str, Any]


class MsalAuthority:
    """An `Authority`. `url` is the platform's base URL; a context manager that closes its connections."""

    def __init__(
        self, url: str, scope: str, *, trust: ssl.SSLContext, proxy: str | None, keys: TransitKeys, clock: Clock
    ) -> None:
        self._url = url.rstrip("/")
        self._scope = scope
        self._keys = keys
        self._clock = clock
        self._client = httpx.Client(
            verify=trust,
            proxy=None if proxy is None else httpx.Proxy(proxy, ssl_context=trust),
            trust_env=False,
            timeout=TIMEOUT,
        )

    def __enter__(self) -> Self:
        self._client.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.__exit__(kind, error, trace)

    async def acquire(self, entra_tenant_id: str, client_id: str, credential: Credential) -> Outcome:
        if not isinstance(credential, ClientSecret):
            unusable = fault_of(credential, self._clock.now())
            if unusable is not None:
                return Refused(ErrorClass.NO_VALID_TOKEN, unusable)
        proof = for_msal(credential, self._keys, asyncio.get_running_loop())
        try:
            return await asyncio.to_thread(self._acquire, entra_tenant_id, client_id, proof)
        except VaultNotFound:
            return Refused(ErrorClass.NO_VALID_TOKEN, "the key is not in the vault any more; have a new one made")

    def _acquire(self, entra_tenant_id: str, client_id: str, proof: MsalCredential) -> Outcome:
        wire = Wire(self._client)
        try:
            application = msal.ConfidentialClientApplication(
                client_id,
                client_credential=proof,
                authority=f"{self._url}/{entra_tenant_id}",
                instance_discovery=False,
                http_client=wire,
            )
            answer = application.acquire_token_for_client(scopes=[self._scope])
        except httpx.HTTPError as error:
            return NoAnswer(ErrorClass.CONNECTION_TIMEOUT, type(error).__name__)
        except (msal.exceptions.MsalError, ValueError, KeyError, RuntimeError) as error:
            # msal says "not 200" in four ways; the status it saw is the only reliable part.
            return _without_answer(wire.last_status, type(error).__name__, self._pause(wire))
        return self._outcome(answer, wire)

    def _pause(self, wire: "Wire") -> float:
        """The pause that the last answer asked for, in seconds."""
        headers = wire.last_headers
        return pause_asked_for(headers.get("retry-after", ""), headers.get("date", ""), self._clock.now()) or 0.0

    def _outcome(self, answer: Mapping[str, Any], wire: "Wire") -> Outcome:
        token, expires_in = answer.get("access_token"), answer.get("expires_in")
        if isinstance(token, str) and isinstance(expires_in, int):
            return Issued(SecretStr(token), self._clock.now() + timedelta(seconds=expires_in))
        error = str(answer.get("error", ""))
        detail = detail_of(error, str(answer.get("error_description", "")))
        if wire.last_status == HTTPStatus.TOO_MANY_REQUESTS:
            return NoAnswer(ErrorClass.RATE_LIMITED, detail, self._pause(wire))
        refusal = _REFUSALS.get(error)
        if refusal is None:
            return NoAnswer(ErrorClass.CONNECTION_TIMEOUT, detail, self._pause(wire))
        return Refused(refusal, detail)


class Wire:
    """The http client msal gets: ours, remembering status and headers of the last answer."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self.last_status = 0
        self.last_headers = httpx.Headers()

    def get(self, url: str, **options: Any) -> httpx.Response:
        return self._note(self._client.get(url, **options))

    def post(self, url: str, **options: Any) -> httpx.Response:
        # msal hands over a signed assertion as bytes, which httpx would send as the text b'…'.
        data = options.get("data")
        if isinstance(data, Mapping):
            options["data"] = {name: _text(value) for name, value in data.items()}
        return self._note(self._client.post(url, **options))

    def close(self) -> None:
        """Stay open: the client serves the next application too."""

    def _note(self, response: httpx.Response) -> httpx.Response:
        self.last_status = response.status_code
        self.last_headers = response.headers
        return response


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def for_msal(credential: Credential, keys: TransitKeys, loop: asyncio.AbstractEventLoop) -> MsalCredential:
    """What msal takes. With a key in the vault it asks us for each assertion, in its thread, while `loop` runs."""
    match credential:
        case ClientSecret(value=value):
            return value
        case ClientCertificate(certificate=certificate, private_key=key):
            return {"public_certificate": certificate, "private_key": key}
        case VaultKey():

            def signed(asked: Mapping[str, str]) -> str:
                return keys.assertion(credential, loop, client_id=asked["client_id"], audience=asked["token_endpoint"])

            return {"client_assertion": signed}


def _without_answer(status: int, kind: str, pause: float) -> Outcome:
    if status in {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND}:
        return Refused(ErrorClass.NO_VALID_TOKEN, "the Entra tenant is unknown to Microsoft's sign-in")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return NoAnswer(ErrorClass.RATE_LIMITED, "HTTP 429", pause)
    return NoAnswer(ErrorClass.CONNECTION_TIMEOUT, f"HTTP {status}" if status else kind, pause)


def detail_of(error: str, description: str) -> str:
    """Keep the code and the AADSTS number; the rest of the description may name people and addresses."""
    number = _NUMBER.search(description)
    return " ".join(part for part in (error[:60], number[0] if number else "") if part) or "no error code"
