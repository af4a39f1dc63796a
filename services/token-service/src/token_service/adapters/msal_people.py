"""People sign in through msal: authorisation code with PKCE, and an id_token that we validate ourselves.

What msal must have back at the end (code verifier, nonce, state) leaves here as one secret text.
"""

import asyncio
import hashlib
import json
import re
import ssl
from collections.abc import Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import httpx
import msal
from pydantic import SecretStr

from chassis.clock import Clock
from token_service.adapters.id_tokens import OTHER_SIGN_IN, IdTokenInvalid, validated
from token_service.adapters.msal_authority import TIMEOUT, MsalCredential, Wire, detail_of, for_msal
from token_service.adapters.transit_keys import TransitKeys
from token_service.ports import AppIdentity, NotSignedIn, SignedIn, SignInBegun

_GRAPH = "https://graph.microsoft.com/"
_PRINTABLE = re.compile(r"[ -~]{1,320}")
_FAILURES = (httpx.HTTPError, msal.exceptions.MsalError, ValueError, KeyError)


class MsalPeople:
    """A `token_service.ports.People`. `url` is the platform's base URL; a context manager that closes connections."""

    def __init__(self, url: str, *, trust: ssl.SSLContext, proxy: str | None, keys: TransitKeys, clock: Clock) -> None:
        self._url = url.rstrip("/")
        self._vault_keys = keys
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

    async def begin(
        self, app: AppIdentity, scopes: list[str], redirect_uri: str, state: str
    ) -> SignInBegun | NotSignedIn:
        return await asyncio.to_thread(self._begin, app, self._proof(app), scopes, redirect_uri, state)

    async def finish(self, app: AppIdentity, kept: SecretStr, answer: Mapping[str, str]) -> SignedIn | NotSignedIn:
        return await asyncio.to_thread(self._finish, app, self._proof(app), kept, answer)

    def _proof(self, app: AppIdentity) -> MsalCredential:
        return for_msal(app.credential, self._vault_keys, asyncio.get_running_loop())

    def _begin(
        self, app: AppIdentity, proof: MsalCredential, scopes: list[str], redirect_uri: str, state: str
    ) -> SignInBegun | NotSignedIn:
        try:
            flow = self._application(app, proof).initiate_auth_code_flow(
                scopes, redirect_uri=redirect_uri, state=state, response_mode="form_post"
            )
        except _FAILURES as error:
            return NotSignedIn(f"Microsoft's sign-in: {type(error).__name__}")
        return SignInBegun(str(flow["auth_uri"]), SecretStr(json.dumps(flow)))

    def _finish(
        self, app: AppIdentity, proof: MsalCredential, kept: SecretStr, answer: Mapping[str, str]
    ) -> SignedIn | NotSignedIn:
        flow = json.loads(kept.get_secret_value())
        try:
            got = self._application(app, proof).acquire_token_by_auth_code_flow(flow, dict(answer))
            if "error" in got:
                return NotSignedIn(detail_of(str(got["error"]), str(got.get("error_description", ""))))
            claims = validated(
                str(got.get("id_token", "")),
                self._keys(app),
                client_id=app.client_id,
                issuer=f"{self._url}/{app.entra_tenant_id}/v2.0",
                tenant_id=app.entra_tenant_id,
                nonce=hashlib.sha256(str(flow["nonce"]).encode()).hexdigest(),
                now=self._clock.now(),
            )
        except IdTokenInvalid as error:
            return NotSignedIn(str(error))
        except RuntimeError:  # msal's word for a nonce that is not ours, the one claim it looks at
            return NotSignedIn(OTHER_SIGN_IN)
        except _FAILURES as error:
            return NotSignedIn(f"Microsoft's sign-in: {type(error).__name__}")
        name = str(claims.get("preferred_username") or claims["oid"])
        scopes = frozenset(scope.removeprefix(_GRAPH) for scope in str(got.get("scope", "")).split())
        shown = name if _PRINTABLE.fullmatch(name) else str(claims["oid"])
        return SignedIn(shown, scopes, SecretStr(str(got["access_token"])))

    def _keys(self, app: AppIdentity) -> dict[str, Any]:
        """The keys of the moment: Microsoft changes them without notice, and people sign in seldom."""
        answer = self._client.get(f"{self._url}/{app.entra_tenant_id}/discovery/v2.0/keys")
        if answer.status_code != HTTPStatus.OK:
            raise IdTokenInvalid("the keys of the issuer cannot be fetched")
        keys: dict[str, Any] = answer.json()
        return keys

    def _application(self, app: AppIdentity, proof: MsalCredential) -> Any:
        return msal.ConfidentialClientApplication(
            app.client_id,
            client_credential=proof,
            authority=f"{self._url}/{app.entra_tenant_id}",
            instance_discovery=False,
            http_client=Wire(self._client),
        )
