"""R-C1 on a whole stack: a person signs in through the gateway, and what is not Microsoft's answer signs nobody in."""

import html
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from main_job import MainJob
from stack_fixture import running_stack

from chassis.clock import SystemClock
from tenantkeep.commands import trust

pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(600)]

ADMIN = "admin@contoso.onmicrosoft.com"
_HIDDEN = re.compile(r'name="([^"]+)" value="([^"]*)"')
_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)

Claims = dict[str, Any]


class Person:
    """Somebody with a link and a browser."""

    def __init__(self, job: MainJob, browser: httpx.Client) -> None:
        self.job, self.browser, self.page = job, browser, ""

    def link(self) -> dict[str, str]:
        url = urlsplit(self.job.command("profiles", "sign-in")["url"])
        self.page = url._replace(query="").geturl()
        return dict(parse_qsl(url.query))

    def posted(self, asked: dict[str, str], decision: str = "accept") -> dict[str, str]:
        """Press the button of Microsoft's page; what the browser then posts to the gateway."""
        answer = self.browser.post(self.page, data={**asked, "decision": decision})
        found = {name: html.unescape(value) for name, value in _HIDDEN.findall(answer.text)}
        assert found, answer.text
        return found

    def back(self, asked: dict[str, str], posted: dict[str, str]) -> httpx.Response:
        return self.browser.post(asked["redirect_uri"], data=posted)

    def roles(self, *names: str) -> None:
        self.job.simulator("PUT", f"tenants/contoso/roles/{ADMIN}", {"roles": list(names)})


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    folder = tmp_path_factory.mktemp("sign-in")
    with running_stack(folder) as stack:
        job = MainJob(stack, folder)
        job.onboard("--generate", "4", "--mailboxes", "1")
        with httpx.Client(verify=trust.context(stack.home.ca_bundle), trust_env=False, timeout=30) as browser:
            yield Person(job, browser)


@pytest.fixture(autouse=True)
def _healed(person: Person) -> Iterator[None]:
    yield
    person.job.simulator("DELETE", "faults")
    person.roles("privileged-role-administrator")


@pytest.mark.parametrize(
    ("role", "may", "own"),
    [
        ("global-administrator", "May consent to the app profiles", "yes"),
        ("application-administrator", "May not consent to the app profiles", "no"),
    ],
)
def test_R_C1_what_is_effective_is_what_was_consented_and_the_persons_own_rights_allow(
    person: Person, role: str, may: str, own: str
) -> None:
    person.roles(role)
    asked = person.link()
    assert (asked["code_challenge_method"], asked["response_mode"]) == ("S256", "form_post")
    answer = person.back(asked, person.posted(asked))
    shown = html.unescape(answer.text)
    assert answer.status_code == 200
    assert may in shown
    assert ADMIN in shown
    assert f"AuditLog.Read.All: consented yes, own right {own}, effective {own}" in shown
    assert "User.Read: consented yes, own right yes, effective yes" in shown


def test_a_link_is_good_once_and_a_person_who_declines_is_told_so_in_both_languages(person: Person) -> None:
    asked = person.link()
    posted = person.posted(asked)
    assert person.back(asked, posted).status_code == 200
    again = person.back(asked, posted)
    assert (again.status_code, "Ask for a new link" in again.text) == (422, True)
    asked = person.link()
    declined = html.unescape(person.back(asked, person.posted(asked, "decline")).text)
    assert "Nobody was signed in." in declined
    assert "Die Person hat abgelehnt" in declined


def _other(name: str, value: object) -> Callable[[Claims], Claims]:
    return lambda claims: {**claims, name: value}


def _at(seconds: float) -> int:
    return int(SystemClock().now().timestamp() + seconds)


FORGED: dict[str, tuple[Callable[[Claims], Claims], str]] = {
    "nonce": (_other("nonce", "0" * 64), "of another sign-in"),
    "audience": (_other("aud", "00000000-0000-0000-0000-000000000001"), "for another app"),
    "issuer": (_other("iss", "https://login.example/other/v2.0"), "of another issuer"),
    "tenant": (_other("tid", "00000000-0000-0000-0000-000000000002"), "of another tenant"),
    "expired": (lambda claims: {**claims, "exp": _at(-400)}, "not valid at this time"),
    "not yet": (lambda claims: {**claims, "iat": _at(400)}, "not valid at this time"),
    "signature": (lambda claims: claims, "is not the issuer's"),
}


@pytest.mark.parametrize("forged", FORGED)
def test_R_C1_an_id_token_that_is_not_for_this_sign_in_signs_nobody_in_and_says_why(
    person: Person, forged: str
) -> None:
    change, words = FORGED[forged]
    status, shown = _answered_with(person, change, _KEY if forged == "signature" else None)
    assert status == 422
    assert words in shown
    for text in ("Nobody was signed in.", "Es wurde niemand angemeldet.", "wird nicht geglaubt"):
        assert text in shown
    assert ADMIN not in shown


def test_the_forger_of_these_tests_gets_in_with_what_is_right(person: Person) -> None:
    """Else the refusals above could come from somewhere else."""
    status, shown = _answered_with(person, lambda claims: claims, None)
    assert (status, ADMIN in shown) == (200, True)
    assert "effective no" in shown  # Graph does not know the access token


def _answered_with(
    person: Person, change: Callable[[Claims], Claims], key: rsa.RSAPrivateKey | None
) -> tuple[int, str]:
    """What the gateway shows when Microsoft's token endpoint answers a code with a changed id_token."""
    asked = person.link()
    issuer = _issuer(person)
    claims = {
        "aud": asked["client_id"], "iss": issuer, "tid": issuer.split("/")[-2], "oid": "o", "sub": "s",
        "nonce": asked["nonce"], "iat": _at(0), "exp": _at(3600), "preferred_username": ADMIN,
    }  # fmt: skip
    kid, pem = _signing_key(person.job.stack.home.simulator)
    token = jwt.encode(change(claims), key or pem, "RS256", headers={"kid": kid})
    body = {"token_type": "Bearer", "access_token": "stolen", "expires_in": 3600, "id_token": token, "scope": ""}
    fault = {"kind": "status", "status": 200, "body": body, "match": "oauth2/v2.0/token"}
    person.job.simulator("POST", "faults", fault)
    answer = person.back(asked, {"state": asked["state"], "code": "invented"})
    return answer.status_code, html.unescape(answer.text)


def _issuer(person: Person) -> str:
    base = person.page.partition("/oauth2/")[0]
    found: dict[str, Any] = person.browser.get(f"{base}/v2.0/.well-known/openid-configuration").json()
    return str(found["issuer"])


def _signing_key(simulator: Path) -> tuple[str, str]:
    """The simulated Microsoft's own key: whoever forges here is as strong as can be."""
    with sqlite3.connect(f"file:{simulator / 'simulator.db'}?mode=ro", uri=True) as database:
        kid, pem = database.execute("SELECT kid, pem FROM signing_key ORDER BY created DESC LIMIT 1").fetchone()
    return str(kid), bytes(pem).decode()
