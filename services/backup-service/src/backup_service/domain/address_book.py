"""The address book of a tenant: users with a mail address, groups with their members, organisational contacts."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backup_service.domain.canonical import canonical

USER, GROUP, ORG_CONTACT = "user", "group", "org-contact"
KINDS = (USER, GROUP, ORG_CONTACT)

_GUEST = "Guest"
_MEMBERS = "memberIds"


@dataclass(frozen=True)
class Entry:
    """An object of the directory; `document` is Graph's JSON without annotations."""

    id: str
    kind: str
    document: Mapping[str, Any]

    @property
    def is_listed(self) -> bool:
        """Whether people find it in their address book: it has a mail address, and is no guest."""
        if self.kind == GROUP and not self.document.get("mailEnabled"):
            return False
        return bool(self.document.get("mail")) and self.document.get("userType") != _GUEST

    def with_members(self, members: list[str]) -> "Entry":
        return Entry(self.id, self.kind, {**self.document, _MEMBERS: sorted(members)})

    def body(self) -> bytes:
        """What is stored: the same entry gives the same bytes."""
        return canonical(self.document)

    def version(self) -> str:
        """The directory has no change keys: the content is its own version.

        What is empty does not count: it is told of an entry that is read by its id, and not in a delta round.
        """
        told = {name: value for name, value in self.document.items() if value not in (None, "", [])}
        return hashlib.sha256(canonical(told)).hexdigest()[:32]
