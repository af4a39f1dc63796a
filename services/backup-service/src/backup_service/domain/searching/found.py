"""What a search file answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backup_service.domain.searching.entries import File, People


class BadCursor(Exception):
    """What was given as a cursor ends no page of this list."""


@dataclass(frozen=True)
class Place:
    """A folder, calendar or contact folder with what lies directly in it."""

    key: str
    kind: str
    name: str
    parent: str
    items: int
    bytes: int


@dataclass(frozen=True)
class Header:
    """An item as a list shows it; `first` and `last` are the restore points between which it was like this."""

    key: str
    kind: str
    folder: str
    subject: str
    sender: People
    to: People
    others: People
    files: tuple[File, ...]
    date: datetime | None
    size: int
    flags: Mapping[str, Any]
    first: str
    last: str
    position: str  # where the next page goes on when this item was the last
    excerpt: str = ""


@dataclass(frozen=True)
class Page:
    headers: tuple[Header, ...]
    more: bool


@dataclass(frozen=True)
class Difference:
    """`change` is added, removed, changed or moved (which may be changed, too)."""

    key: str  # where the next page goes on when this was the last
    change: str
    before: Header | None
    after: Header | None


@dataclass(frozen=True)
class Differences:
    counts: Mapping[str, int]
    page: tuple[Difference, ...]
    more: bool
