"""Admin consent: the redirect is a hint, Graph decides."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from contracts import rpc
from contracts.errors import ErrorClass
from contracts.events.tokens import ConsentChanged
from contracts.names import ConsentOutcome, Profile, TokenStatus
from contracts.problem import ProblemError
from token_service.ports import Effective, NotEffective, Unproven

BACK = "https://tenantkeep.example/api/v1/consent/callback"
REFUSED = NotEffective("mail: ErrorAccessDenied")
SILENT = Unproven(ErrorClass.CONNECTION_TIMEOUT, "Microsoft Graph: ReadTimeout")


async def start(world: Any, client_id: str | None = None) -> dict[str, str]:
    wish = rpc.StartConsent(profile=Profile.EXCHANGE_BACKUP, redirect_uri=BACK, client_id=client_id)
    link = await world.app.questions.consent_start(world.call(wish, "contoso"))
    return {"url": link.url, "expires_at": link.expires_at.isoformat()} | {
        name: values[0] for name, values in parse_qs(urlsplit(link.url).query).items()
    }


async def finish(world: Any, state: str, **answer: str) -> Any:
    told = {"admin_consent": "True"} | answer
    question = rpc.FinishConsent(state=state, **told)
    return await world.app.questions.consent_finish(world.call(question, None))


def changes(world: Any) -> list[bool]:
    events = world.connections.events["contoso/exchange-backup"]
    return [event.effective for event in events if isinstance(event, ConsentChanged)]


async def status(world: Any) -> TokenStatus:
    return (await world.state()).status(world.clock.now())


async def test_the_link_asks_the_registered_tenant_for_everything_the_app_registered(world: Any) -> None:
    await world.register()
    await world.set_credential()
    asked = await start(world)
    assert asked["url"].startswith("https://login.example/11111111-1111-1111-1111-111111111111/v2.0/adminconsent?")
    assert asked["scope"] == "https://graph.microsoft.com/.default"
    assert (asked["client_id"], asked["redirect_uri"]) == ("app-1", BACK)
    assert asked["state"] not in repr(await world.state())


async def test_a_token_without_permissions_means_consent_required_until_graph_lets_it_in(world: Any) -> None:
    await world.register()
    world.workloads.proof = REFUSED
    view = await world.set_credential()
    assert (view.status, view.detail) == (TokenStatus.CONSENT_REQUIRED, "mail: ErrorAccessDenied")
    asked = await start(world)
    result = await finish(world, asked["state"])
    # The redirect says granted, and Graph does not know of it yet.
    assert result.outcome is ConsentOutcome.NOT_EFFECTIVE
    assert await status(world) is TokenStatus.CONSENT_REQUIRED
    world.workloads.proof = Effective()
    await world.clock.advance(300)
    await world.app.renew.sweep()
    state = await world.state()
    assert state.consent.outcome is ConsentOutcome.EFFECTIVE
    assert state.consent_proven_at == world.clock.now()
    assert await status(world) is TokenStatus.ACTIVE
    assert changes(world) == [False, True]
    assert (await world.token())["access_token"] == world.workloads.tried[-1]


async def test_optional_workloads_that_are_missing_are_shown_and_proven_again_until_they_are_there(world: Any) -> None:
    await world.register()
    world.workloads.proof = Effective(("calendars: ErrorAccessDenied",))
    view = await world.set_credential()
    assert (view.status, view.without) == (TokenStatus.ACTIVE, ("calendars: ErrorAccessDenied",))
    world.workloads.proof = Effective()
    await world.clock.advance(3600)
    await world.app.renew.sweep()
    state = await world.state()
    assert (state.without, await status(world)) == ((), TokenStatus.ACTIVE)
    tried = len(world.workloads.tried)
    await world.clock.advance(3600)
    await world.app.renew.sweep()
    assert len(world.workloads.tried) == tried


async def test_a_grant_that_has_effect_at_once_is_proven_at_once(world: Any) -> None:
    await world.register()
    world.workloads.proof = REFUSED
    await world.set_credential()
    asked = await start(world)
    world.workloads.proof = Effective()
    assert (await finish(world, asked["state"])).outcome is ConsentOutcome.EFFECTIVE
    assert await status(world) is TokenStatus.ACTIVE


async def test_a_forged_success_changes_nothing(world: Any) -> None:
    """Whoever got hold of the link can write the redirect, but neither sign-in nor Graph believe it."""
    await world.register()
    world.workloads.proof = REFUSED
    await world.set_credential()
    asked = await start(world)
    await finish(world, asked["state"])
    assert await status(world) is TokenStatus.CONSENT_REQUIRED
    assert changes(world) == [False]


async def test_graph_that_does_not_answer_neither_takes_nor_gives_consent(world: Any) -> None:
    await world.register()
    world.workloads.proof = SILENT
    assert (await world.set_credential()).status is TokenStatus.ACTIVE
    world.workloads.proof = REFUSED
    await world.set_credential(intake="i2")
    assert await status(world) is TokenStatus.CONSENT_REQUIRED
    world.workloads.proof = SILENT
    await world.clock.advance(300)
    await world.app.renew.sweep()
    assert await status(world) is TokenStatus.CONSENT_REQUIRED
    await world.set_credential(intake="i3")
    assert await status(world) is TokenStatus.CONSENT_REQUIRED
    assert changes(world) == [False]


@pytest.mark.parametrize(
    ("answer", "outcome", "detail"),
    [
        (
            {"error": "consent_required", "error_description": "AADSTS65004: The resource owner denied"},
            ConsentOutcome.DECLINED,
            "consent_required AADSTS65004",
        ),
        ({"error": "access_denied"}, ConsentOutcome.DECLINED, "access_denied"),
        ({"error": "permission_denied", "admin_consent": ""}, ConsentOutcome.DECLINED, "permission_denied"),
        (
            {"error": "invalid_scope", "error_description": "AADSTS70011: x"},
            ConsentOutcome.FAILED,
            "invalid_scope AADSTS70011",
        ),
        ({"error": "<script>", "error_description": "<b>"}, ConsentOutcome.FAILED, ""),
        ({"admin_consent": "False"}, ConsentOutcome.FAILED, ""),
    ],
)
async def test_a_refusal_is_explained_and_leaves_what_works_alone(
    world: Any, answer: dict[str, str], outcome: ConsentOutcome, detail: str
) -> None:
    await world.register()
    await world.set_credential()
    asked = await start(world)
    tried = len(world.workloads.tried)
    result = await finish(world, asked["state"], **answer)
    assert (result.outcome, result.detail) == (outcome, detail)
    assert await status(world) is TokenStatus.ACTIVE
    assert len(world.workloads.tried) == tried


async def test_a_state_is_good_once_and_only_the_newest_one(world: Any) -> None:
    await world.register()
    await world.set_credential()
    first, second = await start(world), await start(world)
    for state in (first["state"], "invented"):
        with pytest.raises(ProblemError) as caught:
            await finish(world, state)
        assert (caught.value.problem.code, caught.value.problem.status) == ("consent-state", 422)
    assert (await finish(world, second["state"])).outcome is ConsentOutcome.EFFECTIVE
    with pytest.raises(ProblemError):
        await finish(world, second["state"])


async def test_an_answer_after_ten_minutes_is_too_late(world: Any) -> None:
    await world.register()
    await world.set_credential()
    asked = await start(world)
    await world.clock.advance(600)
    assert (await finish(world, asked["state"])).outcome is ConsentOutcome.EXPIRED


async def test_consent_may_come_before_the_credential_which_then_proves_it(world: Any) -> None:
    await world.register()
    with pytest.raises(ProblemError) as caught:
        await start(world)
    assert caught.value.problem.status == 422
    asked = await start(world, "app-1")
    assert (await finish(world, asked["state"])).outcome is ConsentOutcome.GRANTED
    assert world.workloads.tried == []
    assert await status(world) is TokenStatus.UNKNOWN
    view = await world.set_credential()
    assert (view.status, view.consent.outcome) == (TokenStatus.ACTIVE, ConsentOutcome.EFFECTIVE)
    assert view.consent_proven_at == world.clock.now()


async def test_sign_in_that_asks_for_consent_is_followed_by_a_proof(world: Any) -> None:
    await world.register()
    await world.set_credential()
    world.authority.consented = False
    await world.clock.advance(3000)
    await world.app.renew.sweep()
    assert await status(world) is TokenStatus.CONSENT_REQUIRED
    world.authority.consented = True
    world.workloads.proof = REFUSED
    await world.clock.advance(300)
    await world.app.renew.sweep()
    assert await status(world) is TokenStatus.CONSENT_REQUIRED
    world.workloads.proof = Effective()
    await world.clock.advance(300)
    await world.app.renew.sweep()
    assert await status(world) is TokenStatus.ACTIVE
    assert changes(world) == [False, True]


async def test_a_link_ends_at_a_whole_second_which_every_store_keeps(world: Any) -> None:
    await world.register()
    await world.clock.advance(0.1234567)
    asked = await start(world, "app-1")
    ends = (await world.state()).consent.expires_at
    assert asked["expires_at"] == ends.isoformat()
    assert ends.microsecond == 0


async def test_consent_for_an_unknown_tenant_is_not_found(world: Any) -> None:
    with pytest.raises(ProblemError) as caught:
        await start(world, "app-1")
    assert caught.value.problem.status == 404
