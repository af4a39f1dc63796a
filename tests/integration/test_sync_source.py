"""Another team asks for syncs: its scripts as the page shows them, plain nats-py, a user that may do nothing else."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from bus_user import connect, connect_with, settled
from main_job import MainJob
from nats.errors import Error as NatsError
from nats.js.errors import APIError
from pydantic import BaseModel
from stack_fixture import running_stack, wait_until

from contracts import envelope, subjects
from contracts.employees import SyncOverview
from contracts.foreign_sources import API_PREFIX
from contracts.operations import directory
from contracts.operations.base import Nothing, Operation, Page
from tenantkeep.stack import nats as stack_nats

pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(240)]

SCRIPTS = Path(__file__).parents[2] / "docs" / "reference" / "connect"
SUPPORT = Path(__file__).parents[1] / "support"
SUBJECT = "m365.ext.v1.crm.contoso.sync.requested"
MODES = pytest.mark.parametrize("mode", ["binary", "structured"])
Req = TypeVar("Req", bound=BaseModel)
Res = TypeVar("Res", bound=BaseModel)


@dataclass
class Stranger:
    """A system with a bus user of its own, and nothing of ours but the page."""

    job: MainJob
    folder: Path

    def python(self, *arguments: str, tenant: str = "contoso", wait: int = 60) -> tuple[int, list[dict[str, Any]]]:
        done = self._run([sys.executable, str(SCRIPTS / "request_sync.py"), *self._place(tenant, wait), *arguments])
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]

    def node(self, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
        done = self._run(["node", str(self.folder / "request_sync.mjs"), *self._place("contoso", 60), *arguments])
        assert done.stdout, done.stderr
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]

    def shell(self, mode: str, kind: str = "full", *users: str) -> subprocess.CompletedProcess[str]:
        stack = self.job.stack
        place = (stack_nats.url(stack.ports), str(stack.home.ca_bundle), str(self.folder / "crm.nk"))
        return self._run(["sh", str(SCRIPTS / "request_sync.sh"), *place, "crm", "contoso", kind, mode, *users])

    def _place(self, tenant: str, wait: int) -> list[str]:
        stack = self.job.stack
        place = ["--server", stack_nats.url(stack.ports), "--ca", str(stack.home.ca_bundle)]
        return [
            *place,
            "--seed",
            str(self.folder / "crm.nk"),
            "--source",
            "crm",
            "--tenant",
            tenant,
            "--wait",
            f"{wait}",
        ]

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": f"{self.folder}:{os.environ['PATH']}", "HOME": str(self.folder)}  # noqa: TID251 - theirs
        return subprocess.run(
            command, env=environment, cwd=self.folder, capture_output=True, text=True, timeout=120, check=False
        )

    def ask(self, operation: Operation[Req, Res], question: Req) -> Res:
        """As the gateway asks."""
        return asyncio.run(self._asked(operation, question))

    async def _asked(self, operation: Operation[Req, Res], question: Req) -> Res:
        user = await connect(self.job.stack, "gateway")
        try:
            subject = subjects.rpc(operation.service, "contoso", operation.name)
            reply = await user.connection.request(subject, question.model_dump_json().encode(), timeout=10)
        finally:
            await user.connection.close()
        return operation.response.model_validate(json.loads(reply.data)["result"])


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stranger]:
    folder = tmp_path_factory.mktemp("sync")
    theirs = folder / "theirs"
    theirs.mkdir()
    with running_stack(folder) as stack:
        job = MainJob(stack, folder)
        job.onboard("--generate", "10", "--mailboxes", "3", "--seed", "5")
        job.command("source", "add", "crm", "--tenant", "contoso", "--credentials", str(theirs / "crm.nk"))
        if shutil.which("nats") is None:
            command = theirs / "nats"
            command.write_text(f'#!/bin/sh\nexec {sys.executable} {SUPPORT / "nats_command.py"} "$@"\n')
            command.chmod(0o755)
        yield Stranger(job, theirs)


def _check_course(events: list[dict[str, Any]], end: str = "succeeded") -> None:
    stored, *course = events
    assert {event["causation"] for event in course} == {stored["id"]}
    assert {event["requested_by"] for event in course} == {"crm"}
    assert {event["run"] for event in course} == {envelope.run_id("crm", stored["id"])}
    runs = [event["type"] for event in course if event["scope"] == "run"]
    assert (runs[0], runs[-1]) == ("m365.job.queued.v1", f"m365.job.{end}.v1")


def test_the_first_token_of_a_tenant_starts_its_first_sync(stranger: Stranger) -> None:
    def finished() -> SyncOverview | None:
        overview = stranger.ask(directory.SYNC_OVERVIEW, Nothing())
        return overview if overview.last_sync_at is not None else None

    overview = wait_until(finished, seconds=60, what="the first sync is finished")
    assert overview.present > 0
    assert (overview.stale, overview.settings.every_hours, overview.next_sync_at is not None) == (0, 6, True)
    runs = stranger.ask(directory.SYNC_LIST, Page()).items
    assert [(run.kind, run.requested_by, run.state) for run in runs] == [("full", "onboarding", "succeeded")]


@MODES
def test_a_plain_nats_py_script_asks_and_hears(stranger: Stranger, mode: str) -> None:
    code, events = stranger.python("--mode", mode)
    _check_course(events)
    assert code == 0


@MODES
def test_a_node_script_asks_and_hears(stranger: Stranger, mode: str) -> None:
    _install_node_package(stranger)
    code, events = stranger.node("--kind", "full", "--mode", mode)
    _check_course(events)
    assert code == 0


def _install_node_package(stranger: Stranger) -> None:
    if not (stranger.folder / "node_modules").exists():
        assert shutil.which("npm"), "node and npm are missing; on Debian: apt-get install nodejs npm"
        shutil.copy(SCRIPTS / "request_sync.mjs", stranger.folder)
        install = ["npm", "install", "--no-audit", "--no-fund", "--no-save", "--prefix", str(stranger.folder)]
        subprocess.run([*install, "nats@2.29.3"], check=True, capture_output=True, timeout=120)


@MODES
def test_the_nats_command_asks_and_hears(stranger: Stranger, mode: str) -> None:
    done = stranger.shell(mode)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ce-type: m365.job.succeeded.v1" in done.stdout


@pytest.mark.parametrize("kind", ["users", "profile"])
def test_every_script_asks_for_single_users_and_for_profiles(stranger: Stranger, kind: str) -> None:
    found = stranger.ask(directory.EMPLOYEE_LIST, directory.EmployeesOf(limit=2)).items
    users = [employee.id for employee in found]
    named = [word for user in users for word in ("--user", user)]
    _install_node_package(stranger)
    for code, events in (stranger.python("--kind", kind, *named), stranger.node("--kind", kind, *named)):
        _check_course(events)
        assert (code, events[-1]["counts"]["listed"]) == (0, len(users))
    done = stranger.shell("structured", kind, *users)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ce-type: m365.job.succeeded.v1" in done.stdout


def test_single_users_are_asked_for_and_nobody_is_told(stranger: Stranger) -> None:
    employee = stranger.ask(directory.EMPLOYEE_LIST, directory.EmployeesOf(limit=1)).items[0]
    code, events = stranger.python("--kind", "users", "--user", employee.id)
    _check_course(events)
    nobody = str(uuid.uuid4())
    code, events = stranger.python("--kind", "users", "--user", employee.id, "--user", nobody)
    _check_course(events, "partial")
    assert (code, events[-1]["errors"]) == (3, {"not_found": 1})
    code, events = stranger.python("--kind", "users", "--user", nobody)
    _check_course(events, "failed")
    assert (code, events[-1]["error"]) == (1, "not_found")


def test_the_same_request_is_the_same_run(stranger: Stranger) -> None:
    identity = str(uuid.uuid4())
    first, _ = stranger.python("--id", identity)
    again, events = stranger.python("--id", identity, "--mode", "structured", wait=3)
    runs = [
        run for run in stranger.ask(directory.SYNC_LIST, Page()).items if run.id == envelope.run_id("crm", identity)
    ]
    assert (first, again, events[0]["repeat"], len(runs)) == (0, 4, True, 1)


def test_a_lost_token_postpones_the_sync_and_a_new_one_resumes_it(stranger: Stranger) -> None:
    stranger.job.simulator("POST", "tenants/contoso/revoke-tokens")
    code, events = stranger.python()
    _check_course(events)
    held = [event["reason"] for event in events[1:] if event["type"] == "m365.job.held.v1" and event["scope"] == "run"]
    assert (code, held) == (0, ["no_valid_token"])


def test_what_cannot_be_read_is_rejected_with_the_reason(stranger: Stranger) -> None:
    code, events = stranger.python("--kind", "users")
    assert (code, events[-1]["type"]) == (1, "m365.request.rejected.v1")
    assert events[-1]["reason"] == "users: a request of kind users names at least one"
    reasons = asyncio.run(_rejections(stranger))
    assert reasons == [
        "unreadable: the CloudEvents type is not m365.sync.requested.v1, the only one understood here",
        "unreadable: tenant in subject and body disagree",
        "users: not all of them are Entra object ids",
    ]
    letters = stranger.job.command("dead-letters", "list")["items"]
    assert [letter["durable"] for letter in letters] == ["sync-requested"] * 4


async def _rejections(stranger: Stranger) -> list[str]:
    """What is heard of an unknown version, another tenant in the body, and names instead of object ids."""
    good = {"tenant": "contoso", "at": "2026-03-02T08:00:00Z", "request": "r"}
    wrong = [
        ("m365.sync.requested.v9", good),
        ("m365.sync.requested.v1", {**good, "tenant": "fabrikam"}),
        ("m365.sync.requested.v1", {**good, "users": ["anna"]}),
    ]
    user = await connect_with(stranger.job.stack, stranger.folder / "crm.nk")
    try:
        theirs, sequences = user.connection.jetstream(prefix=API_PREFIX), []
        for type_name, body in wrong:
            head = {"ce-specversion": "1.0", "ce-id": str(uuid.uuid4()), "ce-source": "/crm", "ce-type": type_name}
            sequences.append((await theirs.publish(SUBJECT, json.dumps(body).encode(), headers=head)).seq)
        durable = await theirs.pull_subscribe_bind(durable="source-crm", stream="M365_EVT")
        heard: dict[int, str] = {}
        async with asyncio.timeout(60):
            while heard.keys() < set(sequences):
                for message in await durable.fetch(10, timeout=30):
                    await message.ack()
                    event = json.loads(message.data)
                    if event.get("sequence") in sequences:
                        heard[event["sequence"]] = event["reason"]
        return [heard[sequence] for sequence in sequences]
    finally:
        await user.connection.close()


async def test_a_huge_body_and_another_tenant_are_refused_by_the_bus(stranger: Stranger) -> None:
    user = await connect_with(stranger.job.stack, stranger.folder / "crm.nk")
    try:
        theirs = user.connection.jetstream(prefix=API_PREFIX, timeout=3)
        with pytest.raises(APIError, match="message size exceeds maximum"):
            await theirs.publish(SUBJECT, b'{"tenant": "contoso", "users": "%s"}' % (b"x" * 100_000))
        foreign = SUBJECT.replace("contoso", "fabrikam")
        with pytest.raises((NatsError, APIError)):
            await theirs.publish(foreign, b"{}")
        await settled(user, lambda: user.was_refused("publish", foreign))
        assert user.was_refused("publish", foreign)
    finally:
        await user.connection.close()
