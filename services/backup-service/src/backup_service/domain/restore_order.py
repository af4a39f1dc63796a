"""What a restore job restores, where to, and what it does with what is there already."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from contracts.names import Source
from contracts.restoring import RestoreConflict, RestorePlace, RestoreSelection


@dataclass(frozen=True)
class RestoreOrder:
    """One restore point into one mailbox.

    `target_user` is an object id or address, `target_folder` the name of a folder below the mailbox's root ("" = one
    named after the restore point).
    """

    configuration: str
    shard: str
    restore_point: str
    target_user: str
    target_folder: str = ""
    place: RestorePlace = RestorePlace.FOLDER
    conflict: RestoreConflict = RestoreConflict.COPY
    selection: RestoreSelection = field(default_factory=RestoreSelection)
    dry_run: bool = False

    @property
    def compares(self) -> bool:
        """True when what is in the mailbox already decides what happens."""
        return self.conflict is not RestoreConflict.COPY

    @property
    def excludes_others(self) -> bool:
        """True when a second one at the same time could take what the first one creates for what was there."""
        return self.compares and not self.dry_run

    @property
    def top(self) -> str:
        """Name of the folder everything goes below; empty for the original place."""
        if self.place is RestorePlace.ORIGINAL:
            return ""
        return self.target_folder or f"Restored {self.restore_point}"

    def asks_for(self, source: Source) -> bool:
        return not self.selection.sources or source in self.selection.sources

    def document(self) -> dict[str, Any]:
        """Plain values, as a job document keeps them."""
        text = {"place": self.place.value, "conflict": self.conflict.value}
        return {**asdict(self), **text, "selection": self.selection.model_dump(mode="json")}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """Read a document of this release or the one before, which knew neither selection nor conflict."""
        order = cls(**document)
        return cls(
            **{
                **vars(order),
                "place": RestorePlace(order.place),
                "conflict": RestoreConflict(order.conflict),
                "selection": RestoreSelection.model_validate(order.selection),
            }
        )
