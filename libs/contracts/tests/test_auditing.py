"""What is recorded of a change: what differs, no secret, and one identity per change."""

from datetime import UTC, datetime, timedelta

from pydantic import BaseModel, SecretStr

from contracts.auditing import LONGEST_FACT, AuditAction, recorded
from contracts.caller import Caller, itself, on_behalf
from contracts.envelope import event_id
from contracts.events import AuditRecorded

AT = datetime(2026, 3, 2, 8, tzinfo=UTC)
ANNA = Caller("anna", ("admin",), "request-1")


class Thing(BaseModel):
    tenant: str = "contoso"
    name: str
    kept: int = 30
    sources: tuple[str, ...] = ()
    client_secret: SecretStr | None = None
    created_at: datetime = AT


def change(before: Thing | None, after: Thing | None, at: datetime = AT, caller: Caller = ANNA) -> AuditRecorded:
    action = AuditAction.CONFIGURATION_CHANGE
    return recorded(action, "thing-1", tenant="contoso", caller=caller, at=at, before=before, after=after)


def test_of_two_states_what_differs_is_recorded() -> None:
    told = change(Thing(name="a", sources=("mail",)), Thing(name="a", kept=90, sources=("mail", "calendar")))
    assert told.before == {"kept": "30", "sources": '["mail"]'}
    assert told.after == {"kept": "90", "sources": '["mail", "calendar"]'}
    assert (told.actor, told.roles, told.request, told.object) == ("anna", ("admin",), "request-1", "thing-1")


def test_of_something_new_all_that_is_set_is_recorded() -> None:
    told = change(None, Thing(name="a"))
    assert (told.before, told.after) == ({}, {"name": "a", "kept": "30"})


def test_a_secret_is_masked_whatever_its_form() -> None:
    told = change(None, Thing(name="Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.x", client_secret=SecretStr("hunter2")))
    assert "hunter2" not in told.model_dump_json()
    assert "eyJ" not in told.model_dump_json()


def test_a_long_text_is_cut() -> None:
    assert len(change(None, Thing(name="x" * 9000)).after["name"]) == LONGEST_FACT + 1


def test_a_repeat_is_the_same_event_and_another_change_under_the_same_request_is_not() -> None:
    one = change(Thing(name="a"), Thing(name="b"))
    assert event_id(one) == event_id(change(Thing(name="a"), Thing(name="b")))
    others = [
        change(Thing(name="a"), Thing(name="c")),
        change(Thing(name="a"), Thing(name="b"), at=AT + timedelta(microseconds=1)),
        change(Thing(name="a"), Thing(name="b"), caller=itself("token-service")),
        change(Thing(name="a"), Thing(name="b"), caller=on_behalf("crm", "request-1")),
    ]
    assert len({event_id(event) for event in (one, *others)}) == 5
