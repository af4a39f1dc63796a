"""What people do with the contacts of a simulated mailbox, and what a faultless backup of them holds."""

import json
import sqlite3
from typing import Any

from backup_service.domain.contacts import photo_key
from graph_simulator import contacts
from graph_simulator.identifiers import change_key
from graph_simulator.seed.contacts import ContactGenerator

PICTURE = b"\x89PNG\r\n\x1a\n"


class People:
    """The contacts of one mailbox; numbers choose among what there is."""

    def __init__(self, connection: sqlite3.Connection, user_pk: int) -> None:
        self._connection = connection
        self._user = user_pk
        self._writer = ContactGenerator(3)
        self._written = 0

    def create(self, folder: int = 0, *, photo: bool = False) -> str:
        """A new contact; its immutable id."""
        self._written += 1
        properties = contacts.with_names(self._writer.contact(self._written, ()).properties)
        pk = contacts.insert(self._connection, self._user, self._folder(folder)["pk"], properties, {})
        if photo:
            picture = PICTURE + str(self._written).encode()
            contacts.set_photo(self._connection, contacts.by_pk(self._connection, pk), picture, "image/png")
        return str(contacts.by_pk(self._connection, pk)["immutable_id"])

    def edit(self, number: int) -> None:
        if row := self._contact(number):
            contacts.update(self._connection, row, {"personalNotes": f"edited in {row['seq']}"}, {})

    def picture(self, number: int) -> None:
        if row := self._contact(number):
            contacts.set_photo(self._connection, row, PICTURE + str(row["seq"]).encode(), "image/png")

    def move(self, number: int, folder: int) -> None:
        if (row := self._contact(number)) and self._folder(folder)["pk"] != row["folder_pk"]:
            contacts.move(self._connection, row, self._folder(folder)["pk"])

    def delete(self, number: int) -> None:
        if row := self._contact(number):
            contacts.delete(self._connection, row)

    def add_folder(self, name: str, below: int = 0) -> None:
        contacts.create_folder(self._connection, self._user, self._folder(below)["pk"], name, twin=True)

    def rename_folder(self, number: int, name: str) -> None:
        folder = self._folder(number)
        if folder["parent_pk"] is not None:
            contacts.rename_folder(self._connection, folder, f"{name} {folder['seq']}")

    def delete_folder(self, number: int) -> None:
        folder = self._folder(number)
        if folder["parent_pk"] is not None:
            contacts.delete_folder(self._connection, folder)

    def mirror(self) -> dict[str, Any]:
        """Contacts by immutable id with folder, change key and what Graph says of them; pictures by their key."""
        found: dict[str, Any] = {}
        for row in self._rows():
            folder = contacts.folder_by_pk(self._connection, row["folder_pk"])["id"]
            found[row["immutable_id"]] = (folder, change_key(row["seq"]), json.loads(row["properties"]))
            if row["photo"] is not None:
                found[photo_key(row["immutable_id"])] = row["photo"]
        return found

    def folders(self) -> dict[str, str]:
        """Names of the folders by id; the default folder is not among them, as in Graph."""
        return {row["id"]: row["name"] for row in self._tree() if row["parent_pk"] is not None}

    def _rows(self) -> list[sqlite3.Row]:
        return self._connection.execute("SELECT * FROM contact WHERE user_pk = ? ORDER BY pk", (self._user,)).fetchall()

    def _contact(self, number: int) -> sqlite3.Row | None:
        rows = self._rows()
        return rows[number % len(rows)] if rows else None

    def _tree(self) -> list[sqlite3.Row]:
        contacts.default_folder(self._connection, self._user)
        return self._connection.execute(
            "SELECT * FROM contact_folder WHERE user_pk = ? ORDER BY pk", (self._user,)
        ).fetchall()

    def _folder(self, number: int) -> sqlite3.Row:
        rows = self._tree()
        return rows[number % len(rows)]


def stored(repository: Any, shard: str, snapshot: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The contacts of a restore point in the form of `People.mirror`, and its folders in that of `People.folders`."""
    found: dict[str, Any] = {}
    folders: dict[str, str] = {}
    for row in repository.items(shard, snapshot):
        if row.kind == "contact-folder":
            assert row.meta["is_default"] == (row.meta["name"] == contacts.DEFAULT_NAME)
            if not row.meta["is_default"]:
                folders[row.key] = row.meta["name"]
        elif row.kind == "contact-photo":
            assert (row.key, row.meta["content_type"]) == (photo_key(row.parent), "image/png")
            found[row.key] = repository.read(row)
        elif row.kind == "contact":
            document = json.loads(repository.read(row))
            assert (document["id"], document["changeKey"]) == (row.key, row.version)
            kept = {name: value for name, value in document.items() if value not in (None, [], {}, "")}
            found[row.key] = (row.parent, row.version, kept)
    return found, folders


def told(mirror: dict[str, Any]) -> dict[str, Any]:
    """Leave out what only one side says: empty properties, and those Graph adds."""
    added = ("id", "changeKey", "parentFolderId", "createdDateTime", "lastModifiedDateTime")

    def plain(value: Any) -> Any:
        if not isinstance(value, tuple):
            return value
        folder, version, document = value
        kept = {n: v for n, v in document.items() if v not in (None, [], {}, "") and n not in added}
        return folder, version, kept

    return {key: plain(value) for key, value in mirror.items()}
