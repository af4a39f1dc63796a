"""The rows of the requirements about tokens, each by its number."""

import asyncio
from typing import Any

import pytest

from contracts.authorization import ROUTES
from contracts.names import CredentialKind, Profile, RecordEnd, Role, TokenStatus
from contracts.operations.tokens import NoteToken, OfProfile, RetireToken
from contracts.problem import ProblemError
from contracts.token_texts import NEXT_STEPS, PREFLIGHT, QUICK_REFERENCE
from contracts.tokens import NOTES
from token_service.ports import Effective, NotEffective, Unproven

BACKUP = OfProfile(profile=Profile.EXCHANGE_BACKUP)
USED = RetireToken(profile=Profile.EXCHANGE_BACKUP, used_by=("Mail, daily",))
UNUSED = RetireToken(profile=Profile.EXCHANGE_BACKUP)
VAULT = ("tenants/contoso/tokens/exchange-backup", "tenants/contoso/credentials/exchange-backup")


async def connected(world: Any) -> None:
    await world.register()
    await world.set_credential()


async def left_in_the_vault(world: Any) -> list[str]:
    return [path for path in VAULT if await world.vault.kv_read(path) is not None]


def test_R_B1_the_preflight_list_names_administrator_tenant_time_and_pop_ups() -> None:
    for word, point in zip(("administrator", "tenant", "time", "pop-up"), PREFLIGHT, strict=True):
        assert word in point.en.lower()
        assert point.de


async def test_R_B2_a_new_token_never_overwrites_one_before_it_is_proven(world: Any) -> None:
    await connected(world)
    before = await world.token()
    with pytest.raises(ProblemError):
        await world.set_credential("wrong", intake="i2")
    assert await world.token() == before
    details = await world.ask(world.app.token_questions.token_get, BACKUP)
    assert [(record.number, record.ended) for record in details.records] == [(1, None)]


async def test_R_B4_verification_shows_status_and_what_graph_says(world: Any) -> None:
    await connected(world)
    for proof, probe, status in (
        (Effective(("calendars: ErrorAccessDenied",)), "effective", TokenStatus.ACTIVE),
        (Unproven("connection_timeout", "HTTP 503"), "unproven", TokenStatus.ACTIVE),
        (NotEffective("mail: ErrorAccessDenied"), "not_effective", TokenStatus.CONSENT_REQUIRED),
    ):
        world.workloads.proof = proof
        check = await world.ask(world.app.token_questions.token_verify, BACKUP)
        assert (check.probe, check.status, check.test_backup) == (probe, status, probe == "effective")
    events = world.connections.events["contoso/exchange-backup"]
    assert events[-1].effective is False
    world.workloads.proof = Effective()
    await world.ask(world.app.token_questions.token_verify, BACKUP)
    await world.app.renew.sweep()
    assert (await world.state()).status(world.clock.now()) is TokenStatus.ACTIVE
    assert world.connections.events["contoso/exchange-backup"][-1].effective is True


async def test_R_B5_only_a_token_that_works_offers_a_test_backup(world: Any) -> None:
    await world.register()
    with pytest.raises(ProblemError):
        await world.ask(world.app.token_questions.token_verify, BACKUP)
    await world.set_credential()
    assert (await world.ask(world.app.token_questions.token_verify, BACKUP)).test_backup
    await world.vault.kv_delete(VAULT[0])
    check = await world.ask(world.app.token_questions.token_verify, BACKUP)
    assert (check.probe, check.test_backup) == ("no_token", False)


async def test_R_B7_a_token_says_when_it_ends_and_can_be_renewed_at_once(world: Any) -> None:
    await connected(world)
    await world.clock.advance(60)
    first = await world.ask(world.app.token_questions.token_get, BACKUP)
    renewed = await world.ask(world.app.token_questions.token_renew, BACKUP)
    assert (first.generation, renewed.generation) == (1, 2)
    assert renewed.expires_at > first.expires_at
    assert [record.number for record in (await world.state()).records] == [1]


async def test_R_B7_many_who_ask_at_once_cost_one_renewal(world: Any) -> None:
    await connected(world)
    replicas = [world.app, *(world.replica() for _ in range(3))]
    asked = [world.ask(app.token_questions.token_renew, BACKUP) for app in replicas * 2]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert all(not isinstance(answer, Exception) or answer.problem.status == 409 for answer in answers)
    assert world.authority.asked == 2


