"""Required, granted, in the token, effective: rows B4, B8 and C1 to C5 of the requirements, and what drift leads to."""

import base64
import dataclasses
import json
from datetime import timedelta
from typing import Any

import pytest

from contracts import rpc
from contracts.events.tokens import ConsentChanged, PermissionDrift, TokenRejected
from contracts.names import AdminRole, Answer, ConsentSource, PermissionFinding, Profile, RecordEnd, TokenStatus
from contracts.operations import permissions as operations
from contracts.operations import tokens as asked
from contracts.operations.base import Nothing
from contracts.problem import ProblemError
from contracts.profiles import PROFILES
from token_service.domain.permissions import ConsentGiver, roles_in
from token_service.domain.records import Retirement
from token_service.ports import Effective, Granted, NotEffective, Unreadable

NEEDED = PROFILES[Profile.EXCHANGE_BACKUP]
DAY = 86_400.0


async def connected(world: Any) -> None:
    """Profile and reader have credentials, and the first checks are made."""
    await world.register()
    await connect_reader(world)
    await world.set_credential()
    await world.permissions.check.sweep()


async def connect_reader(world: Any) -> None:
    """Give the profile directory, which reads the grants of all, its credential."""
    await world.vault.kv_create("tenants/contoso/intake/reader", {"client_secret": "right-2"})
    wish = rpc.SetCredential(profile=Profile.DIRECTORY, client_id="app-2", intake="reader")
    await world.app.questions.credential_set(world.call(wish, "contoso"))


async def record(world: Any) -> Any:
    return await world.records.get("contoso", Profile.EXCHANGE_BACKUP)


async def check(world: Any) -> Any:
    question = operations.CheckPermissions(profile=Profile.EXCHANGE_BACKUP)
    return await world.permissions.questions.permissions_check(world.call(question, "contoso"))


def drifts(world: Any) -> list[PermissionDrift]:
    found = [event for event in world.records.events if isinstance(event, PermissionDrift)]
    return [event for event in found if event.profile is Profile.EXCHANGE_BACKUP]


def granted(*names: str, **more: Any) -> Granted:
    return Granted("principal-1", frozenset(names), frozenset(), **more)


async def test_R_B4_a_check_follows_generation_and_shows_every_permission_granted_and_effective(world: Any) -> None:
    await connected(world)
    found = await record(world)
    assert (found.in_order, found.checked_at) == (Answer.YES, world.clock.now())
    wanted = {state.name for state in found.states if not state.optional}
    assert wanted == {"User.Read.All", "Mail.Read"}
    assert drifts(world) == []


async def test_R_B8_everything_is_checked_again_every_day_and_on_demand(world: Any) -> None:
    await connected(world)
    first = world.clock.now()
    await world.clock.advance(DAY * 1.11)
    await world.app.renew.sweep()
    await world.permissions.check.sweep()
    assert (await record(world)).checked_at > first
    assert (await check(world)).in_order is Answer.YES


async def test_R_C1_what_is_missing_and_what_is_too_much_are_both_findings_and_drift_is_an_event(world: Any) -> None:
    await connected(world)
    world.grants.answer = granted("User.Read.All", "Files.Read.All", "0c0c0c0c-0000-0000-0000-000000000000")
    view = await check(world)
    assert view.in_order is Answer.NO
    assert {(state.name, state.finding) for state in view.permissions if state.finding} == {
        ("Mail.Read", PermissionFinding.MISSING),
        ("Files.Read.All", PermissionFinding.EXCESS),
        ("0c0c0c0c-0000-0000-0000-000000000000", PermissionFinding.EXCESS),
    }
    [event] = drifts(world)
    assert (event.missing, len(event.excess)) == (("Mail.Read",), 2)
    await check(world)
    assert len(drifts(world)) == 1
    world.grants.answer = None
    assert (await check(world)).in_order is Answer.YES
    assert (drifts(world)[1].missing, drifts(world)[1].excess, drifts(world)[1].change) == ((), (), 2)


async def test_what_cannot_be_read_is_unknown_and_not_missing(world: Any) -> None:
    await connected(world)
    world.grants.answer = Unreadable("Authorization_RequestDenied")
    view = await check(world)
    assert (view.in_order, view.detail) == (Answer.UNKNOWN, "Authorization_RequestDenied")
    assert {state.granted for state in view.permissions} == {Answer.UNKNOWN}
    assert {state.effective for state in view.permissions if state.kind == "application"} == {Answer.YES}
    assert drifts(world) == []
    assert (await record(world)).due_at < world.clock.now() + timedelta(seconds=1000)


async def test_without_a_token_of_the_directory_profile_grants_are_unknown_until_it_has_one(world: Any) -> None:
    await world.register()
    await world.set_credential()
    await world.permissions.check.sweep()
    assert (await record(world)).in_order is Answer.UNKNOWN
    assert world.grants.asked == []
    await connect_reader(world)
    await world.clock.advance(10)
    await world.permissions.check.sweep()
    assert (await record(world)).in_order is Answer.YES


