"""The public keys of the token issuer (RFC 7517), found by OpenID discovery or at a given address."""

import asyncio
from typing import Any

import httpx
import jwt
import structlog

from chassis.clock import Clock
from contracts.problem import ProblemError, unavailable

log = structlog.get_logger(__name__)

MAX_AGE = 3600.0
"""Seconds after which keys are fetched anew although nothing was missing: a withdrawn key must stop working."""

MIN_INTERVAL = 30.0
"""Seconds between two fetches: invented key ids must not make us hammer the issuer."""

MIN_INTERVAL_EMPTY = 2.0
"""The same while there are no keys at all and every request fails."""

_KEY_TYPES = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC"}
_MIN_RSA_BITS = 2048

ALGORITHMS = tuple(_KEY_TYPES)


class IssuerUnreachable(Exception):
    """Discovery or key set could not be fetched or read."""


class OidcKeys:
    """Keys of one issuer, cached; one fetch at a time, whoever asks."""

    def __init__(
        self, client: httpx.AsyncClient, *, issuer: str, jwks_url: str | None, clock: Clock, max_age: float = MAX_AGE
    ) -> None:
        self._client = client
        self._issuer = issuer
        self._jwks_url = jwks_url
        self._clock = clock
        self._max_age = max_age
        self._keys: tuple[dict[str, Any], ...] = ()
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._failed = False
        self._fetching = asyncio.Lock()

    async def ready(self) -> None:
        """Return when keys are at hand; raises ProblemError `unavailable` otherwise."""
        if not self._keys:
            await self._refresh()
        if not self._keys:
            raise _unreachable()

    async def key(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        """Find the key for a token header; None when the issuer has none. Raises ProblemError `unavailable`.

        A token without `kid` is accepted while the issuer has only one key for the algorithm.
        """
        if self._clock.monotonic() - self._fetched_at >= self._max_age:
            await self._refresh()
        found = self._find(kid, algorithm)
        if found is None:
            await self._refresh()
            found = self._find(kid, algorithm)
        if found is None and (self._failed or not self._keys):
            raise _unreachable()  # whether the key exists is unknown, so the token is not called wrong
        return found

    def _find(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        fitting = [key for key in self._keys if _fits(key, kid, algorithm)]
        if len(fitting) != 1:
            return None
        try:
            found = jwt.PyJWK(fitting[0], algorithm)
        except jwt.PyJWTError:
            return None
        size = getattr(found.key, "key_size", 0)
        return None if _KEY_TYPES[algorithm] == "RSA" and size < _MIN_RSA_BITS else found

    async def _refresh(self) -> None:
        async with self._fetching:
            now = self._clock.monotonic()
            if now - self._tried_at < (MIN_INTERVAL if self._keys else MIN_INTERVAL_EMPTY):
                return
            self._tried_at = now
            try:
                self._keys = await self._fetch()
            except IssuerUnreachable as error:
                self._failed = True
                log.warning("keys of the token issuer not fetched", issuer=self._issuer, reason=str(error))
            else:
                self._failed = False
                self._fetched_at = now

    async def _fetch(self) -> tuple[dict[str, Any], ...]:
        address = self._jwks_url or await self._discovered()
        keys = (await self._json(address)).get("keys")
        if not isinstance(keys, list):
            raise IssuerUnreachable(f"{address} is no key set")
        return tuple(key for key in keys if isinstance(key, dict))

    async def _discovered(self) -> str:
        address = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
        document = await self._json(address)
        if document.get("issuer") != self._issuer:
            raise IssuerUnreachable(f"{address} names another issuer than TENANTKEEP_OIDC_ISSUER")
        jwks_uri = document.get("jwks_uri")
        if not isinstance(jwks_uri, str) or not jwks_uri.startswith("https://"):
            raise IssuerUnreachable(f"{address} names no https jwks_uri")
        return jwks_uri

    async def _json(self, address: str) -> dict[str, Any]:
        try:
            response = await self._client.get(address, headers={"accept": "application/json"})
            body = response.json() if response.is_success else None
        except (httpx.TransportError, ValueError) as error:
            raise IssuerUnreachable(f"{address}: {type(error).__name__}") from error
        if not isinstance(body, dict):
            raise IssuerUnreachable(f"{address} answered with status {response.status_code}")
        return body


def _fits(key: dict[str, Any], kid: str | None, algorithm: str) -> bool:
    return (
        key.get("kty") == _KEY_TYPES[algorithm]
        and key.get("use") in {None, "sig"}
        and key.get("alg") in {None, algorithm}
        and (kid is None or key.get("kid") == kid)
    )


def _unreachable() -> ProblemError:
    return unavailable("the keys of the token issuer cannot be fetched; try again shortly")
