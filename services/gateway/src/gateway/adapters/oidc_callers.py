"""Bearer tokens of one OpenID Connect issuer (RFC 7519, RFC 8725)."""

import re
from typing import Any

import jwt

from contracts.names import Role
from gateway.adapters.oidc_keys import ALGORITHMS, OidcKeys
from gateway.domain import Caller, Person
from gateway.ports import Unauthenticated

LEEWAY = 60.0
"""Seconds that the issuer's clock and ours may differ."""

_LONGEST = 16_384
"""Characters of a token that are looked at at all."""

_REQUIRED = ["exp", "iss", "aud", "sub"]
_SUBJECT = re.compile(r"[ -~]{1,255}")
"""OpenID Connect Core, section 2; the subject travels in a header of the bus, where a line break would forge roles."""

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PERSON = ("tid", "oid")
"""learn.microsoft.com/entra/identity-platform/access-token-claims-reference: tenant and object id of the account."""

_ROLES = {role.value: role for role in Role}


class OidcCallers:
    """A `gateway.ports.Callers`."""

    def __init__(self, keys: OidcKeys, *, issuer: str, audience: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience

    async def caller_of(self, token: str) -> Caller:
        if len(token) > _LONGEST:
            raise Unauthenticated("the token is too long")
        algorithm, kid = _header(token)
        key = await self._keys.key(kid, algorithm)
        if key is None:
            raise Unauthenticated("the token is signed with a key its issuer does not publish")
        return _caller(self._claims(token, key, algorithm))

    def _claims(self, token: str, key: jwt.PyJWK, algorithm: str) -> dict[str, Any]:
        try:
            return jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY,
                options={"require": _REQUIRED},
            )
        except jwt.PyJWTError as error:
            raise Unauthenticated(_reason(error)) from None


def _header(token: str) -> tuple[str, str | None]:
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        raise Unauthenticated("the token cannot be read") from None
    algorithm = header.get("alg")
    if algorithm not in ALGORITHMS:
        raise Unauthenticated(f"the token must be signed with {', '.join(ALGORITHMS)}")
    return algorithm, header.get("kid")


_REASONS: tuple[tuple[type[jwt.PyJWTError], str], ...] = (
    (jwt.ExpiredSignatureError, "the token has expired"),
    (jwt.ImmatureSignatureError, "the token is not valid yet"),
    (jwt.InvalidIssuerError, "the token comes from another issuer"),
    (jwt.InvalidAudienceError, "the token is meant for another audience"),
    (jwt.MissingRequiredClaimError, f"the token lacks one of the claims {', '.join(_REQUIRED)}"),
    (jwt.InvalidSignatureError, "the token's signature is wrong"),
)


def _reason(error: jwt.PyJWTError) -> str:
    """Our own words: the library's may quote claims."""
    return next((text for kind, text in _REASONS if isinstance(error, kind)), "the token is not valid")


def _caller(claims: dict[str, Any]) -> Caller:
    subject = claims["sub"]
    if not isinstance(subject, str) or _SUBJECT.fullmatch(subject) is None:
        raise Unauthenticated("the token's claim sub is not 1 to 255 printable ASCII characters")
    roles = frozenset(_ROLES[name] for name in _texts(claims, "roles") if name in _ROLES)
    return Caller(subject, roles, frozenset(_texts(claims, "tenants")), _person(claims))


def _person(claims: dict[str, Any]) -> Person | None:
    """Both claims or none: half of an identity, or one that is no GUID, is a fault of the issuer's configuration.

    A token that Entra gave an app about itself (`idtyp`) is no person's; what the app may do says its token.
    """
    values = [claims.get(name) for name in _PERSON]
    if values == [None, None] or claims.get("idtyp") == "app":
        return None
    tenant, account = (value.lower() if isinstance(value, str) else "" for value in values)
    if not _GUID.fullmatch(tenant) or not _GUID.fullmatch(account):
        raise Unauthenticated("the token's claims tid and oid must be two GUIDs, or both be left out")
    return Person(tenant, account)


def _texts(claims: dict[str, Any], name: str) -> list[str]:
    values = claims.get(name, [])
    if not isinstance(values, list):
        raise Unauthenticated(f"the token's claim {name} is not a list")
    return [value for value in values if isinstance(value, str)]
