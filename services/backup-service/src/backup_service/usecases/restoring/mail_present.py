"""Which mail of the mailbox is the one that is to be restored; every one stands for one item at most."""

from collections import defaultdict
from collections.abc import Collection, Iterable

from backup_engine.model import ItemRow
from backup_service.domain.restored_mail import PresentMail


class Present:
    """Mail that was in the places before this restore.

    `reserved` are ids that items of the order have themselves: such a mail stands for that item and for no other.
    """

    def __init__(self, reserved: Collection[str]) -> None:
        self._reserved = reserved
        self._taken: set[str] = set()
        self._by_id: dict[tuple[str, str], PresentMail] = {}
        self._by_message_id: dict[tuple[str, str], list[PresentMail]] = defaultdict(list)

    def add(self, place: str, mails: Iterable[PresentMail]) -> None:
        for mail in mails:
            if (place, mail.id) in self._by_id:
                continue
            self._by_id[place, mail.id] = mail
            if mail.message_id and mail.id not in self._reserved:
                self._by_message_id[place, mail.message_id].append(mail)

    def itself(self, place: str | None, row: ItemRow) -> PresentMail | None:
        """The item itself: its immutable id."""
        return None if place is None else self._by_id.get((place, row.key))

    def alike(self, place: str | None, row: ItemRow) -> list[PresentMail]:
        """Mail with the same internet message id that stands for nothing else."""
        found = [] if place is None else self._by_message_id.get((place, message_id(row)), [])
        return [mail for mail in found if mail.id not in self._taken]

    def candidates(self, place: str | None, row: ItemRow) -> list[PresentMail]:
        own = self.itself(place, row)
        return [*([own] if own else []), *self.alike(place, row)]

    def take(self, mail: PresentMail) -> bool:
        """Let it stand for an item from now on; False when it does so already."""
        if mail.id in self._taken:
            return False
        self._taken.add(mail.id)
        return True


def is_unchanged(mail: PresentMail | None, row: ItemRow) -> bool:
    """True for the item in the very state that is stored."""
    return mail is not None and (mail.id, mail.change_key) == (row.key, row.version)


def message_id(row: ItemRow) -> str:
    return str(row.meta.get("internetMessageId") or "")
