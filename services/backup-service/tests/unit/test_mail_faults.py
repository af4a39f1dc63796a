"""A whole backup against the simulated Microsoft 365 while it misbehaves: every fault has the outcome it deserves."""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from backup_fakes.served import ServedTenant

from backup_service.adapters import graph_mail
from contracts.errors import ErrorClass
from contracts.names import HoldReason, JobState
from graph_simulator.testing import SimulatorProcess, seed

# Every test resets connections on purpose; a transport that is collected late belongs to the fault, not to us.
pytestmark = [pytest.mark.soak, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]

MAILS = 12
VALUE = r"/messages/[^/]+.*/\$value$"
DELTA = r"/messages/delta$"
HTML = "<html><body><h1>Bad Gateway</h1></body></html>"


class Office:
    """One mailbox of the simulated tenant, what is in it, and a worker who backs it up."""

    def __init__(self, server: SimulatorProcess, known: dict[str, Any], manifest: list[Any], worker: Any) -> None:
        self._server = server
        self.manifest = manifest
        self.worker = worker
        self.worker.tenants = ServedTenant(server, known)
        self.worker.parallel = 4
        users = server.control("GET", "tenants/contoso/users")["users"]
        self.user = next(user for user in users if user["messages"] == MAILS)
        self.worker.resource = self.user["id"]

    def fault(self, **spec: Any) -> None:
        if spec["kind"] == "unreadable-item":
            spec["user"] = self.user["upn"]
        self._server.control("POST", "faults", spec)

    def clock(self, **seconds: float) -> None:
        """How far Microsoft's clock is ahead of ours, and that of its sign-in ahead of its own."""
        self._server.control("PUT", "clock", dict(seconds))

    def fired(self) -> int:
        return sum(rule["fired"] for rule in self._server.control("GET", "faults")["faults"])

    async def stored(self) -> list[str]:
        return sorted(sha256(body).hexdigest() for _, _, body, _ in (await self.worker.mirror()).values())

    def seeded(self) -> list[str]:
        return sorted(line["sha256"] for line in self.manifest if line["user"] == self.user["upn"])


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SimulatorProcess, Any, Any]]:
    state: Path = tmp_path_factory.mktemp("faults")
    apps, manifest = state / "apps.json", state / "manifest"
    options = ("--generate", str(MAILS), "--mailboxes", "1", "--seed", "3")
    seed(state, "contoso", *options, "--apps", str(apps), "--manifest", str(manifest))
    with SimulatorProcess(state) as server:
        yield server, json.loads(apps.read_text()), [json.loads(line) for line in manifest.read_text().splitlines()]


