"""A user as Microsoft 365 told of it, which may be only what changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contracts.employees import SynchronisedFields


@dataclass(frozen=True)
class DirectoryUser:
    """`given` holds the synchronised fields that were told, by our names; what is not there was not told.

    `guest` is None when nothing was said about it. A change tracked by Graph may name the changed properties alone.
    """

    id: str
    given: Mapping[str, Any]
    guest: bool | None = None

    @property
    def told_whole(self) -> bool:
        """True when every field that has a value was told: the kind of user, which hardly ever changes, is beside them.

        So Graph does by default (learn.microsoft.com/graph/api/user-delta); only `return=minimal` leaves out the rest.
        """
        return self.guest is not None

    def whole(self) -> SynchronisedFields:
        """All fields, when what was not told has no value."""
        return SynchronisedFields(**self.given)

    def over(self, known: SynchronisedFields) -> SynchronisedFields:
        """All fields, when what was not told is as it was."""
        return known.model_copy(update=dict(self.given))
