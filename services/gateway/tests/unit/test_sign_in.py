"""The link for a person and the page that takes what Microsoft has the browser post."""

from typing import Any

from contracts.problem import Problem, ProblemError, unavailable

BACK = "/api/v1/sign-in/callback"
STATE = "contoso.abcdefghijklmnopqrstuvwxyz"


async def test_the_link_comes_back_to_this_gateway(gateway: Any) -> None:
    answer = await gateway.call("POST", "/tenants/contoso/sign-ins")
    assert answer.status_code == 200
    [asked] = gateway.world.of("sign-in.start")
    assert asked.question.redirect_uri == f"https://127.0.0.1:8443{BACK}"


async def test_a_browser_without_a_token_sees_who_signed_in_and_what_it_gives(gateway: Any) -> None:
    page = await gateway.client.post(BACK, data={"state": STATE, "code": "PLANTED-code"})
    assert page.status_code == 200
    assert "erika@contoso.example" in page.text
    assert "Anwendungsadministrator" in page.text
    assert "May not consent" in page.text
    assert "PLANTED-code" not in page.text
    [asked] = gateway.world.of("sign-in.finish")
    assert (asked.tenant, asked.question.code, asked.caller.roles) == ("contoso", "PLANTED-code", ())
    assert "PLANTED-code" not in repr(asked.question)


async def test_a_state_that_is_not_good_tells_nothing(gateway: Any) -> None:
    pages = [await gateway.client.post(BACK, data={"state": state}) for state in ("", "used", "<b>.x", "x" * 500)]
    used = Problem(code="sign-in-state", status=422, title="This sign-in is not valid any more")
    gateway.world.fail_with["sign-in.finish"] = ProblemError(used)
    pages.append(await gateway.client.post(BACK, data={"state": STATE}))
    assert {page.status_code for page in pages} == {422}
    assert len({page.text for page in pages}) == 1


async def test_a_refusal_is_explained_and_a_service_that_is_away_asks_for_a_reload(gateway: Any) -> None:
    refused = Problem(code="sign-in-refused", status=422, title="x", detail="access_denied AADSTS65004")
    gateway.world.fail_with["sign-in.finish"] = ProblemError(refused)
    assert "The person declined" in (await gateway.client.post(BACK, data={"state": STATE})).text
    gateway.world.fail_with["sign-in.finish"] = unavailable("token-service does not answer")
    page = await gateway.client.post(BACK, data={"state": STATE})
    assert (page.status_code, "Reload" in page.text, STATE in page.text) == (503, True, False)
