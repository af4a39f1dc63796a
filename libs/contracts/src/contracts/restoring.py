"""What a restore takes back, where to, and what came of it."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from contracts.names import Source

MOST_KEYS = 1000
MOST_KEY_BYTES = 48 << 10
"""A request on the bus has 64 KiB; ids of Exchange have 70 to 150 characters."""

SelectedKey = Annotated[str, StringConstraints(min_length=1, max_length=512)]


class RestoreSelection(BaseModel):
    """Ids as the restore point lists them. Nothing named = everything.

    `items` and `folders` (mail folders, calendars, contact folders, with all below them) add up; `sources` narrows.
    """

    # Unlike elsewhere on the bus an unknown field is refused: it would narrow what is restored.
    model_config = ConfigDict(frozen=True, extra="forbid")

    items: tuple[SelectedKey, ...] = Field(default=(), max_length=MOST_KEYS)
    folders: tuple[SelectedKey, ...] = Field(default=(), max_length=MOST_KEYS)
    sources: tuple[Source, ...] = ()

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if sum(len(key) + 3 for key in (*self.items, *self.folders)) > MOST_KEY_BYTES:
            raise ValueError(f"ids longer than {MOST_KEY_BYTES} bytes together: name folders, or restore in parts")
        return self


class RestorePlace(StrEnum):
    """Where items go in the mailbox: below a folder of the restore's own, or where they were."""

    FOLDER = "folder"
    ORIGINAL = "original"


class RestoreConflict(StrEnum):
    """What happens to an item that the place has already.

    skip: it is left, and nothing is created; copy: another one is created; replace: the new one is created and
    compared first, then the old one is deleted.
    """

    SKIP = "skip"
    COPY = "copy"
    REPLACE = "replace"


class RestoredSource(BaseModel):
    """Items of one source. In a dry run: what would be created, replaced and skipped."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    source: Source
    selected: int = 0
    created: int = 0
    replaced: int = 0
    skipped: int = Field(default=0, description="there already")
    resumed: int = Field(default=0, description="created by an earlier attempt of the same restore")
    verified: int = Field(default=0, description="read back and equal to what is stored")
    failed: int = 0
    folders_created: int = 0


class RestoreReport(BaseModel):
    """What a restore did, or, as a dry run, would do."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    dry_run: bool = False
    place: RestorePlace = RestorePlace.FOLDER
    conflict: RestoreConflict = RestoreConflict.COPY
    sources: tuple[RestoredSource, ...] = ()
    problems: int = Field(default=0, description="items not restored, or not as they were; the job lists the first")
