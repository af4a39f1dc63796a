"""An id_token is believed only when it is signed by the tenant's issuer, for this app, this sign-in and this moment.

msal takes any since 1.38; https://learn.microsoft.com/entra/identity-platform/id-tokens#validate-tokens
"""

import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import jwt

LEEWAY = 300.0
"""Seconds that Microsoft's clock and ours may differ; its own libraries allow as much."""

_LONGEST = 16_384
_REQUIRED = ("exp", "iat", "iss", "aud", "sub", "oid", "tid", "nonce")


OTHER_SIGN_IN = "the id_token is of another sign-in"
_FAULTS: tuple[tuple[type[jwt.PyJWTError], str], ...] = (
    (jwt.InvalidAudienceError, "the id_token is for another app"),
    (jwt.InvalidIssuerError, "the id_token is of another issuer"),
    (jwt.InvalidSignatureError, "the signature of the id_token is not the issuer's"),
    (jwt.MissingRequiredClaimError, "the id_token lacks a claim"),
)


class IdTokenInvalid(Exception):
    """The text is our own and quotes no claim."""


def validated(
    token: str, keys: Mapping[str, Any], *, client_id: str, issuer: str, tenant_id: str, nonce: str, now: datetime
) -> dict[str, Any]:
    """Give the claims of an id_token. Raises IdTokenInvalid.

    `keys` is the issuer's key set (RFC 7517), `nonce` the value that was sent with the authorisation request.
    """
    if len(token) > _LONGEST:
        raise IdTokenInvalid("the id_token is too long")
    claims = _signed(token, keys, client_id, issuer)
    if not now.timestamp() - LEEWAY < _instant(claims, "exp") or _instant(claims, "iat") - LEEWAY > now.timestamp():
        raise IdTokenInvalid("the id_token is not valid at this time")
    if claims["tid"] != tenant_id:
        raise IdTokenInvalid("the id_token is of another tenant")
    if not isinstance(claims["nonce"], str) or not hmac.compare_digest(claims["nonce"].encode(), nonce.encode()):
        raise IdTokenInvalid(OTHER_SIGN_IN)
    return claims


def _signed(token: str, keys: Mapping[str, Any], client_id: str, issuer: str) -> dict[str, Any]:
    # Time is judged by the one clock that is handed in.
    options: Any = {"require": list(_REQUIRED), "verify_exp": False, "verify_iat": False, "verify_nbf": False}
    try:
        kid = jwt.get_unverified_header(token).get("kid")
        key = next(key for key in jwt.PyJWKSet.from_dict(dict(keys)).keys if key.key_id == kid)
        claims: dict[str, Any] = jwt.decode(
            token, key, algorithms=["RS256"], audience=client_id, issuer=issuer, options=options
        )
    except StopIteration:
        raise IdTokenInvalid("the id_token is signed with a key the issuer does not publish") from None
    except jwt.PyJWTError as error:
        known = (words for kind, words in _FAULTS if isinstance(error, kind))
        raise IdTokenInvalid(next(known, f"the id_token is not valid ({type(error).__name__})")) from None
    return claims


def _instant(claims: Mapping[str, Any], name: str) -> float:
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise IdTokenInvalid("the id_token has no usable times")
    return float(value)
