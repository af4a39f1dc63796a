"""Row B13: off at once, IT security informed, a new token, then the cause."""

import asyncio
from typing import Any

import pytest

from contracts.authorization import ROUTES
from contracts.contacts import Contact, Contacts
from contracts.events.audit import AuditRecorded
from contracts.events.security import IncidentOpened
from contracts.incidents import INCIDENT_STEPS, NEXT_IN_INCIDENT, NOTES, IncidentStep
from contracts.names import Profile, RecordEnd, Role, TokenStatus
from contracts.operations.incidents import CloseIncident, NoteIncident, OpenIncident
from contracts.operations.tokens import NoteToken
from contracts.problem import ProblemError
from contracts.rpc import ById, Page
from token_service.ports import Disabled, Unanswered

REPORT = OpenIncident(profile=Profile.EXCHANGE_BACKUP, report="The secret stood in a ticket.")
PATHS = ("tenants/contoso/tokens/exchange-backup", "tenants/contoso/credentials/exchange-backup")
SECURITY = Contact(name="IT security", mail="security@contoso.example")


async def connected(world: Any) -> None:
    await world.register()
    await world.tenants.set_contacts("contoso", Contacts(security=SECURITY))
    await world.set_credential()


async def opened(world: Any, by: str = "anna") -> Any:
    return await world.ask(world.incident_app.questions.incident_open, REPORT, by=by)


async def left_in_the_vault(world: Any) -> list[str]:
    return [path for path in PATHS if await world.vault.kv_read(path) is not None]


async def test_R_B13_one_report_deactivates_informs_and_asks_for_the_replacement(world: Any) -> None:
    await connected(world)
    await world.vault.kv_create("tenants/contoso/intake/i2", {"client_secret": "right-2"})
    await world.set_directory()
    world.registrations.answer = Disabled()
    incident = await opened(world)
    assert [entry.step for entry in incident.timeline] == [
        IncidentStep.OPENED,
        IncidentStep.DEACTIVATED,
        IncidentStep.SECURITY_INFORMED,
        IncidentStep.PRINCIPAL_DISABLED,
    ]
    assert await left_in_the_vault(world) == []
    state = await world.state()
    assert state.status(world.clock.now()) is TokenStatus.DEACTIVATED
    assert (state.records[0].ended, state.retired.incident) == (RecordEnd.INCIDENT, incident.id)
    (event,) = [event for event in world.incidents.events if isinstance(event, IncidentOpened)]
    assert (event.severity, event.security, event.incident) == ("critical", SECURITY, incident.id)
    assert world.registrations.asked[0][0] == "app-1"
    assert NEXT_IN_INCIDENT[0].en.startswith("Generate a new token")


async def test_R_B13_the_last_valid_token_in_use_goes_off_in_an_incident(world: Any) -> None:
    """Row B12 says no, unless it is an incident: nobody is asked what works with it."""
    await connected(world)
    await opened(world)
    assert (await world.state()).status(world.clock.now()) is TokenStatus.DEACTIVATED


async def test_R_B13_every_user_of_the_tenant_may_report(world: Any) -> None:
    assert ROUTES["open_incident"].roles == frozenset(Role)
    assert ROUTES["close_incident"].roles == {Role.ADMIN, Role.OPERATOR}
    await connected(world)
    incident = await opened(world, by="berta")
    told = [event for event in world.incidents.events if isinstance(event, AuditRecorded)]
    assert (incident.opened_by, told[0].actor, told[0].action) == ("berta", "berta", "incident.open")


async def test_R_B13_without_the_permission_the_app_stays_and_the_timeline_says_so(world: Any) -> None:
    await connected(world)
    incident = await opened(world)
    assert incident.timeline[-1].step is IncidentStep.PRINCIPAL_NOT_DISABLED
    assert incident.timeline[-1].detail == "no directory token to do it with"


async def test_R_B13_a_directory_that_does_not_answer_is_asked_again_and_delays_nothing_else(world: Any) -> None:
    await connected(world)
    await world.vault.kv_create("tenants/contoso/intake/i2", {"client_secret": "right-2"})
    await world.set_directory()
    world.registrations.answer = Unanswered("HTTP 503")
    incident = await opened(world)
    assert incident.timeline[-1].step is IncidentStep.SECURITY_INFORMED
    world.registrations.answer = Disabled()
    await world.clock.advance(6)
    await world.incident_app.keep.sweep()
    found = await world.ask(world.incident_app.questions.incident_get, ById(id=incident.id))
    assert found.timeline[-1].step is IncidentStep.PRINCIPAL_DISABLED


async def test_R_B13_the_replacement_is_noticed_when_it_is_effective(world: Any) -> None:
    await connected(world)
    incident = await opened(world)
    await world.clock.advance(6)
    await world.incident_app.keep.sweep()
    assert (await world.incidents.get("contoso", incident.id)).at(IncidentStep.REPLACED) is None
    await world.set_credential("right-2", "app-2", intake="i2")
    await world.clock.advance(6)
    await world.incident_app.keep.sweep()
    found = await world.ask(world.incident_app.questions.incident_get, ById(id=incident.id))
    assert (found.replaced_at, found.open) == (world.clock.now(), True)
    assert (await world.incidents.get("contoso", incident.id)).due_at is None
    events = world.connections.events["contoso/exchange-backup"]
    assert [event.generation for event in events if event.NAME == "refreshed"] == [1, 2]  # resumes held jobs


