"""The process behind the embedded stack's tokens: discovery, JWKS and client credentials for one operator over https.

Run: `python -m tenantkeep.stack.issuer_server <home> <port>`.
"""

import base64
import binascii
import datetime as dt
import hashlib
import hmac
import secrets as randoms
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import jwt
import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tenantkeep.stack import secrets
from tenantkeep.stack.home import Home
from tenantkeep.stack.issuer import AUDIENCE, NAME

_LIFETIME = dt.timedelta(hours=1)
_CLOCK_SKEW = dt.timedelta(seconds=30)
_NO_STORE = {"cache-control": "no-store"}


@dataclass(frozen=True)
class Issuer:
    """Signs bearer tokens for the one client of this stack."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    key: rsa.RSAPrivateKey = field(repr=False)

    @property
    def key_id(self) -> str:
        """Derived from the public key, so that a new key has a new id."""
        public = self.key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return hashlib.sha256(public).hexdigest()[:16]

    def token(self, now: dt.datetime) -> str:
        """An operator's token: every tenant, one hour."""
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": self.client_id,
            "roles": ["operator"],
            "tenants": ["*"],
            "iat": now,
            "nbf": now - _CLOCK_SKEW,
            "exp": now + _LIFETIME,
            "jti": randoms.token_urlsafe(16),
        }
        return jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": self.key_id})

    def jwks(self) -> dict[str, Any]:
        """The public key as a JSON Web Key Set."""
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": self.key_id, "use": "sig", "alg": "RS256", "key_ops": ["verify"]}]}

    def knows(self, client_id: str, client_secret: str) -> bool:
        """Whether these are the operator's credentials; takes the same time for every wrong answer."""
        right_id = hmac.compare_digest(client_id.encode(), self.client_id.encode())
        right_secret = hmac.compare_digest(client_secret.encode(), self.client_secret.encode())
        return right_id and right_secret


def application(issuer: Issuer) -> Starlette:
    """The three routes of a minimal OpenID provider."""

    async def discovery(_: Request) -> JSONResponse:
        return JSONResponse(
            {
                "issuer": issuer.issuer,
                "token_endpoint": f"{issuer.issuer}/token",
                "jwks_uri": f"{issuer.issuer}/jwks.json",
                "grant_types_supported": ["client_credentials"],
                "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "response_types_supported": ["token"],
                "subject_types_supported": ["public"],
            }
        )

    async def keys(_: Request) -> JSONResponse:
        return JSONResponse(issuer.jwks())

    async def token(request: Request) -> JSONResponse:
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        if form.get("grant_type") != "client_credentials":
            return _refusal(400, "unsupported_grant_type", "Only client_credentials is offered.")
        client_id, client_secret = _credentials(request, form)
        if not issuer.knows(client_id, client_secret):
            return _refusal(401, "invalid_client", "Client id or secret is wrong.")
        granted = issuer.token(dt.datetime.now(dt.UTC))
        body = {"access_token": granted, "token_type": "Bearer", "expires_in": int(_LIFETIME.total_seconds())}
        return JSONResponse(body, headers=_NO_STORE)

    return Starlette(
        routes=[
            Route("/.well-known/openid-configuration", discovery),
            Route("/jwks.json", keys),
            Route("/token", token, methods=["POST"]),
        ]
    )


def _credentials(request: Request, form: dict[str, str]) -> tuple[str, str]:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        name, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, password


def _refusal(status: int, error: str, description: str) -> JSONResponse:
    return JSONResponse({"error": error, "error_description": description}, status, headers=_NO_STORE)


def load(home: Home, port: int) -> Issuer:
    """The issuer of this state folder."""
    key = serialization.load_pem_private_key(secrets.issuer_key(home).read_bytes(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    operator = secrets.read_pair(secrets.operator_client(home))
    return Issuer(f"https://127.0.0.1:{port}", operator["client_id"], operator["client_secret"], key)


def main(arguments: list[str]) -> None:
    """Serve until SIGTERM."""
    home, port = Home(Path(arguments[0])), int(arguments[1])
    certificate, key = home.certificate(NAME)
    uvicorn.run(
        application(load(home, port)),
        host="127.0.0.1",
        port=port,
        ssl_certfile=str(certificate),
        ssl_keyfile=str(key),
        log_level="warning",
        timeout_graceful_shutdown=2,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
