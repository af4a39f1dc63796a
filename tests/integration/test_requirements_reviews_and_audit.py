"""R-B6 to R-B8 and the audit on a whole stack: reviews by a clock that is moved, an audit that somebody edits."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Thread
from typing import Any

import pytest
from drill import Drill
from main_job import Json, MainJob, settings_of
from stack_fixture import RunningStack, running_stack, wait_until

from chassis import documents
from chassis.clock import SystemClock
from chassis.lifecycle import Drain
from contracts.audit_chain import GENESIS, AuditHead, linked
from monitor_service import app as monitor
from monitor_service.settings import MonitorSettings

pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(900)]

QUICK = {"TENANTKEEP_SWEEP_INTERVAL": "0.5", "TENANTKEEP_EXPORT_INTERVAL": "2"}
SERVICE = "monitor-service"


class ShiftedClock(SystemClock):
    """The system's clock, `ahead` of it."""

    ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MainJob]:
    folder = tmp_path_factory.mktemp("care")
    with running_stack(folder, extra=QUICK) as stack:
        found = MainJob(stack, folder)
        found.onboard("--generate", "12", "--mailboxes", "1")
        found.configure("nightly")
        assert found.backup("nightly")["run"]["state"] == "succeeded"
        yield found


def monitor_settings(stack: RunningStack, **more: object) -> MonitorSettings:
    return MonitorSettings(**settings_of(stack, SERVICE), **more)


@contextmanager
def monitored(stack: RunningStack, clock: ShiftedClock) -> Iterator[None]:
    """monitor-service as the stack has it, but in this process and with a clock of ours."""
    settings = monitor_settings(stack, sweep_interval=0.2, review_daily_within=86_400.0)
    drill, drain = Drill(MainJob(stack, stack.home.root)), Drain()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        await (await monitor.build(settings, clock)).run(drain)

    drill.take_away(SERVICE)
    thread = Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(drain.requested.set)
        thread.join(20)
        assert not thread.is_alive()
        loop.close()
        drill.bring_back(SERVICE)
        wait_until(lambda: drill.is_ready(SERVICE), seconds=60, what=f"{SERVICE} is back")


def reviews(job: MainJob, *options: str) -> list[Json]:
    found: list[Json] = job.command("review", "list", *options)["items"]
    return found


def of_kind(job: MainJob, kind: str) -> list[Json]:
    return [review for review in reviews(job) if review["kind"] == kind]


def test_R_B6_to_R_B8_reviews_come_by_the_clock_and_say_whose_they_are_until_when(job: MainJob) -> None:
    clock = ShiftedClock()
    with monitored(job.stack, clock):
        assert reviews(job) == []
        clock.ahead = timedelta(days=32)  # at least one of each kind
        wait_until(lambda: {one["kind"] for one in reviews(job)} == KINDS, seconds=60, what="reviews are made")
        _answers(job)
        waiting = reviews(job, "--open")
        assert {"daily", "monthly"} <= {review["kind"] for review in waiting}  # no backup for a month; a person's look
        for review in waiting:
            due, until = (datetime.fromisoformat(review[name]) for name in ("due_at", "overdue_at"))
            assert until - due == timedelta(days={"daily": 1, "weekly": 3, "monthly": 7}[review["kind"]])
            assert review["owner"]
        (daily,) = [review for review in waiting if review["kind"] == "daily"]
        clock.ahead += timedelta(days=2)
        wait_until(lambda: _review(job, daily["id"])["overdue"], seconds=30, what="overdue")
        listed = job.stack.command("review", "list", "--open", "--tenant", "contoso", "--lang", "de").stdout
        assert daily["id"] in listed
        assert "überfällig" in listed
        done = job.command("review", "done", daily["id"], "--note", "Backups were paused.")
        assert (done["state"], done["note"]) == ("done", "Backups were paused.")
        assert daily["id"] not in {review["id"] for review in reviews(job, "--open")}
    # Its event was left to the next monitor-service, whose clock is a month behind the one that saved it.
    wait_until(lambda: completed(job), seconds=30, what="the look is in the audit")
    assert [(record["object"], record["after"]["note"]) for record in completed(job)] == [
        (daily["id"], "Backups were paused.")
    ]


def completed(job: MainJob) -> list[Json]:
    found: list[Json] = job.command("audit", "list", "--action", "review.complete")["items"]
    return found


KINDS = {"daily", "weekly", "monthly"}


def _review(job: MainJob, review: str) -> Json:
    found: Json = job.command("review", "show", review)
    return found


def _answers(job: MainJob) -> None:
    """Each kind asks what its row of the requirements says, and has an answer to it."""
    for kind, subjects in (
        ("daily", {"job_health", "new_errors"}),
        ("weekly", {"token_status", "token_end"}),
        ("monthly", {"permissions"}),
    ):
        (review,) = of_kind(job, kind)
        answers = {check["subject"]: check["answer"] for check in review["checks"]}
        assert subjects <= answers.keys()
        assert set(answers.values()) <= {"good", "bad", "unknown"}


