"""A profile update on its way: what lies between the wish, Microsoft 365 and the record here."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from contracts.caller import Caller
from contracts.employee_changes import Fault, Refusal
from sync_service.domain.profile_change import Values


class Step(StrEnum):
    """How far an update has come. Only the owner of an unfinished one talks to Microsoft 365 about this user."""

    WRITING = "writing"
    """Whether Microsoft 365 has the change is not known."""
    WRITTEN = "written"
    """Microsoft 365 has taken the change; the record here does not show it yet."""
    DONE = "done"
    REFUSED = "refused"

    @property
    def finished(self) -> bool:
        return self in {Step.DONE, Step.REFUSED}


_TRANSIENT = frozenset(
    {
        Refusal.CONNECTION_TIMEOUT,
        Refusal.NO_VALID_TOKEN,
        Refusal.RATE_LIMITED,
        Refusal.TOKEN_EXPIRED,
        Refusal.VAULT_UNREACHABLE,
    }
)


@dataclass(frozen=True)
class ProfileUpdate:
    """One per employee: the last one, or the one that goes on. `id` is the request's; `version` 0 is not stored yet.

    `due_at` is when somebody else carries it to its end, because its owner must have died; None when it is finished.
    The values are kept no longer than they are needed.
    """

    tenant: str
    employee: str
    id: str
    caller: Caller
    begun_at: datetime
    due_at: datetime | None
    values: Values = field(default_factory=dict)
    step: Step = Step.WRITING
    refusal: Refusal | None = None
    faults: tuple[Fault, ...] = ()
    version: int = 0

    @property
    def worth_another_try(self) -> bool:
        """True when something outside was missing that is there again, perhaps, when the asker asks again."""
        return self.refusal in _TRANSIENT

    def written(self) -> "ProfileUpdate":
        return replace(self, step=Step.WRITTEN)

    def claimed(self, until: datetime) -> "ProfileUpdate":
        return replace(self, due_at=until)

    def done(self) -> "ProfileUpdate":
        return replace(self, step=Step.DONE, values={}, due_at=None)

    def refused(self, refusal: Refusal, faults: tuple[Fault, ...] = ()) -> "ProfileUpdate":
        return replace(self, step=Step.REFUSED, refusal=refusal, faults=faults, values={}, due_at=None)
