"""A job as its worker sees it, and how its execution may end."""

from dataclasses import dataclass
from datetime import datetime

from backup_service.domain.restore_order import RestoreOrder
from contracts.errors import ErrorClass
from contracts.events import Counts
from contracts.names import HoldReason, JobKind, JobState, Source
from contracts.restoring import RestoreReport
from contracts.upkeep import CheckReport, MaintenanceReport
from contracts.views import Failure, ItemProblem


@dataclass(frozen=True)
class Cause:
    """The request that led to a run: who asked, and the id (ce-id) of the asking."""

    source: str
    request: str


@dataclass(frozen=True)
class Keeping:
    """How long the restore point is kept: the configuration's scheme, and the tenant's floor with who set it when."""

    retention: str
    floor: str
    floor_set_by: str
    floor_set_at: datetime


@dataclass(frozen=True)
class Claim:
    """One execution of a job. `session` fences it: the database, the repository and every log line carry it."""

    tenant: str
    job: str
    run: str
    kind: JobKind
    configuration: str
    target: str
    keeping: Keeping
    resource: str
    resource_name: str
    session: str
    previous: str | None
    attempt: int
    first_started_at: datetime
    restore: RestoreOrder | None = None
    whole: bool = False  # a verify job reads everything, not only its share
    sources: tuple[Source, ...] = (Source.MAIL,)  # what a backup job reads of its resource

    @property
    def shard(self) -> str:
        """Name of the resource in the repository; two configurations never share one."""
        return f"{self.configuration}/{self.resource}"


@dataclass(frozen=True)
class Finished:
    """Nothing more will happen. Three lists are kept apart: the fatal error, item errors, items skipped."""

    state: JobState
    counts: Counts
    restore_point: str | None = None
    fatal: Failure | None = None
    item_errors: tuple[ItemProblem, ...] = ()
    skipped: tuple[ItemProblem, ...] = ()
    check: CheckReport | None = None
    maintenance: MaintenanceReport | None = None
    restored: RestoreReport | None = None
    unrestored: tuple[ItemProblem, ...] = ()
    """All that a restore could not bring back; `item_errors` are the first of them."""

    @property
    def errors(self) -> dict[ErrorClass, int]:
        """Item errors by class."""
        found: dict[ErrorClass, int] = {}
        for problem in self.item_errors:
            found[problem.error] = found.get(problem.error, 0) + 1
        return found


@dataclass(frozen=True)
class Held:
    """The job waits for something outside; it burns no error and is looked at again after `recheck` seconds."""

    reason: HoldReason
    detail: str
    recheck: float


@dataclass(frozen=True)
class Retried:
    """A passing error: one attempt is spent; the job fails with `error` when none is left."""

    error: ErrorClass
    detail: str


@dataclass(frozen=True)
class HandedBack:
    """The worker is leaving, or lost documents or bus; another one goes on at the checkpoint. Nothing is spent."""


Outcome = Finished | Held | Retried | HandedBack


def failed(error: ErrorClass, detail: str, counts: Counts | None = None) -> Finished:
    """The end of a job that could not be completed."""
    return Finished(JobState.FAILED, counts or Counts(), fatal=Failure(error=error, detail=detail))


def state_of_run(succeeded: int, partial: int, failures: int) -> JobState:
    """Succeeded if all jobs succeeded, Failed if none did, else Partial. A run without jobs had nothing to do."""
    if not partial and not failures:
        return JobState.SUCCEEDED
    if not succeeded and not partial:
        return JobState.FAILED
    return JobState.PARTIAL