@pytest.fixture
def office(simulator: Any, worker: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    monkeypatch.setattr(graph_mail, "_PAGE_SIZE", 3)
    server, known, manifest = simulator
    yield Office(server, known, manifest, worker)
    server.control("DELETE", "faults")
    server.control("PUT", "clock", {})


def status(code: int, error: str = "", **more: Any) -> dict[str, Any]:
    body: Any = {"error": {"code": error, "message": "text"}} if error else ""
    return {"kind": "status", "status": code, "body": body, **more}


HARMLESS: dict[str, dict[str, Any]] = {
    "an old change is replayed, an item comes twice": {"kind": "delta-replay", "count": 3},
    "pages without items": {"kind": "delta-empty", "count": 4},
    "pages longer than asked for": {"kind": "delta-overfull", "count": 3},
    "void cursor in the middle of a round": {"kind": "gone-delta"},
    "spurious 404 without a body": status(404, match=VALUE, count=2),
    "429 with a decimal": {"kind": "throttle", "match": VALUE, "retry_after": "0.128"},
    "429 with a whole number": {"kind": "throttle", "match": VALUE, "retry_after": "1"},
    "429 without Retry-After": {"kind": "throttle", "match": VALUE, "retry_after": None, "count": 2},
    "429 with garbage": {"kind": "throttle", "match": DELTA, "retry_after": "soon", "count": 2},
    "429 with a date": {"kind": "throttle", "match": DELTA, "retry_after": "http-date"},
    "500 that passes": status(500, "UnknownError", match=DELTA, count=2),
    "503 without a body": status(503, match=VALUE, count=2),
    "502 as a page of HTML": {"kind": "status", "status": 502, "body": HTML, "match": DELTA, "count": 2},
    "504 as a page of HTML": {"kind": "status", "status": 504, "body": HTML, "match": VALUE, "count": 2},
    "reset before the head": {"kind": "reset", "match": VALUE, "count": 2},
    "reset inside a page": {"kind": "reset-mid-body", "match": DELTA, "after_bytes": 100},
    "reset inside a mail": {"kind": "reset-mid-body", "match": VALUE, "after_bytes": 300, "count": 2},
    "body shorter than announced": {"kind": "short-body", "match": VALUE, "count": 2},
    "compressed": {"kind": "gzip", "match": "/messages/", "count": None},
    "chunked": {"kind": "chunked", "match": "/messages/", "count": None},
    "401 once for a good token": status(401, "InvalidAuthenticationToken", match=VALUE),
    "Lifetime validation failed, once": status(401, "InvalidAuthenticationToken", match=DELTA),
}


@pytest.mark.parametrize("fault", HARMLESS.values(), ids=HARMLESS.keys())
async def test_what_passes_costs_nothing(office: Office, fault: dict[str, Any]) -> None:
    if fault["kind"] == "gone-delta":
        fault = {**fault, "match": "delta"}
    office.fault(**fault)
    job = await office.worker.backup()
    assert office.fired() >= 1
    assert job.state is JobState.SUCCEEDED, job
    assert await office.stored() == office.seeded()
    assert (job.counts.listed, job.counts.failed, job.counts.skipped) == (MAILS, 0, 0)


@pytest.mark.parametrize(
    "code",
    ["ErrorCorruptData", "ErrorContentConversionFailed", "ErrorInvalidRecipients", "ErrorCannotOpenFileAttachment"],
)
async def test_what_exchange_cannot_render_is_named_and_costs_nobody_else(office: Office, code: str) -> None:
    office.fault(kind="unreadable-item", nth=2, code=code)
    job = await office.worker.backup()
    assert job.state is JobState.PARTIAL
    (problem,) = job.item_errors
    assert problem.error is ErrorClass.CORRUPT_SOURCE_ITEM
    assert code.lower() in problem.detail.lower()
    assert len(set(office.seeded()) - set(await office.stored())) == 1


async def test_what_seems_deleted_before_it_was_read_is_no_error_and_is_not_lost(office: Office) -> None:
    """Exchange says so of mails that exist, too: the comparison with the folder's list finds them."""
    office.fault(**status(404, "ErrorItemNotFound", match=VALUE))
    job = await office.worker.backup()
    assert (job.state, job.item_errors) == (JobState.SUCCEEDED, ())
    assert len(await office.stored()) == MAILS


@pytest.mark.parametrize("links", ["same", "changing"])
async def test_a_round_without_end_is_broken_off_and_the_folder_listed(office: Office, links: str) -> None:
    office.fault(kind="delta-loop", links=links, count=None)
    job = await office.worker.backup()
    assert (job.state, job.counts.listed) == (JobState.SUCCEEDED, MAILS)
    assert await office.stored() == office.seeded()
    office._server.control("DELETE", "faults")
    again = await office.worker.backup()
    assert (again.state, again.counts.stored) == (JobState.SUCCEEDED, 0)


@pytest.mark.parametrize("code", ["MailboxNotEnabledForRESTAPI", "ResourceNotFound"])
async def test_a_user_without_a_mailbox_fails_plainly(office: Office, code: str) -> None:
    office.fault(**status(404, code, match="/mailFolders", count=None))
    job = await office.worker.backup()
    assert job.state is JobState.FAILED
    assert job.fatal is not None
    assert job.fatal.error is ErrorClass.NOT_FOUND


HOLDS: dict[str, tuple[dict[str, Any], HoldReason]] = {
    "roles are gone": (status(403, "ErrorAccessDenied", match="/mailFolders", count=None), HoldReason.CONSENT_LOST),
    "two tokens refused": (
        status(401, "InvalidAuthenticationToken", match="/mailFolders", count=None),
        HoldReason.NO_VALID_TOKEN,
    ),
    "Graph is away": ({"kind": "unavailable"}, HoldReason.GRAPH_UNREACHABLE),
    "throttled for long": (
        {"kind": "throttle", "match": VALUE, "retry_after": "90", "count": None},
        HoldReason.TENANT_THROTTLED,
    ),
}


@pytest.mark.parametrize(("fault", "reason"), HOLDS.values(), ids=HOLDS.keys())
async def test_what_needs_time_or_people_holds_the_job(
    office: Office, fault: dict[str, Any], reason: HoldReason
) -> None:
    office.fault(**fault)
    job = await office.worker.backup()
    assert job.state is JobState.WAITING
    assert job.hold is not None
    assert job.hold.reason is reason


async def test_a_mail_that_cannot_be_listed_costs_no_other(office: Office) -> None:
    office.fault(kind="unlistable-item", nth=4)
    job = await office.worker.backup()
    assert job.state is JobState.PARTIAL
    (problem,) = job.item_errors
    assert problem.error is ErrorClass.CORRUPT_SOURCE_ITEM
    stored = await office.stored()
    assert len(stored) == MAILS - 1
    assert set(stored) < set(office.seeded())


async def test_a_delta_that_never_answers_is_gone_around(office: Office) -> None:
    office.fault(**status(500, "InternalServerError", match=DELTA, count=None))
    assert (await office.worker.backup()).state is JobState.SUCCEEDED
    assert await office.stored() == office.seeded()


async def test_a_run_outlives_the_revocation_of_its_token(office: Office) -> None:
    await office.worker.tenants.tokens["exchange-backup"].token()
    office._server.control("POST", "tenants/contoso/revoke-tokens")
    assert (await office.worker.backup()).state is JobState.SUCCEEDED
    assert office.worker.tenants.tokens["exchange-backup"].refused >= 1
    assert await office.stored() == office.seeded()


@pytest.mark.parametrize("ahead", [300, -300])
async def test_a_clock_that_is_five_minutes_off_costs_nothing(office: Office, ahead: int) -> None:
    """A token that begins in our future or past; throttling until an instant of Microsoft's clock."""
    office.clock(ahead=ahead)
    office.fault(kind="throttle", match=VALUE, retry_after="http-date", count=2)
    job = await office.worker.backup()
    assert (office.fired(), job.state) == (2, JobState.SUCCEEDED)
    assert await office.stored() == office.seeded()


async def test_tokens_that_are_not_valid_yet_hold_the_job_until_they_are(office: Office) -> None:
    office.clock(sign_in_ahead=3600)
    job = await office.worker.backup()
    assert (job.state, job.attempt) == (JobState.WAITING, 0)
    assert job.hold is not None
    assert job.hold.reason is HoldReason.NO_VALID_TOKEN
    office.clock()
    assert (await office.worker.backup()).state is JobState.SUCCEEDED
    assert await office.stored() == office.seeded()
