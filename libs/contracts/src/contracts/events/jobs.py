"""The job family, common to all services: what happened to a run or to one of its jobs."""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contracts.errors import ErrorClass
from contracts.events.base import Event
from contracts.names import HoldReason, JobKind, Token

Scope = Literal["run", "job"]


class Counts(BaseModel):
    """What a job has done so far. Items and bytes; `listed` is the denominator of coverage."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    listed: int = 0
    stored: int = 0
    unchanged: int = 0
    removed: int = 0
    failed: int = 0
    skipped: int = 0
    bytes_read: int = 0
    bytes_stored: int = 0
    requests: int = 0
    verified: int = Field(default=0, description="items whose stored or restored form was compared and found equal")

    def __add__(self, other: "Counts") -> "Counts":
        mine, theirs = self.model_dump(), other.model_dump()
        return Counts(**{name: mine[name] + theirs[name] for name in mine})


class JobWakeUp(BaseModel):
    """Body of `m365.job.v1.…`: the document is the truth, this only says which one and which delivery."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    tenant: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,32}$")]
    job: Token
    kind: JobKind
    message: str


class JobEvent(Event):
    """`version` grows with every saved change of the document, so late and repeated events are recognised."""

    DOMAIN: ClassVar[str] = "job"

    scope: Scope
    id: Token
    run: Token
    kind: JobKind
    version: int
    attempt: int = 0
    configuration: Token | None = None
    resource: str | None = None
    counts: Counts = Counts()

    def key(self) -> tuple[str, ...]:
        return (self.tenant, self.scope, self.id, str(self.version))


class JobQueued(JobEvent):
    NAME: ClassVar[str] = "queued"


class JobStarted(JobEvent):
    NAME: ClassVar[str] = "started"

    session: Token | None = None


class JobProgressed(JobEvent):
    """A progress mark; skips the pending list, so one may be lost."""

    NAME: ClassVar[str] = "progressed"

    phase: str = ""


class JobHeld(JobEvent):
    NAME: ClassVar[str] = "held"

    reason: HoldReason
    detail: str = ""


class JobSucceeded(JobEvent):
    NAME: ClassVar[str] = "succeeded"

    duration: float = Field(default=0, description="seconds from first start to the end")


class JobPartial(JobEvent):
    """Some items are missing; the restore point exists and lists them."""

    NAME: ClassVar[str] = "partial"

    duration: float = 0
    errors: dict[ErrorClass, int] = Field(default_factory=dict)


class JobFailed(JobEvent):
    NAME: ClassVar[str] = "failed"

    duration: float = 0
    error: ErrorClass
    detail: str = ""


JOB_EVENTS: tuple[type[JobEvent], ...] = (
    JobQueued,
    JobStarted,
    JobProgressed,
    JobHeld,
    JobSucceeded,
    JobPartial,
    JobFailed,
)
