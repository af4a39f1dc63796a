"""One page of what changed, in any source that tracks changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class ChangePage(Generic[T]):
    """One delta page of one folder or kind; `removed` are ids, and exactly one of the links is set."""

    items: Sequence[T]
    removed: Sequence[str] = ()
    next_link: str | None = None
    delta_link: str | None = None

    @property
    def link(self) -> str:
        """The link to go on from."""
        return self.next_link or self.delta_link or ""
