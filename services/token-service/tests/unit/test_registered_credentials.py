"""An application object of Graph, in the forms that its entries have by who wrote them."""

import base64
import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest

from token_service.adapters.graph_registrations import registered_in
from token_service.ports import Registered, RegisteredCertificate, RegisteredSecret

END = datetime(2027, 3, 1, 10, 0, tzinfo=UTC)
CERTIFICATE = b"a certificate in DER"
SHA1 = hashlib.sha1(CERTIFICATE, usedforsecurity=False).digest()


def application(*keys: dict[str, Any]) -> dict[str, Any]:
    common = {"type": "AsymmetricX509Cert", "usage": "Verify", "endDateTime": "2027-03-01T10:00:00Z"}
    return {"passwordCredentials": [], "keyCredentials": [{**common, **key} for key in keys]}


@pytest.mark.parametrize(
    ("entry", "thumbprint"),
    [
        ({"customKeyIdentifier": SHA1.hex().upper(), "key": None}, SHA1.hex().upper()),
        ({"customKeyIdentifier": SHA1.hex()}, SHA1.hex().upper()),
        ({"customKeyIdentifier": base64.b64encode(SHA1).decode()}, SHA1.hex().upper()),
        ({"customKeyIdentifier": "Tm9uZQ==", "key": base64.b64encode(CERTIFICATE).decode()}, SHA1.hex().upper()),
        ({"customKeyIdentifier": "Tm9uZQ==", "key": None}, ""),
        ({"customKeyIdentifier": "the old one"}, ""),
        ({"customKeyIdentifier": None}, ""),
    ],
)
def test_a_certificate_is_known_by_its_thumbprint_however_it_was_uploaded(
    entry: dict[str, Any], thumbprint: str
) -> None:
    assert registered_in(application(entry)) == Registered(certificates=(RegisteredCertificate(thumbprint, END),))


def test_certificates_that_sign_or_encrypt_for_the_app_sign_nobody_in() -> None:
    assert registered_in(application({"usage": "Sign"}, {"usage": "Encrypt"})) == Registered()


def test_a_secret_without_a_hint_is_told_without() -> None:
    secrets = [{"hint": hint, "endDateTime": "2027-03-01T10:00:00.1234567Z"} for hint in ("abc", None)]
    found = registered_in({"passwordCredentials": secrets, "keyCredentials": []})
    end = END.replace(microsecond=123456)
    assert found == Registered((RegisteredSecret("abc", end), RegisteredSecret("", end)))
