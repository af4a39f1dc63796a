"""The job family, common to all services: what happened to a run or to one of its jobs."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from contracts.errors import ErrorClass
from contracts.events.base import Event
from contracts.names import HoldReason, JobKind, Token

Scope = Literal["run", "job"]


class SourceCounts(BaseModel):
    """What a job has done of one source so far, in items; `listed` is the denominator of its coverage."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    listed: int = 0
    stored: int = 0
    unchanged: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: "SourceCounts") -> "SourceCounts":
        return SourceCounts(**_sums(self.model_dump(), other.model_dump()))


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
    reconciled: int = Field(default=0, description="items a full comparison found that change tracking had missed")
    verified: int = Field(default=0, description="items whose stored or restored form was compared and found equal")

    by_source: dict[str, SourceCounts] = Field(default={}, description="of a backup: the same for each source it read")

    def __add__(self, other: "Counts") -> "Counts":
        none = SourceCounts()
        sources = {
            name: self.by_source.get(name, none) + other.by_source.get(name, none)
            for name in sorted(self.by_source.keys() | other.by_source.keys())
        }
        own = {"by_source"}
        return Counts(**_sums(self.model_dump(exclude=own), other.model_dump(exclude=own)), by_source=sources)


def _sums(mine: Mapping[str, int], theirs: Mapping[str, int]) -> dict[str, int]:
    return {name: mine[name] + theirs[name] for name in mine}


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
    requested_by: str = Field(default="", description="source of the request that led to this")
    causation: str = Field(default="", description="ce-id of that request, unique within its source")

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
    expected: int | None = Field(
        default=None, description="items there are to look at in all; null: nobody knows before the end"
    )


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

_BY_TYPE: dict[str, type[JobEvent]] = {model.type_name(): model for model in JOB_EVENTS}


def parse_job_event(type_name: str, body: Mapping[str, Any]) -> JobEvent:
    """The event of the family that `type_name` (the CloudEvents type) stands for.

    Raises ValueError for a type this release does not know and ValidationError for a body that does not fit.
    """
    model = _BY_TYPE.get(type_name)
    if model is None:
        raise ValueError("this release does not know the type")
    return model.model_validate(body)


class AnyJobEvent(RootModel[JobEvent]):
    """Any event of the family, for consumers of all of them.

    The body does not name its type, so `type` is expected in the validation context (chassis.delivery puts it there).
    """

    @model_validator(mode="before")
    @classmethod
    def _as_its_type(cls, body: Any, info: ValidationInfo) -> Any:
        if isinstance(body, JobEvent):
            return body
        try:
            return parse_job_event((info.context or {}).get("type", ""), body)
        except ValidationError as error:
            # Its own text quotes the payload, which must not travel in the reason of a dead letter.
            fields = ", ".join(".".join(map(str, fault["loc"])) for fault in error.errors(include_input=False))
            raise ValueError(f"fields missing or wrong: {fields}") from error
