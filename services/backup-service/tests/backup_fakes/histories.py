"""What people do in a mailbox, act by act, and what a faultless backup then holds: one class per source."""

from typing import Any, Protocol, TypeAlias

from backup_fakes.exchange import ANNA, DELETIONS, Exchange
from backup_service.domain.mail import FOLDER, MAIL
from graph_client.errors import ItemUnreadable

Row: TypeAlias = tuple[str, str, str, dict[str, Any], bytes | None]
"""Kind, parent, version, meta and bytes of a stored row."""


class People(Protocol):
    """Acts on Anna's data: methods that take two numbers; one that has nothing to act on does nothing."""

    ACTS: tuple[str, ...]

    def __init__(self, exchange: Exchange) -> None: ...

    def truth(self) -> dict[str, Row]:
        """Every row of a faultless backup, by key."""
        ...

    def damage(self, pick: int, _other: int = 0) -> None:
        """Make an item unreadable."""
        ...

    def calm(self) -> None:
        """Nothing is unreadable any more, and nothing vanishes."""
        ...


class MailPeople:
    """Mail and its folders."""

    ACTS = (
        "add",
        "touch",
        "flag",
        "link",
        "move",
        "delete",
        "delete_for_good",
        "add_folder",
        "delete_folder",
        "rename_folder",
        "damage",
        "mend",
        "vanish",
        "overlook",
        "expire",
    )

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self._number = 0

    def truth(self) -> dict[str, Row]:
        mails = self.exchange.mirror(ANNA).items()
        rows: dict[str, Row] = {key: (MAIL, at, version, meta, mime) for key, (at, version, mime, meta) in mails}
        names = {folder: name for (user, name), folder in self.exchange.well_known.items() if user == ANNA}
        for folder in self.exchange.folders[ANNA].values():
            meta: dict[str, Any] = {"name": folder.name, "hidden": folder.hidden}
            name = names.get(folder.id)
            meta |= {"recoverable": True} if name == DELETIONS else {"well_known": name} if name else {}
            rows[folder.id] = (FOLDER, folder.parent, "", meta, None)
        return rows

    def calm(self) -> None:
        self.exchange.unreadable.clear()
        self.exchange.vanishing.clear()

    def _letter(self, pick: int) -> str | None:
        found = sorted(self.exchange.letters[ANNA])
        return found[pick % len(found)] if found else None

    def _folder(self, pick: int) -> str | None:
        apart = self.exchange.well_known[ANNA, DELETIONS]
        found = sorted(self.exchange.folders[ANNA].keys() - {apart})
        return found[pick % len(found)] if found else None

    def add(self, pick: int, other: int) -> None:
        self._number += 1
        if folder := self._folder(pick):
            body = f"Subject: {self._number}\r\n\r\n{self._number}\r\n".encode() * (1 + 40 * (other % 3))
            self.exchange.add(ANNA, folder, body, isDraft=other % 5 == 0)

    def touch(self, pick: int, _other: int) -> None:
        self._number += 1
        if letter := self._letter(pick):
            self.exchange.touch(ANNA, letter, f"Subject: touched\r\n\r\n{self._number}\r\n".encode())

    def flag(self, pick: int, other: int) -> None:
        # A read state alone leaves the change key as it is: only change tracking can tell of it.
        letter = self._letter(pick)
        if letter and letter not in self.exchange.forgotten:
            self.exchange.read(ANNA, letter, is_read=bool(other % 2))

    def link(self, pick: int, other: int) -> None:
        if letter := self._letter(pick):
            self.exchange.references[letter] = [{"name": f"{other}.docx", "content_type": None, "size": other}]
            self.exchange.touch(ANNA, letter, hasAttachments=True)

    def move(self, pick: int, where: int) -> None:
        self._move(self._letter(pick), self._folder(where))

    def delete_for_good(self, pick: int, _other: int) -> None:
        self._move(self._letter(pick), self.exchange.well_known[ANNA, DELETIONS])

    def _move(self, letter: str | None, folder: str | None) -> None:
        if letter and folder and self.exchange.letters[ANNA][letter].folder != folder:
            self.exchange.move(ANNA, letter, folder)

    def delete(self, pick: int, _other: int) -> None:
        if letter := self._letter(pick):
            self.exchange.delete(ANNA, letter)

    def add_folder(self, pick: int, other: int) -> None:
        parent = self._folder(pick) or "" if pick % 2 else ""
        self.exchange.add_folder(ANNA, f"Folder {pick}", parent, hidden=other % 4 == 0)

    def delete_folder(self, pick: int, _other: int) -> None:
        if folder := self._folder(pick):
            self.exchange.delete_folder(ANNA, folder)

    def rename_folder(self, pick: int, other: int) -> None:
        if folder := self._folder(pick):
            self.exchange.rename_folder(ANNA, folder, f"Renamed {other}")

    def damage(self, pick: int, _other: int = 0) -> None:
        if letter := self._letter(pick):
            self.exchange.unreadable[letter] = ItemUnreadable("damaged")

    def mend(self, _pick: int, _other: int) -> None:
        self.exchange.unreadable.clear()

    def vanish(self, pick: int, _other: int) -> None:
        if letter := self._letter(pick):
            self.exchange.vanishing.add(letter)

    def overlook(self, pick: int, _other: int) -> None:
        """A mail changes, and change tracking never tells, nor of what happens to the mail afterwards."""
        if letter := self._letter(pick):
            self.exchange.touch(ANNA, letter)
            self.exchange.forgotten.add(letter)

    def expire(self, _pick: int, _other: int) -> None:
        self.exchange.expire()


PEOPLE: tuple[type[People], ...] = (MailPeople,)
"""One class for each source whose histories are tried."""
