"""The link for an administrator and the one page without a bearer token."""

from typing import Any

import pytest

from contracts.problem import unavailable

BACK = "/api/v1/consent/callback"


async def test_the_link_comes_back_to_this_gateway(gateway: Any) -> None:
    answer = await gateway.call("POST", "/tenants/contoso/profiles/directory/consent", json={"client_id": "c"})
    assert answer.status_code == 200
    [asked] = gateway.world.of("consent.start")
    assert asked.question.redirect_uri == "https://127.0.0.1:8443/api/v1/consent/callback"
    assert (asked.tenant, asked.question.client_id) == ("contoso", "c")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"admin_consent": "True", "tenant": "x"}, "The consent is effective"),
        ({"admin_consent": "True", "error": "consent_required"}, "Der Administrator hat abgelehnt"),
    ],
)
async def test_a_browser_with_a_good_state_needs_no_token(gateway: Any, query: dict[str, str], words: str) -> None:
    answer = await gateway.client.get(BACK, params={"state": "good", **query})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert words in answer.text
    assert "&lt;AADSTS65004&gt;" in answer.text
    [asked] = gateway.world.of("consent.finish")
    assert (asked.tenant, asked.caller.roles) == (None, ())


async def test_a_state_that_is_not_good_tells_nothing(gateway: Any) -> None:
    pages = [await gateway.client.get(BACK, params={"state": state}) for state in ("", "used", "<b>", "x" * 5000)]
    assert {page.status_code for page in pages} == {422}
    assert len({page.text for page in pages}) == 1
    assert "<b>" not in pages[2].text


async def test_a_service_that_is_away_asks_for_a_reload_and_the_state_stays_out_of_it(gateway: Any) -> None:
    gateway.world.fail_with["consent.finish"] = unavailable("token-service does not answer")
    page = await gateway.client.get(BACK, params={"state": "good"})
    assert page.status_code == 503
    assert "Reload" in page.text
    assert "good" not in page.text
