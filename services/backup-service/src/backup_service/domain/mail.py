"""Mail as Graph shows it, reduced to what is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAIL = "mail"
FOLDER = "folder"


@dataclass(frozen=True)
class Mailbox:
    """A user with a mailbox. `id` is the Entra object id, `address` what people recognise."""

    id: str
    address: str


@dataclass(frozen=True)
class Folder:
    id: str
    name: str
    parent: str
    """Id of the containing folder; empty below the mailbox's root."""
    hidden: bool
    total: int
    """Items the source counts in it."""
    recoverable: bool = False
    """It holds what people have deleted for good and Exchange still keeps; people see none of it."""


@dataclass(frozen=True)
class Message:
    """A message of a delta page: its identity, its change mark and the sidecar kept beside the MIME.

    Of a message whose read state alone has changed Exchange may tell no more than that (microsoft-graph-docs#7776):
    then the change key is "" and the sidecar has what was told. The change key covers everything but the read state.
    """

    id: str
    change_key: str
    folder: str
    sidecar: Mapping[str, Any]

    @property
    def partial(self) -> bool:
        return not self.change_key


@dataclass(frozen=True)
class MailReferences:
    """Of one mail with attachments, in the version `change_key`: those that are links into a cloud storage."""

    id: str
    change_key: str
    references: Sequence[Mapping[str, Any]]
    """name, content_type and size of each."""


@dataclass(frozen=True)
class ReferencesPage:
    mails: tuple[MailReferences, ...]
    next_link: str | None


SIDECAR_FIELDS = (
    "categories",
    "flag",
    "importance",
    "inferenceClassification",
    "isDraft",
    "isRead",
    "receivedDateTime",
    "sentDateTime",
    "createdDateTime",
    "internetMessageId",
    "conversationId",
    "hasAttachments",
)
"""What MIME does not carry reliably: Exchange regenerates MIME, these are the item's own properties."""
