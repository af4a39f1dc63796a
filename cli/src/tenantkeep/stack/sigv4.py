"""AWS Signature Version 4, as far as the stack's own calls to its object store need it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
"""

import datetime as dt
import hashlib
import hmac
from collections.abc import Generator
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote

import httpx

_REGION = "us-east-1"
_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True)
class SigV4(httpx.Auth):
    """Signs every request of a client for one service ("s3" or "iam")."""

    access_key: str
    secret_key: str = field(repr=False)
    service: str
    requires_request_body = True

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the three headers a signed request has."""
        now = dt.datetime.now(dt.UTC)
        timestamp = now.strftime("%Y%m%dT%H%M%SZ")
        digest = hashlib.sha256(request.content).hexdigest()
        request.headers["x-amz-date"] = timestamp
        request.headers["x-amz-content-sha256"] = digest
        signed = {name: request.headers[name] for name in ("host", "x-amz-content-sha256", "x-amz-date")}
        names = ";".join(signed)
        canonical = "\n".join(
            [
                request.method,
                quote(request.url.path, safe="/~"),
                _canonical_query(request.url),
                *(f"{name}:{value}" for name, value in signed.items()),
                "",
                names,
                digest,
            ]
        )
        scope = f"{timestamp[:8]}/{_REGION}/{self.service}/aws4_request"
        to_sign = "\n".join([_ALGORITHM, timestamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = f"AWS4{self.secret_key}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
        request.headers["authorization"] = (
            f"{_ALGORITHM} Credential={self.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
        )
        yield request


def _canonical_query(url: httpx.URL) -> str:
    pairs = parse_qsl(url.query.decode(), keep_blank_values=True)
    encoded = sorted((quote(name, safe="~"), quote(value, safe="~")) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)
