"""What restore points hold, as workers show it: read from the repository, kept in no document, event or log."""

from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, Field, StringConstraints

from contracts.names import Token
from contracts.views import View

ItemKey = Annotated[str, StringConstraints(pattern=r"^[^\s/?#\\]{1,512}$")]
"""Id of an item or folder in its restore point: the immutable id of Microsoft Graph."""


class ItemKind(StrEnum):
    """What a search can be narrowed to."""

    MAIL = "mail"
    EVENT = "event"
    EVENT_ATTACHMENT = "event-attachment"
    CONTACT = "contact"
    USER = "user"
    GROUP = "group"
    ORG_CONTACT = "org-contact"


SHOWN = 5
"""People and attachments of an item that a list shows; `recipients` and `attachment_count` say how many there are."""


class Folder(View):
    """A mail folder, calendar or contact folder; `items` and `bytes` count what lies directly in it."""

    id: str
    kind: str
    name: str
    path: tuple[str, ...] = Field(description="names from the top, its own last")
    parent: str
    items: int
    bytes: int


class Person(View):
    name: str = ""
    address: str


class AttachmentHeader(View):
    """`number` counts from 1 and opens its download; None for what has no bytes, such as a link."""

    number: int | None = None
    name: str
    content_type: str = ""
    size: int | None = Field(default=None, description="bytes")
    inline: bool = False


class Item(View):
    """An item without its body. In a search over all restore points `first_seen` and `last_seen` say where it is."""

    id: str
    kind: str = Field(description="mail, event, contact, …")
    folder: str
    subject: str = ""
    sender: Person | None = Field(default=None, description="sender of a mail, organizer of an event")
    to: tuple[Person, ...] = ()
    recipients: int = Field(default=0, description="how many it has, Cc and Bcc included")
    date: AwareDatetime | None = None
    size: int = Field(description="bytes")
    read: bool = False
    draft: bool = False
    flagged: bool = False
    importance: str = ""
    categories: tuple[str, ...] = ()
    attachments: tuple[AttachmentHeader, ...] = ()
    attachment_count: int = 0
    first_seen: Token
    last_seen: Token
    excerpt: str = Field(default="", description="of its text, around what was searched for")


class Message(View):
    """A mail, event or contact to look at: as text, and as HTML that can do nothing and loads nothing."""

    item: Item
    cc: tuple[Person, ...] = ()
    bcc: tuple[Person, ...] = ()
    reply_to: tuple[Person, ...] = ()
    text: str
    html: str = Field(default="", description="sanitised; empty for an item without HTML")
    truncated: bool = Field(default=False, description="longer than can be shown: download it")


class ItemChange(StrEnum):
    """Between two restore points. Moved is in another folder, and perhaps changed, too."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MOVED = "moved"


class ChangedItem(View):
    change: ItemChange
    before: Item | None = None
    after: Item | None = None


class Comparison(View):
    """What differs from the earlier restore point to the later one: all counts, and one page of items."""

    earlier: Token
    later: Token
    added: int = 0
    removed: int = 0
    changed: int = 0
    moved: int = 0
    items: tuple[ChangedItem, ...] = ()
    cursor: str | None = None
