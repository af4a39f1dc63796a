"""Personal contacts as Graph shows them: folders, the contact's own JSON, and its picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backup_service.domain.canonical import canonical

CONTACT_FOLDER = "contact-folder"
CONTACT = "contact"
PHOTO = "contact-photo"

DEFAULT = ""
"""Stands for the mailbox's own contact folder, which is in no list of folders."""

_PHOTO_SUFFIX = "/photo"
_SIGNATURES = ((b"\x89PNG", "image/png"), (b"GIF8", "image/gif"), (b"BM", "image/bmp"))
_USUAL = "image/jpeg"


@dataclass(frozen=True)
class ContactFolder:
    id: str
    name: str
    parent: str
    """Id of the containing folder; empty directly below the default folder, and of that folder itself."""
    is_default: bool = False


@dataclass(frozen=True)
class Contact:
    """`document` is Graph's JSON of the contact without annotations."""

    id: str
    change_key: str
    folder: str
    document: Mapping[str, Any]

    def body(self) -> bytes:
        """What is stored: the same contact gives the same bytes."""
        return canonical(self.document)


def photo_key(contact: str) -> str:
    """The key of the row that keeps a contact's picture."""
    return contact + _PHOTO_SUFFIX


def contact_of(key: str) -> str:
    """The contact that a contact's or a picture's key belongs to."""
    return key.removesuffix(_PHOTO_SUFFIX)


def image_type(content: bytes) -> str:
    """The media type, told by the first bytes: Graph takes a picture only under its own type."""
    return next((kind for signature, kind in _SIGNATURES if content.startswith(signature)), _USUAL)
