"""Daily, weekly and monthly reviews: what the service could check by itself, and what a person has to look at."""

from enum import StrEnum

from pydantic import AwareDatetime, Field

from contracts.names import ReviewKind, Role, Slug, Token
from contracts.views import View


class ReviewAnswer(StrEnum):
    """Unknown is an answer of its own: a check that could not run is never good."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"


class ReviewSubject(StrEnum):
    """What a review looks at."""

    JOB_HEALTH = "job_health"
    NEW_ERRORS = "new_errors"
    TOKEN_STATUS = "token_status"  # noqa: S105 - a subject, not a password
    TOKEN_END = "token_end"  # noqa: S105 - a subject, not a password
    PERMISSIONS = "permissions"
    RUN_TIMES = "run_times"
    ERROR_RATE = "error_rate"
    RECURRENCE = "recurrence"


class ReviewState(StrEnum):
    """Open until a person has looked; a review that found nothing for a person is done from the start."""

    OPEN = "open"
    DONE = "done"


class ReviewCheck(View):
    """One answer, and what it rests on: codes and counts by what they are about, as a job kind or an app profile."""

    subject: ReviewSubject
    answer: ReviewAnswer
    facts: dict[str, str] = Field(default={})


class Review(View):
    """One review of one tenant; there is one per kind and period, whoever looks how often."""

    tenant: Slug
    id: Token
    kind: ReviewKind
    due_at: AwareDatetime = Field(description="when it was made")
    overdue_at: AwareDatetime = Field(description="until when a person should have looked, if one has to")
    owner: Role = Role.ADMIN
    state: ReviewState
    overdue: bool = False
    checks: tuple[ReviewCheck, ...]
    completed_at: AwareDatetime | None = None
    completed_by: str = ""
    note: str = ""
