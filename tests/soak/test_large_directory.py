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
from pydantic import BaseModel
from stack_fixture import running_stack, wait_until

from contracts import subjects
from contracts.employees import SyncRun
from contracts.names import JobState, SyncKind
from contracts.operations import directory
from contracts.operations.base import ById, Nothing, Operation

pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(7200)]

USERS = int(os.environ.get("TENANTKEEP_SOAK_USERS", "50000"))  # noqa: TID251 - a test's size
GROUPS = 500
LARGEST_MIB = 300
FIGURES = Path(__file__).parent / "out" / "large_directory.json"
Req = TypeVar("Req", bound=BaseModel)
Res = TypeVar("Res", bound=BaseModel)


class Asker:
    """Asks sync-service as the gateway does."""

    def __init__(self, job: MainJob) -> None:
        self._job = job

    def ask(self, operation: Operation[Req, Res], question: Req) -> Res:
        return asyncio.run(self._ask(operation, question))

    async def _ask(self, operation: Operation[Req, Res], question: Req) -> Res:
        user = await connect(self._job.stack, "gateway")
        try:
            subject = subjects.rpc(operation.service, "contoso", operation.name)
            reply = await user.connection.request(subject, question.model_dump_json().encode(), timeout=30)
        finally:
            await user.connection.close()
        return operation.response.model_validate(json.loads(reply.data)["result"])

    def sync(self, kind: SyncKind) -> dict[str, Any]:
        """Sync, and what it took."""
        begun = time.monotonic()
        started = self.ask(directory.SYNC_START, directory.StartSync(request=str(uuid.uuid4()), kind=kind))
        run = wait_until(lambda: self._finished(started.id), seconds=3600, what="the sync is finished")
        assert run.state is JobState.SUCCEEDED, run
        figures = {"seconds": round(time.monotonic() - begun, 1), **run.counts.model_dump(exclude_defaults=True)}
        return {**figures, "requests_per_1000_users": round(1000 * run.counts.requests / USERS, 2)}

    def _finished(self, run: str) -> SyncRun | None:
        found = self.ask(directory.SYNC_GET, ById(id=run))
        return found if found.state.finished else None


def test_a_large_directory_needs_no_large_process(tmp_path: Path) -> None:
    with running_stack(tmp_path) as stack:
        job = MainJob(stack, tmp_path)
        job.onboard("--generate", "1", "--mailboxes", "1", "--seed", "50")
        asker = Asker(job)
        wait_until(
            lambda: asker.ask(directory.SYNC_OVERVIEW, Nothing()).last_sync_at,
            seconds=60,
            what="the first sync is done",
        )
        state = stack.home.root / "simulator"
        people = populate(state, "contoso", USERS, GROUPS)
        figures: dict[str, Any] = {"users": USERS, "groups": GROUPS, "full": asker.sync(SyncKind.FULL)}
        figures["unchanged"] = asker.sync(SyncKind.INCREMENTAL)
        change(state, "contoso", people[: USERS // 100], "Moved")
        figures["one_percent"] = asker.sync(SyncKind.INCREMENTAL)
        figures["full_again"] = asker.sync(SyncKind.FULL)
        begun = time.monotonic()
        overview = asker.ask(directory.SYNC_OVERVIEW, Nothing())
        figures["overview_seconds"] = round(time.monotonic() - begun, 2)
        status = Path(f"/proc/{stack.pid('sync-service')}/status").read_text()
        figures["peak_mib"] = (
            next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) // 1024
        )
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps(figures, indent=2) + "\n")
    assert overview.present >= USERS
    assert figures["unchanged"]["requests"] <= 10
    assert figures["one_percent"]["updated"] == USERS // 100
    assert figures["peak_mib"] <= LARGEST_MIB
