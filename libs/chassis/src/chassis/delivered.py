"""A message as handlers and use cases see it: typed, and free of the bus that carried it."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel

from contracts import subjects

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Delivered(Generic[M]):
    """A readable message: its typed body and where it came from. `id` and `type` are CloudEvents', "" on wake-ups."""

    body: M
    subject: str
    id: str
    type: str
    delivery: int
    traceparent: str | None = None

    @property
    def source(self) -> str:
        """Source token of a request subject; empty for anything else."""
        return subjects.source_of(self.subject) or ""
