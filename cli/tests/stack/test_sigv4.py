"""Against the published examples of Signature Version 4 for S3 (GET of an object, list with a query)."""

import datetime as dt

import httpx
import pytest

from tenantkeep.stack import sigv4
from tenantkeep.stack.sigv4 import SigV4

KEYS = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")


class _Frozen(dt.datetime):
    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> "dt.datetime":
        return dt.datetime(2013, 5, 24, tzinfo=tz)


@pytest.mark.parametrize(
    ("url", "signature"),
    [
        (
            "https://examplebucket.s3.amazonaws.com/?lifecycle",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            "https://examplebucket.s3.amazonaws.com/?max-keys=2&prefix=J",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
)
def test_the_signature_is_that_of_the_published_example(
    monkeypatch: pytest.MonkeyPatch, url: str, signature: str
) -> None:
    monkeypatch.setattr(sigv4.dt, "datetime", _Frozen)
    request = next(SigV4(*KEYS, "s3").auth_flow(httpx.Request("GET", url)))
    assert request.headers["authorization"].endswith(f"Signature={signature}")


def test_the_secret_is_not_in_the_representation() -> None:
    assert KEYS[1] not in repr(SigV4(*KEYS, "s3"))