async def test_a_call_that_is_refused_although_granted_is_a_finding_of_its_own(world: Any) -> None:
    await connected(world)
    world.probes.refused = {"Mail.Read", "Calendars.Read"}
    view = await check(world)
    found = {state.name: (state.finding, state.detail) for state in view.permissions if state.finding}
    assert found == dict.fromkeys(world.probes.refused, (PermissionFinding.NOT_EFFECTIVE, "ErrorAccessDenied"))


async def test_an_optional_permission_that_was_not_granted_is_no_finding(world: Any) -> None:
    await connected(world)
    world.grants.answer = granted(*NEEDED.required)
    world.probes.refused = {"Calendars.Read", "Contacts.Read"}
    view = await check(world)
    assert view.in_order is Answer.YES
    assert {state.name for state in view.permissions if state.granted is Answer.NO and not state.finding}


async def test_silence_of_graph_leaves_the_whole_unknown(world: Any) -> None:
    await connected(world)
    world.probes.silent = {"Mail.Read"}
    assert (await check(world)).in_order is Answer.UNKNOWN


async def test_R_C5_a_deleted_enterprise_application_is_noticed_and_ends_in_consent_required(world: Any) -> None:
    await connected(world)
    world.grants.answer = Granted(None)
    world.workloads.proof = NotEffective("mail: ErrorAccessDenied")
    await world.clock.advance(60)
    view = await check(world)
    assert (view.enterprise_application, view.in_order) == (Answer.NO, Answer.NO)
    assert (await world.state()).status(world.clock.now()) is TokenStatus.CONSENT_REQUIRED
    events = world.connections.events["contoso/exchange-backup"]
    assert [event.effective for event in events if isinstance(event, ConsentChanged)] == [False]
    # The same finding again does not ask for one token after the other.
    asked = world.authority.asked
    await check(world)
    assert world.authority.asked == asked


async def test_consent_that_comes_back_is_followed_by_a_check_that_says_so(world: Any) -> None:
    await connected(world)
    world.grants.answer, world.workloads.proof = Granted(None), NotEffective("mail: ErrorAccessDenied")
    await check(world)
    world.grants.answer, world.workloads.proof = None, Effective()
    await world.clock.advance(300)
    await world.app.renew.sweep()
    await world.clock.advance(5)
    await world.permissions.check.sweep()
    assert (await record(world)).in_order is Answer.YES


async def test_a_complaint_about_a_token_leads_to_a_check_but_not_to_many(world: Any) -> None:
    await connected(world)
    first = (await record(world)).checked_at
    await world.clock.advance(5)
    for _ in range(3):
        await world.permissions.check.complained("contoso", Profile.EXCHANGE_BACKUP)
        await world.permissions.check.sweep()
    assert (await record(world)).checked_at == first
    await world.clock.advance(30)
    await world.permissions.check.sweep()
    assert (await record(world)).checked_at == world.clock.now()
    await world.permissions.check.complained("contoso", Profile.FILES_BACKUP)


async def test_two_replicas_make_one_check(world: Any) -> None:
    await connected(world)
    other = world.permissions_of(world.replica())
    await world.clock.advance(DAY * 1.11)
    await world.app.renew.sweep()
    asked = len(world.grants.asked)
    assert await world.permissions.check.sweep() + await other.check.sweep() == 2
    assert len(world.grants.asked) == asked + 2


async def test_sign_in_that_was_switched_off_is_not_in_order(world: Any) -> None:
    await connected(world)
    world.grants.answer = granted(*NEEDED.allowed, enabled=False)
    view = await check(world)
    assert (view.in_order, view.enabled) == (Answer.NO, Answer.NO)


async def test_a_check_without_a_credential_says_what_to_do(world: Any) -> None:
    await world.register()
    with pytest.raises(ProblemError) as caught:
        await check(world)
    assert caught.value.problem.status == 404


async def test_R_C4_one_list_shows_profiles_permissions_status_and_how_to_withdraw(world: Any) -> None:
    await connected(world)
    views = (await world.permissions.questions.profile_list(world.call(Nothing(), "contoso"))).items
    assert [view.profile for view in views] == list(Profile)
    by_name = {view.profile: view for view in views}
    backup, files = by_name[Profile.EXCHANGE_BACKUP], by_name[Profile.FILES_BACKUP]
    assert (backup.status, backup.check.in_order, backup.in_use) == (TokenStatus.ACTIVE, Answer.YES, True)
    assert "objectId/principal-1/appId/app-1" in backup.withdraw_url
    # What an app will ask for is known before anybody registered it.
    assert (files.status, files.client_id, files.in_use) == (TokenStatus.UNKNOWN, None, False)
    assert {state.name for state in files.check.permissions} == {"Files.Read.All", "Sites.Read.All", "User.Read.All"}
    assert {view.consent_role for view in views} == {AdminRole.PRIVILEGED_ROLE_ADMINISTRATOR}