async def test_R_B10_a_problem_is_shown_with_tenant_time_and_support_contact(world: Any) -> None:
    await connected(world)
    world.authority.apps.clear()
    await world.clock.advance(3000)
    await world.app.renew.sweep()
    details = await world.ask(world.app.token_questions.token_get, BACKUP)
    assert (details.tenant, details.problem.value) == ("contoso", "consent_required")
    assert details.problem_since == world.clock.now()
    assert details.detail == "unauthorized_client AADSTS700016"


def test_R_B11_everybody_looks_and_generates_administrators_delete() -> None:
    everybody = frozenset(Role)
    for name in ("list_tokens", "get_token", "set_credential", "start_consent", "renew_token", "verify_token"):
        assert ROUTES[name].roles == everybody, name
    assert ROUTES["deactivate_token"].roles == {Role.ADMIN, Role.OPERATOR}
    assert ROUTES["delete_token"].roles == {Role.ADMIN}


async def test_R_B11_no_answer_holds_a_value(world: Any) -> None:
    await connected(world)
    value = (await world.token())["access_token"]
    questions = world.app.token_questions
    answers = [
        await world.ask(questions.token_get, BACKUP),
        await world.ask(questions.token_verify, BACKUP),
        await world.ask(questions.token_note, NoteToken(profile=Profile.EXCHANGE_BACKUP, text="moved")),
        await world.ask(questions.token_renew, BACKUP),
        await world.ask(questions.token_deactivate, UNUSED),
        await world.ask(questions.token_delete, UNUSED),
    ]
    for answer in answers:
        text = answer.model_dump_json() + repr(answer)
        assert value not in text
        assert "right" not in text


async def test_R_B12_the_last_valid_token_of_a_profile_in_use_is_not_deactivated(world: Any) -> None:
    await connected(world)
    before = (await world.state(), await world.token())
    for handler in (world.app.token_questions.token_deactivate, world.app.token_questions.token_delete):
        with pytest.raises(ProblemError) as caught:
            await world.ask(handler, USED)
        assert (caught.value.problem.code, caught.value.problem.status) == ("token-in-use", 409)
        assert caught.value.problem.errors == ({"used_by": "Mail, daily"},)
    assert (await world.state(), await world.token()) == before


async def test_R_B12_the_directory_token_is_in_use_while_another_is_valid(world: Any) -> None:
    await connected(world)
    await world.vault.kv_create("tenants/contoso/intake/i2", {"client_secret": "right-2"})
    await world.set_directory()
    with pytest.raises(ProblemError) as caught:
        await world.ask(world.app.token_questions.token_deactivate, RetireToken(profile=Profile.DIRECTORY))
    assert caught.value.problem.errors == ({"used_by": "exchange-backup"},)


async def test_R_B12_a_token_nobody_uses_or_that_is_not_valid_goes_off(world: Any) -> None:
    await connected(world)
    off = await world.ask(world.app.token_questions.token_deactivate, UNUSED)
    assert (off.status, off.expires_at) == (TokenStatus.DEACTIVATED, None)
    assert await left_in_the_vault(world) == []
    await world.set_credential(intake="i2")
    await world.clock.advance(3700)
    assert (await world.ask(world.app.token_questions.token_deactivate, USED)).status is TokenStatus.DEACTIVATED


async def test_a_deactivated_token_stays_off_until_a_new_one_is_generated(world: Any) -> None:
    await connected(world)
    await world.ask(world.app.token_questions.token_deactivate, UNUSED)
    for _ in range(3):
        await world.clock.advance(4000)
        await world.app.renew.sweep()
    with pytest.raises(ProblemError):
        await world.ask(world.app.token_questions.token_renew, BACKUP)
    assert (await world.ask(world.app.token_questions.token_verify, BACKUP)).probe == "no_token"
    assert world.authority.asked == 1
    view = await world.set_credential(intake="i2")
    assert (view.status, view.generation) == (TokenStatus.ACTIVE, 2)


