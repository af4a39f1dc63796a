"""The contacts of a mailbox and the address book of a tenant as vCard files."""

import json
from collections.abc import Iterator

from backup_engine.errors import IntegrityError
from backup_engine.exporting.names import folder_paths, place
from backup_engine.exporting.pieces import File, Piece, Wanted, bodies
from backup_engine.exporting.vcards import contact_card, directory_card
from backup_engine.model import ItemRow
from backup_engine.repository import Repository

CONTACT, CONTACT_FOLDER, PHOTO = "contact", "contact-folder", "contact-photo"
ADDRESS_BOOK_KINDS = ("user", "group", "org-contact")
_PLACE = "contacts"
_ADDRESS_BOOK = "address-book.vcf"


def vcard_files(repository: Repository, shard: str, snapshot: str, wanted: Wanted | None = None) -> Iterator[File]:
    """`contacts/Kunden/Köln.vcf`, a file per contact folder; `address-book.vcf` of what is in the tenant's directory.

    Folders of the same name share a file: not every system tells apart what differs in case only.
    """
    rows = list(repository.items(shard, snapshot))
    folders = {row.key: (str(row.meta["name"]), row.parent) for row in rows if row.kind == CONTACT_FOLDER}
    paths = folder_paths(folders)
    photos = {row.parent: row for row in rows if row.kind == PHOTO}
    files: dict[str, tuple[str, list[ItemRow]]] = {}
    for row in rows:
        folder = paths.get(row.parent, ())
        if row.kind == CONTACT and (wanted is None or wanted(row, folder)):
            name = "/".join([_PLACE, *place(folder or (_PLACE,))])
            files.setdefault(name.casefold(), (f"{name}.vcf", []))[1].append(row)
    for _, (name, chosen) in sorted(files.items()):
        yield name, _contacts(repository, chosen, photos, paths)
    entries = [row for row in rows if row.kind in ADDRESS_BOOK_KINDS and (wanted is None or wanted(row, ()))]
    if entries:
        yield _ADDRESS_BOOK, _entries(repository, entries)


def _contacts(
    repository: Repository, rows: list[ItemRow], photos: dict[str, ItemRow], paths: dict[str, tuple[str, ...]]
) -> Iterator[Piece]:
    for row, body, problem in bodies(repository, rows):
        folder = paths.get(row.parent, ())
        if body is None:
            yield Piece(row, folder, None, problem)
            continue
        photo, missing = _photo(repository, photos.get(row.key))
        kind = str(photos[row.key].meta.get("content_type") or "image/jpeg") if photo is not None else ""
        yield Piece(row, folder, contact_card(json.loads(body), photo, kind), missing)


def _photo(repository: Repository, row: ItemRow | None) -> tuple[bytes | None, str]:
    try:
        return (None, "") if row is None else (repository.read(row), "")
    except IntegrityError as error:
        return None, f"its picture: {error}"


def _entries(repository: Repository, rows: list[ItemRow]) -> Iterator[Piece]:
    for row, body, problem in bodies(repository, rows):
        if body is None:
            yield Piece(row, (), None, problem)
            continue
        entry = json.loads(body)
        yield Piece(row, (), directory_card(entry, entry.get("memberIds") or ()))
