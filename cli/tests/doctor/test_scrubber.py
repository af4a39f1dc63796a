import base64
import json
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantkeep.doctor.scrubber import Scrubber

SECRET = "PLANTED-Zk3~8Qp1/+Xv9_2Lm4=="


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        quote(SECRET, safe=""),
        json.dumps(SECRET)[1:-1],
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
        SECRET.encode().hex(),
    ],
)
def test_a_known_secret_goes_in_every_form(form: str) -> None:
    assert form.rstrip("=") not in Scrubber([SECRET]).text(f"before {form} after")


def test_secrets_are_learnt_from_files_of_text_and_of_bytes(tmp_path: Path) -> None:
    (tmp_path / "text").write_text(f'{{"secret_key": "{SECRET}"}}\n')
    raw = bytes(range(200, 232))
    (tmp_path / "raw").write_bytes(raw)
    scrubber = Scrubber.of_files(sorted(tmp_path.iterdir()))
    told = scrubber.text(f"{SECRET} {base64.b64encode(raw).decode()} {raw.hex()}")
    assert told.replace("=", "").split() == ["[redacted]"] * 3


def test_what_looks_like_a_secret_goes_although_nobody_knew_it() -> None:
    told = Scrubber().text("Authorization: Bearer abcDEF123.456 and hvs.AAAAAAAAAAAAAAAAAAAAAAAAAAAA")
    assert "abcDEF123" not in told
    assert "hvs." not in told


def test_a_person_is_one_word_throughout_a_bundle_and_another_in_the_next() -> None:
    scrubber = Scrubber()
    first, second = scrubber.text("anna@contoso.example"), scrubber.text("mail of Anna@Contoso.example failed")
    assert first in second
    assert "contoso" not in second.lower()
    assert Scrubber().text("anna@contoso.example") != first


def test_a_document_is_masked_by_name() -> None:
    told = json.loads(Scrubber().document({"TENANTKEEP_NATS_NKEY": "x", "TENANTKEEP_PORTS": "auto", "n": [1, None]}))
    assert told == {"TENANTKEEP_NATS_NKEY": "[redacted]", "TENANTKEEP_PORTS": "auto", "n": [1, None]}


@given(st.text(), st.text())
def test_no_text_around_it_saves_a_known_secret(before: str, after: str) -> None:
    assert SECRET not in Scrubber([SECRET]).text(before + SECRET + after)
