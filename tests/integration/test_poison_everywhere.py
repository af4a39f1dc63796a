"""Poison of every kind on every durable of a whole stack, while it works: all of it is found, and nobody is hurt.

What a defect of a handler does cannot be had without a defect: libs/chassis/tests/test_poison.py has one.
"""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import bus_user
import pytest
from nats.js import JetStreamContext
from nats.js.api import ConsumerInfo
from nats.js.errors import APIError
from stack_fixture import RunningStack, wait_until
from two_tenants import MINE, Api, Customer, Pair

from chassis.testing.poison import Message, cases, poisons
from contracts.bus_users import BOOTSTRAP, MONITOR_SERVICE
from contracts.streams import DURABLES

pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(300)]

TOO_LARGE = 10054
CASES = cases(MINE, source="gateway")
SENT: dict[str, dict[str, Message]] = {name: poisons(case) for name, case in CASES.items()}
BY_SUBJECT = {CASES[name].subject: sent for name, sent in SENT.items()}
"""What is sent: two durables may read one subject, and each has the message then."""
SERVICES = ("token-service", "sync-service", "backup-planner", "backup-worker", "monitor-service", "gateway")


@dataclass
class Outcome:
    """What became of a backup during which everything was poisoned."""

    letters: list[dict[str, Any]]
    before: dict[str, ConsumerInfo]
    after: dict[str, ConsumerInfo]
    run: dict[str, Any]
    jobs: list[dict[str, Any]]
    restarts: dict[str, int]


@pytest.fixture(scope="module")
def outcome(pair: Pair) -> Outcome:
    api, customer = pair.api, pair.mine
    known, restarts = {letter["id"] for letter in _letters(api.stack)}, _restarts(api.stack)
    before = asyncio.run(_consumers(api.stack))
    run = _start(api, customer)
    asyncio.run(_poison(api.stack))
    ended = api.finished(MINE, run)
    wanted = sum(len(sent) for sent in SENT.values())

    def found() -> list[dict[str, Any]] | None:
        new = [letter for letter in _letters(api.stack) if letter["id"] not in known]
        return new if len(new) >= wanted else None

    letters = wait_until(found, seconds=60, what=f"{wanted} dead letters")
    assert letters is not None
    after = wait_until(lambda: _quiet(api.stack), seconds=60, what="nothing is left to deliver")
    assert after is not None
    jobs = api.done("GET", f"/tenants/{MINE}/runs/{run}/jobs")["items"]
    return Outcome(letters, before, after, ended, jobs, restarts)


def _restarts(stack: RunningStack) -> dict[str, int]:
    processes = stack.state.processes
    return {name: processes[name].restarts for name in SERVICES}


def _quiet(stack: RunningStack) -> dict[str, ConsumerInfo] | None:
    """The durables, once none of them has anything to deliver or under way."""
    found = asyncio.run(_consumers(stack))
    return None if any(info.num_pending or info.num_ack_pending for info in found.values()) else found


def _start(api: Api, customer: Customer) -> str:
    run: str = api.done("POST", f"/tenants/{MINE}/backup-configurations/{customer.configuration}/runs")["run"]
    return run


def _letters(stack: RunningStack) -> list[dict[str, Any]]:
    stack.command("login")
    found: list[dict[str, Any]] = json.loads(stack.command("dead-letters", "list", "--json").stdout)["items"]
    return found


async def _consumers(stack: RunningStack) -> dict[str, ConsumerInfo]:
    user = await bus_user.connect(stack, BOOTSTRAP.name)
    js = user.connection.jetstream()
    found = {durable.name: await js.consumer_info(durable.stream.name, durable.name) for durable in DURABLES}
    await user.connection.close()
    return found


async def _poison(stack: RunningStack) -> None:
    """As monitor-service, the one user who may put a message wherever a durable reads: it replays dead letters."""
    user = await bus_user.connect(stack, MONITOR_SERVICE.name)
    js = user.connection.jetstream()
    for sent in BY_SUBJECT.values():
        for subject, body, head in sent.values():
            await js.publish(subject, body, headers=head or None)
    for case in CASES.values():
        await _refused(js, case.subject)
    await user.connection.close()


async def _refused(js: JetStreamContext, subject: str) -> None:
    """What is oversized does not even get in, so that a dead letter always fits."""
    with pytest.raises(APIError) as refused:
        await js.publish(subject, b" " * (256 * 1024 + 1))
    assert refused.value.err_code == TOO_LARGE


def test_every_message_is_a_dead_letter_with_its_reason(outcome: Outcome) -> None:
    assert SENT.keys() == {durable.name for durable in DURABLES}
    assert Counter(letter["durable"] for letter in outcome.letters) == {name: len(sent) for name, sent in SENT.items()}
    for name, sent in SENT.items():
        told = Counter(_plain(letter["subject"]) for letter in outcome.letters if letter["durable"] == name)
        assert told == Counter(_plain(subject) for subject, _, _ in sent.values())
    assert all(letter["reason"].startswith("unreadable: ") for letter in outcome.letters)


def _plain(subject: str) -> str:
    """Headers are read in more than one way beyond ASCII."""
    return subject if subject.isascii() else "no name"


def test_nothing_is_delivered_twice(outcome: Outcome) -> None:
    """A hot loop would be seen here: each poison was handed out once, and nothing is left to hand out."""
    assert {letter["deliveries"] for letter in outcome.letters} == {1}
    for name, after in outcome.after.items():
        assert after.num_redelivered == 0, name
    handed = {n: _delivered(outcome.after[n]) - _delivered(outcome.before[n]) for n in SENT}
    print(f"{sum(len(sent) for sent in SENT.values())} poisons; handed out, with the real messages: {handed}")
    assert all(len(SENT[name]) <= count <= len(SENT[name]) + 100 for name, count in handed.items()), handed


def _delivered(info: ConsumerInfo) -> int:
    assert info.delivered is not None
    return info.delivered.consumer_seq


def test_the_work_of_the_stack_is_unharmed(pair: Pair, outcome: Outcome) -> None:
    assert outcome.run["state"] == "succeeded"
    assert {(job["state"], job["attempt"]) for job in outcome.jobs} == {("succeeded", 0)}
    run = _start(pair.api, pair.mine)
    assert pair.api.finished(MINE, run)["state"] == "succeeded"
    assert _restarts(pair.api.stack) == outcome.restarts
    assert pair.api.stack.status()["ready"]


def test_a_poison_that_is_replayed_is_poison_again(pair: Pair, outcome: Outcome) -> None:
    stack = pair.api.stack
    known = {one["id"] for one in _letters(stack)}
    letter = next(one for one in outcome.letters if one["durable"] == "backup-requested")
    stack.command("dead-letters", "replay", letter["id"])
    again = wait_until(
        lambda: [one for one in _letters(stack) if one["id"] not in known], seconds=120, what="a new dead letter"
    )
    same = ("durable", "subject", "reason", "deliveries")
    assert [[one[name] for name in same] for one in again] == [[letter[name] for name in same]]
