"""The record of an erasure, which holds nothing of the person but the object id."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Erasure:
    """`due_at` is when what writes on their way have left behind is erased, too; None when that was done."""

    tenant: str
    employee: str
    erased_at: datetime
    by: str
    reason: str
    due_at: datetime | None
    activities: int = 0

    @property
    def id(self) -> str:
        """Somebody may come back and be erased again."""
        return f"{self.erased_at.isoformat()}/{self.employee}"