async def test_R_B13_the_cause_closes_it_and_the_timeline_stays(world: Any) -> None:
    await connected(world)
    incident = await opened(world)
    questions = world.incident_app.questions
    for _ in range(2):
        await world.ask(questions.incident_note, NoteIncident(id=incident.id, text="The ticket is locked."))
    for cause in ("Copied by mistake.", "Something else."):
        closed = await world.ask(questions.incident_close, CloseIncident(id=incident.id, cause=cause), by="berta")
    assert (closed.open, closed.cause, closed.closed_at) == (False, "Copied by mistake.", world.clock.now())
    assert [entry.step for entry in closed.timeline].count(IncidentStep.NOTED) == 1
    await world.clock.advance(60)
    assert await world.incident_app.keep.sweep() == 0


async def test_a_second_report_is_a_note_on_the_open_incident(world: Any) -> None:
    await connected(world)
    answers = await asyncio.gather(*(opened(world, by=f"user-{number}") for number in range(4)))
    assert len({answer.id for answer in answers}) == 1
    assert sum(isinstance(event, IncidentOpened) for event in world.incidents.events) == 1
    found = await world.incidents.get("contoso", answers[0].id)
    assert found.notes == 3


async def test_death_after_the_record_is_made_up_for_by_the_sweep(world: Any) -> None:
    await connected(world)
    retire = world.app.token_questions.retire
    original, calls = retire.by_incident, []

    async def dies(*arguments: Any) -> Any:
        calls.append(arguments)
        raise KeyboardInterrupt

    retire.by_incident = dies
    with pytest.raises(KeyboardInterrupt):
        await opened(world)
    retire.by_incident = original
    assert len(await left_in_the_vault(world)) == 2
    await world.clock.advance(6)
    await world.incident_app.keep.sweep()
    assert await left_in_the_vault(world) == []
    assert sum(isinstance(event, IncidentOpened) for event in world.incidents.events) == 1


async def test_a_vault_that_is_away_delays_neither_the_deactivation_nor_the_news(world: Any) -> None:
    await connected(world)
    world.vault.down = True
    incident = await opened(world)
    assert IncidentStep.SECURITY_INFORMED in [entry.step for entry in incident.timeline]
    assert (await world.state()).status(world.clock.now()) is TokenStatus.DEACTIVATED
    world.vault.down = False
    await world.clock.advance(61)
    await world.app.renew.sweep()
    assert await left_in_the_vault(world) == []


async def test_incidents_are_listed_newest_first_and_an_unknown_one_is_not_found(world: Any) -> None:
    await connected(world)
    questions = world.incident_app.questions
    ids = []
    for number in range(3):
        incident = await opened(world)
        ids.append(incident.id)
        await world.ask(questions.incident_close, CloseIncident(id=incident.id, cause=f"cause {number}"))
        await world.clock.advance(1)
    first = await world.ask(questions.incident_list, Page(limit=2))
    rest = await world.ask(questions.incident_list, Page(limit=2, cursor=first.cursor))
    assert [item.id for item in (*first.items, *rest.items)] == ids[::-1]
    for handler, question in (
        (questions.incident_get, ById(id="x")),
        (questions.incident_note, NoteIncident(id="x", text="x")),
        (questions.incident_close, CloseIncident(id="x", cause="x")),
    ):
        with pytest.raises(ProblemError) as caught:
            await world.ask(handler, question)
        assert caught.value.problem.status == 404


async def test_notes_are_bounded_by_what_an_answer_holds(world: Any) -> None:
    await connected(world)
    incident = await opened(world)
    for number in range(NOTES):
        question = NoteIncident(id=incident.id, text=f"{number} " + "ü" * 990)
        noted = await world.ask(world.incident_app.questions.incident_note, question)
    assert len(noted.model_dump_json().encode()) < 250_000
    with pytest.raises(ProblemError):
        await world.ask(world.incident_app.questions.incident_note, NoteIncident(id=incident.id, text="more"))


async def test_the_gauge_shows_what_is_open(world: Any) -> None:
    await connected(world)
    incident = await opened(world)
    await world.incident_app.metrics.refresh()
    labels = {"tenant": "contoso", "profile": "exchange-backup"}
    assert world.registry.get_sample_value("m365_security_incident_open", labels) == 1
    await world.ask(world.incident_app.questions.incident_close, CloseIncident(id=incident.id, cause="known"))
    await world.clock.advance(11)
    await world.incident_app.metrics.refresh()
    assert world.registry.get_sample_value("m365_security_incident_open", labels) is None


def test_every_step_has_its_text() -> None:
    assert INCIDENT_STEPS.keys() == set(IncidentStep)


async def test_a_secret_in_a_report_a_note_or_a_cause_is_masked_everywhere(world: Any) -> None:
    await connected(world)
    planted = "eyJhbGciOiJSUzI1NiJ9.PLANTEDplanted.PLANTEDsignature"
    questions, text = world.incident_app.questions, f"It was pasted: {planted}"
    report = OpenIncident(profile=Profile.EXCHANGE_BACKUP, report=text)
    incident = await world.ask(questions.incident_open, report)
    await world.ask(questions.incident_note, NoteIncident(id=incident.id, text=text))
    closed = await world.ask(questions.incident_close, CloseIncident(id=incident.id, cause=text))
    note = NoteToken(profile=Profile.EXCHANGE_BACKUP, text=text)
    noted = await world.ask(world.app.token_questions.token_note, note)
    stored = [await world.incidents.get("contoso", incident.id), await world.state()]
    events = [*world.incidents.events, *world.connections.events["contoso/exchange-backup"]]
    for said in (closed, noted, *stored, *events):
        assert "PLANTED" not in repr(said)
        assert "It was pasted: [redacted]" in repr((closed, noted))
