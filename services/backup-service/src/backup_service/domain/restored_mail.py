"""Mail in the mailbox that is restored into: what earlier attempts created, and what was there before."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class CreatedMail:
    """A message that an attempt of this restore has created; `replaces` is the one that is to go for it ("" = none)."""

    id: str
    item: str
    replaces: str


@dataclass(frozen=True)
class PresentMail:
    """A message that is in a folder; `message_id` is the internet message id."""

    id: str
    change_key: str
    message_id: str
    sidecar: Mapping[str, Any]
