"""A question in words, as the index asks it."""

import re
from dataclasses import dataclass
from datetime import datetime

from backup_service.domain.searching.fold import words

_PIECES = re.compile(r'"([^"]*)"?|(\S+)')


@dataclass(frozen=True)
class Query:
    """Everything that is given must hold. `since` is included, `until` is not."""

    text: str = ""  # anywhere in the item: words, "a phrase", begin*
    subject: str = ""
    sender: str = ""  # who it comes from
    people: str = ""  # anybody in it
    attachment: str = ""  # in the name of one
    since: datetime | None = None
    until: datetime | None = None
    has_attachment: bool | None = None
    folder: str = ""
    kind: str = ""

    @property
    def match(self) -> str:
        """The expression of the full-text index; empty when no words are asked for."""
        asked = (
            ("", self.text),
            ("subject", self.subject),
            ("sender", self.sender),
            ("people", self.people),
            ("files", self.attachment),
        )
        return " AND ".join(part for column, text in asked for part in _expressions(text, column))

    @property
    def has_prefix(self) -> bool:
        return self.match.endswith("*") or " * AND" in self.match

    @property
    def asked_words(self) -> list[str]:
        """Folded, for excerpts."""
        return words(self.text)


def _expressions(text: str, column: str) -> list[str]:
    """One for each word or phrase. Words are quoted, so that nothing a person types is syntax."""
    where = f"{column} : " if column else ""
    found = []
    for match in _PIECES.finditer(text):
        piece = match[2] or match[1]
        folded = words(piece)
        if folded:
            begins = match[2] is not None and piece.endswith("*")
            found.append(f'{where}"{" ".join(folded)}"{" *" if begins else ""}')
    return found