Edit = Callable[[documents.Database], Coroutine[Any, Any, None]]


def edited(job: MainJob, edit: Edit) -> None:
    """What somebody does who may write to monitor-service's database."""

    async def run() -> None:
        db = documents.connect(monitor_settings(job.stack), monitor.DATABASE)
        try:
            await edit(db)
        finally:
            db.client.close()

    asyncio.run(run())


async def _kept(db: documents.Database, number: int) -> dict[str, Any]:
    found = await db["audit_records"].find_one({"tenant": "contoso", "number": number})
    assert found is not None
    return dict(found)


async def _write(db: documents.Database, kept: dict[str, Any], record: dict[str, Any]) -> None:
    text = {"record": json.dumps(record)}
    await db["audit_records"].update_one({"_id": kept["_id"]}, {"$set": text})


async def alter(db: documents.Database) -> None:
    kept = await _kept(db, 3)
    await _write(db, kept, {**json.loads(kept["record"]), "actor": "nobody"})


async def remove(db: documents.Database) -> None:
    await db["audit_records"].delete_one({"_id": (await _kept(db, 3))["_id"]})


async def reorder(db: documents.Database) -> None:
    third, fourth = await _kept(db, 3), await _kept(db, 4)
    await _write(db, third, json.loads(fourth["record"]))
    await _write(db, fourth, json.loads(third["record"]))


async def insert(db: documents.Database) -> None:
    """Between two records, as far as the store can say it: with a number that is taken."""
    kept = await _kept(db, 3)
    forged = {**kept, "_id": f"{kept['_id']}x", "number": 3.5}
    await db["audit_records"].insert_one(forged)


async def rewrite(db: documents.Database) -> None:
    """The whole chain made anew after a change: it agrees with itself, and not with what was sealed."""
    collection = db["audit_records"]
    head = AuditHead(tenant="contoso", length=0, hash=GENESIS)
    for kept in await collection.find({"tenant": "contoso"}).sort("number", 1).to_list(None):
        facts = {n: v for n, v in json.loads(kept["record"]).items() if n not in {"number", "previous", "hash"}}
        if head.length == 2:
            facts["actor"] = "nobody"
        record = linked(facts, head)
        await _write(db, kept, record)
        head = AuditHead(tenant="contoso", length=record["number"], hash=record["hash"])
    await db["audit_heads"].update_one({"_id": "contoso"}, {"$set": {"length": head.length, "hash": head.hash}})


def verified(job: MainJob, codes: tuple[int, ...] = (0,)) -> Json:
    found: Json = job.command("audit", "verify", codes=codes)
    return found


@pytest.mark.parametrize(
    ("edit", "kind"),
    [(alter, "altered"), (remove, "removed"), (reorder, "reordered"), (insert, "inserted"), (rewrite, "rewritten")],
)
def test_an_audit_that_somebody_edited_in_the_store_is_found_and_the_place_is_named(
    job: MainJob, edit: Edit, kind: str
) -> None:
    # An export that met the monitor away, as the reviews above have it, is tried again after five minutes.
    wait_until(lambda: verified(job, (0, 3))["sealed"] >= 4, seconds=330, what="a head of four records is sealed")
    whole = verified(job)
    assert (whole["verdict"], whole["faults"]) == ("whole", [])
    before = backup_of(job)
    edited(job, edit)
    try:
        found = verified(job, (1,))
        assert found["verdict"] == "tampered"
        places = [(fault["kind"], fault["first"], fault["last"]) for fault in found["faults"]]
        if kind == "rewritten":
            ((named, first, last),) = places
            assert (named, first <= 3 <= last) == (kind, True)
        else:
            assert places[0] == (kind, 3, 3)
        german = job.stack.command("audit", "verify", "--tenant", "contoso", "--lang", "de", check=False)
        assert (german.returncode, "Das Audit wurde verändert" in german.stdout) == (1, True)
    finally:
        edited(job, before)
    if kind != "rewritten":  # that head may have been sealed meanwhile, which stays to be seen
        assert verified(job)["verdict"] == "whole"


def backup_of(job: MainJob) -> Edit:
    """What puts the store back as it is now."""
    kept: dict[str, list[dict[str, Any]]] = {}

    async def read(db: documents.Database) -> None:
        for name in ("audit_records", "audit_heads"):
            kept[name] = await db[name].find({}).to_list(None)

    async def put_back(db: documents.Database) -> None:
        for name, found in kept.items():
            await db[name].delete_many({})
            await db[name].insert_many(found)

    edited(job, read)
    return put_back
