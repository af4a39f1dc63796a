"""A tenant of 50,000 employees is synchronised in a process of 300 MiB; figures to `out/large_directory.json`."""

import asyncio
import json
import os
import time
import uuid
from pathlib import Path
from typing import Any, TypeVar

import pytest
from bus_user import connect
from large_directory import change, populate
from main_job import MainJob
from nats.aio.client import Client
from pydantic import BaseModel
from stack_fixture import RunningStack, running_stack

from contracts import subjects
from contracts.names import JobState, SyncKind
from contracts.operations import directory
from contracts.operations.base import (
    CALLER_HEADER,
    REQUEST_ID_HEADER,
    ROLES_HEADER,
    ById,
    Nothing,
    Operation,
)

pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(7200)]

USERS = int(os.environ.get("TENANTKEEP_SOAK_USERS", "50000"))  # noqa: TID251 - a test's size
GROUPS = 500
LARGEST_MIB = 300
FIGURES = Path(__file__).parent / "out" / "large_directory.json"
Req = TypeVar("Req", bound=BaseModel)
Res = TypeVar("Res", bound=BaseModel)


class Asker:
    """Asks sync-service as the gateway does, over one connection."""

    def __init__(self, connection: Client) -> None:
        self._connection = connection

    async def ask(self, operation: Operation[Req, Res], question: Req) -> Res:
        subject = subjects.rpc(operation.service, "contoso", operation.name)
        who = {CALLER_HEADER: "soak", ROLES_HEADER: "operator", REQUEST_ID_HEADER: "soak"}
        body = question.model_dump_json().encode()
        reply = await self._connection.request(subject, body, timeout=60, headers=who)
        answer = json.loads(reply.data)
        assert "result" in answer, answer
        return operation.response.model_validate(answer["result"])

    async def sync(self, kind: SyncKind) -> dict[str, Any]:
        """Sync, and what it took."""
        begun = time.monotonic()
        run = await self.ask(directory.SYNC_START, directory.StartSync(request=str(uuid.uuid4()), kind=kind))
        async with asyncio.timeout(3600):
            while not run.state.finished:
                await asyncio.sleep(1)
                run = await self.ask(directory.SYNC_GET, ById(id=run.id))
        assert run.state is JobState.SUCCEEDED, run
        figures = {"seconds": round(time.monotonic() - begun, 1), **run.counts.model_dump(exclude_defaults=True)}
        return {**figures, "requests_per_1000_users": round(1000 * run.counts.requests / USERS, 2)}

    async def first(self) -> None:
        """Return when the tenant's first sync is finished."""
        async with asyncio.timeout(120):
            while (await self.ask(directory.SYNC_OVERVIEW, Nothing())).last_sync_at is None:  # noqa: ASYNC110 - asked
                await asyncio.sleep(0.5)


async def measured(stack: RunningStack) -> dict[str, Any]:
    """Sync a tenant that has become large, and what each sync took."""
    state = stack.home.root / "simulator"
    user = await connect(stack, "gateway")
    try:
        asker = Asker(user.connection)
        await asker.first()
        people = await asyncio.to_thread(populate, state, "contoso", USERS, GROUPS)
        figures: dict[str, Any] = {"users": USERS, "groups": GROUPS, "full": await asker.sync(SyncKind.FULL)}
        figures["unchanged"] = await asker.sync(SyncKind.INCREMENTAL)
        await asyncio.to_thread(change, state, "contoso", people[: USERS // 100], "Moved")
        figures["one_percent"] = await asker.sync(SyncKind.INCREMENTAL)
        figures["full_again"] = await asker.sync(SyncKind.FULL)
        begun = time.monotonic()
        figures["present"] = (await asker.ask(directory.SYNC_OVERVIEW, Nothing())).present
        figures["overview_seconds"] = round(time.monotonic() - begun, 2)
    finally:
        await user.connection.close()
    return figures


def peak_mib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    high = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(high.split()[1]) // 1024


def test_a_large_directory_needs_no_large_process(tmp_path: Path) -> None:
    with running_stack(tmp_path) as stack:
        MainJob(stack, tmp_path).onboard("--generate", "1", "--mailboxes", "1", "--seed", "50")
        figures = asyncio.run(measured(stack))
        figures["peak_mib"] = peak_mib(stack.pid("sync-service"))
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps(figures, indent=2) + "\n")
    assert figures["present"] >= USERS
    assert figures["unchanged"]["requests"] <= 10
    assert figures["one_percent"]["updated"] == USERS // 100
    assert figures["peak_mib"] <= LARGEST_MIB