async def test_who_consented_comes_from_the_audit_or_is_typed_in_and_says_which(world: Any) -> None:
    await connected(world)
    wish = operations.NameConsentGiver(profile=Profile.EXCHANGE_BACKUP, name="Erika Muster")
    view = await world.permissions.questions.consent_giver_set(world.call(wish, "contoso"))
    assert (view.consent_giver.name, view.consent_giver.source) == ("Erika Muster", ConsentSource.TYPED)
    told = ConsentGiver("admin@contoso.test", ConsentSource.AUDIT, world.clock.now())
    world.grants.answer = granted(*NEEDED.allowed, giver=told)
    await check(world)
    assert (await record(world)).giver == told
    with pytest.raises(ProblemError) as caught:
        await world.permissions.questions.consent_giver_set(world.call(wish, "contoso"))
    assert caught.value.problem.status == 409
    # The audit forgets after a while; what it said stays.
    world.grants.answer = None
    await check(world)
    assert (await record(world)).giver == told


async def test_R_B17_the_record_of_a_token_says_who_gave_the_consent_and_how_that_is_known(world: Any) -> None:
    await connected(world)
    wish = operations.NameConsentGiver(profile=Profile.EXCHANGE_BACKUP, name="Erika Muster")
    await world.permissions.questions.consent_giver_set(world.call(wish, "contoso"))
    await world.set_credential(intake="i7")
    told = ConsentGiver("admin@contoso.test", ConsentSource.AUDIT, world.clock.now())
    world.grants.answer = granted(*NEEDED.allowed, giver=told)
    await check(world)
    question = asked.OfProfile(profile=Profile.EXCHANGE_BACKUP)
    details = await world.app.token_questions.token_get(world.call(question, "contoso"))
    assert [(record.consent_by, record.consent_source) for record in details.records] == [
        ("admin@contoso.test", ConsentSource.AUDIT),
        ("Erika Muster", ConsentSource.TYPED),
    ]


async def test_a_complaint_on_the_bus_is_about_one_profile(world: Any) -> None:
    await connected(world)
    state = await world.state()
    await world.clock.advance(60)
    event = TokenRejected(
        tenant="contoso", at=world.clock.now(), profile=state.profile, fingerprint=state.token.fingerprint
    )
    await world.permissions.check.complained(event.tenant, event.profile)
    assert (await record(world)).due_at == world.clock.now()
    other = await world.records.get("contoso", Profile.DIRECTORY)
    assert other.due_at > world.clock.now()


def jwt_with(claims: object) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"eyJhbGciOiJub25lIn0.{body}.sig"


@pytest.mark.parametrize(
    ("token", "roles"),
    [
        (jwt_with({"roles": ["Mail.Read", "User.Read.All"]}), frozenset({"Mail.Read", "User.Read.All"})),
        (jwt_with({"aud": "https://graph.microsoft.com"}), None),
        (jwt_with({"roles": "Mail.Read"}), None),
        (jwt_with(["roles"]), None),
        ("EwBopaque-token-without-any-dot", None),
        ("a.%%%.c", None),
        ("a.b.c.d.e", None),
    ],
)
def test_a_token_is_opaque_and_what_it_may_tell_is_a_hint(token: str, roles: frozenset[str] | None) -> None:
    assert roles_in(token) == roles


async def test_a_record_is_found_due_again_after_a_worker_died_in_the_middle(world: Any) -> None:
    await connected(world)
    found = await record(world)
    await world.records.save(dataclasses.replace(found, due_at=world.clock.now()))
    [due] = await world.records.due(world.clock.now(), 10)
    assert due.profile is Profile.EXCHANGE_BACKUP


async def test_a_profile_that_was_switched_off_is_not_brought_back_by_a_check(world: Any) -> None:
    await connected(world)
    state = await world.state()
    off = Retirement(RecordEnd.DEACTIVATED, world.clock.now(), "erika")
    await world.connections.save(state.switched_off(off))
    world.grants.answer = Granted(None)
    world.probes.refused = set(NEEDED.required)
    asked = world.authority.asked
    await check(world)
    assert (await world.state()).status(world.clock.now()) is TokenStatus.DEACTIVATED
    assert world.authority.asked == asked


async def test_a_token_of_the_reader_that_graph_refuses_is_renewed_and_the_grants_read_with_the_new_one(
    world: Any,
) -> None:
    await connected(world)
    found = await world.vault.kv_read("tenants/contoso/tokens/directory")
    world.grants.rejects = found[0]["access_token"]
    assert (await check(world)).in_order is Answer.YES
    renewed = await world.vault.kv_read("tenants/contoso/tokens/directory")
    assert renewed[0]["generation"] == found[0]["generation"] + 1
