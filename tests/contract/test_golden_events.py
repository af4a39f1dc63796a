"""Golden messages: one per event and version, as they lie on the bus. They are added to, never changed.

Every version is parsed by today's consumers; the newest is what today's producers make.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from contracts import envelope
from contracts.events import EVENTS, JOB_EVENTS, AnyJobEvent, Event, Request
from contracts.subjects import source_of

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(path.relative_to(GOLDEN).as_posix() for path in GOLDEN.glob("*/v*.json"))
MODELS = {f"{event.DOMAIN}.{event.NAME}/v{event.VERSION}.json": event for event in EVENTS}


def message(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDEN / name).read_text(encoding="utf-8"))
    return found


def test_every_event_has_a_golden_message_of_its_newest_version() -> None:
    missing = sorted(set(MODELS) - set(FILES))
    assert missing == [], "add tests/contract/golden/<event>/v<n>.json and its line in SHA256SUMS"


def test_golden_messages_are_only_ever_added() -> None:
    lines = (GOLDEN / "SHA256SUMS").read_text(encoding="utf-8").split("\n")
    sums = dict(reversed(line.split("  ")) for line in lines if line)
    assert sorted(sums) == FILES
    changed = [name for name in FILES if hashlib.sha256((GOLDEN / name).read_bytes()).hexdigest() != sums[name]]
    assert changed == [], "a golden message is what others hold in their logs: add a version instead of changing it"


@pytest.mark.parametrize("name", FILES)
def test_consumers_of_today_read_it(name: str) -> None:
    golden = message(name)
    found = envelope.decode(golden["subject"], golden["headers"], json.dumps(golden["body"]).encode())
    domain_and_name = name.split("/", maxsplit=1)[0]
    model = next(model for key, model in MODELS.items() if key.startswith(f"{domain_and_name}/"))
    event = model.model_validate_json(found.body)
    assert event.tenant == golden["body"]["tenant"]
    if model in JOB_EVENTS:
        assert AnyJobEvent.model_validate_json(found.body, context={"type": found.type}).root == event


@pytest.mark.parametrize(("name", "model"), MODELS.items(), ids=MODELS)
def test_producers_of_today_make_it(name: str, model: type[Event]) -> None:
    golden = message(name)
    event = model.model_validate(golden["body"])
    assert event.type_name() == golden["headers"]["ce-type"]
    source = golden["headers"]["ce-source"].removeprefix("/tenantkeep/")
    assert envelope.headers(event, source) == golden["headers"]
    if isinstance(event, Request):
        assert event.requested_by(source_of(golden["subject"]) or "") == golden["subject"]
    else:
        assert event.subject() == golden["subject"]
    made = json.loads(event.model_dump_json())
    assert includes(made, golden["body"])


def includes(made: Any, golden: Any) -> bool:
    """True when everything golden is made, at every level; new fields may come beside it."""
    if isinstance(golden, dict):
        return all(name in made and includes(made[name], value) for name, value in golden.items())
    return bool(made == golden)


def test_a_new_field_may_come_beside_but_none_may_go() -> None:
    assert includes({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}})
    assert not includes({"a": {"c": 2}}, {"a": {"b": 1}})
    assert not includes({"a": 2}, {"a": 1})