async def test_a_renewal_on_its_way_cannot_bring_a_deactivated_token_back(world: Any) -> None:
    await connected(world)
    await world.clock.advance(3000)

    async def deactivated_meanwhile() -> None:
        await world.ask(world.app.token_questions.token_deactivate, UNUSED)

    world.authority.before_answer = deactivated_meanwhile
    await world.app.renew.sweep()
    await world.app.renew.sweep()
    assert await left_in_the_vault(world) == []
    assert (await world.state()).status(world.clock.now()) is TokenStatus.DEACTIVATED


async def test_what_a_crash_or_a_vault_that_was_away_left_is_destroyed(world: Any) -> None:
    await connected(world)
    world.vault.down = True
    with pytest.raises(ProblemError) as caught:
        await world.ask(world.app.token_questions.token_deactivate, UNUSED)
    assert caught.value.problem.status == 503
    assert (await world.state()).status(world.clock.now()) is TokenStatus.DEACTIVATED
    await world.clock.advance(61)
    await world.app.renew.sweep()
    world.vault.down = False
    assert len(await left_in_the_vault(world)) == 2
    await world.clock.advance(61)
    await world.app.renew.sweep()
    assert await left_in_the_vault(world) == []
    assert (await world.state()).due_at is None


async def test_a_deleted_token_leaves_its_record_and_notes(world: Any) -> None:
    await connected(world)
    await world.ask(world.app.token_questions.token_note, NoteToken(profile=Profile.EXCHANGE_BACKUP, text="moved"))
    deleted = await world.ask(world.app.token_questions.token_delete, UNUSED, by="berta")
    assert (deleted.status, deleted.client_id) == (TokenStatus.UNKNOWN, None)
    assert await left_in_the_vault(world) == []
    details = await world.ask(world.app.token_questions.token_get, BACKUP)
    (record,) = details.records
    assert (record.ended, record.ended_by, record.client_id) == (RecordEnd.DELETED, "berta", "app-1")
    assert [note.text for note in details.notes] == ["moved"]


async def test_R_B17_every_token_keeps_who_generated_it_what_ended_it_and_dated_notes(world: Any) -> None:
    await connected(world)
    generated = world.clock.now()
    await world.clock.advance(60)
    for text in ("Moved to the new app.", "Moved to the new app.", "Secret seen in a ticket."):
        await world.ask(
            world.app.token_questions.token_note, NoteToken(profile=Profile.EXCHANGE_BACKUP, text=text), by="berta"
        )
    await world.set_credential("right-2", "app-2", intake="i2")
    details = await world.ask(world.app.token_questions.token_get, BACKUP)
    second, first = details.records
    assert (first.generated_at, first.generated_by, first.credential) == (generated, "anna", CredentialKind.SECRET)
    assert (first.ended, first.ended_at) == (RecordEnd.REPLACED, world.clock.now())
    assert (second.number, second.client_id, second.ended) == (2, "app-2", None)
    assert [(note.by, note.text) for note in details.notes] == [
        ("berta", "Secret seen in a ticket."),
        ("berta", "Moved to the new app."),
    ]


async def test_R_B17_a_repeated_question_makes_no_second_record(world: Any) -> None:
    await connected(world)
    await world.vault.kv_create("tenants/contoso/intake/i1", {"client_secret": "right"})
    await world.ask_credential()
    assert [record.number for record in (await world.state()).records] == [1]


async def test_R_B17_notes_are_bounded_by_what_an_answer_holds(world: Any) -> None:
    await connected(world)
    for number in range(NOTES):
        question = NoteToken(profile=Profile.EXCHANGE_BACKUP, text=f"{number} " + "x" * 490)
        details = await world.ask(world.app.token_questions.token_note, question)
    assert len(details.model_dump_json()) < 100_000
    with pytest.raises(ProblemError):
        await world.ask(world.app.token_questions.token_note, NoteToken(profile=Profile.EXCHANGE_BACKUP, text="more"))


def test_R_B18_the_card_has_the_five_situations_and_every_status_its_next_step() -> None:
    assert [card.situation.en for card in QUICK_REFERENCE] == [
        "A new token is needed",
        "A token does not work",
        "A job fails",
        "An incident",
        "A new tenant",
    ]
    assert all(step.en and step.de for card in QUICK_REFERENCE for step in card.steps)
    assert NEXT_STEPS.keys() == set(TokenStatus)
