"""What a search file found, as the contracts show it: bounded, so that a page fits into one answer."""

from collections.abc import Iterable, Sequence

from backup_service.domain.mime import ParsedMail
from backup_service.domain.rendering import Shown
from backup_service.domain.searching.entries import File, People
from backup_service.domain.searching.found import Header, Place
from contracts.browsing import SHOWN, AttachmentHeader, Folder, Item, Message, Person

_NAME = 200  # characters of a name, an address, a category
_SUBJECT = 500
_ALL = 500  # people or attachments of the one item that is looked at


def folders(places: Iterable[Place]) -> list[Folder]:
    """With their paths, in order of these; a parent that is none of them is the top."""
    known = {place.key: place for place in places}
    found = [_folder(place, _path(place, known)) for place in known.values()]
    return sorted(found, key=lambda folder: ([name.casefold() for name in folder.path], folder.id))


def _folder(place: Place, path: tuple[str, ...]) -> Folder:
    return Folder(
        id=place.key, kind=place.kind, name=place.name[:_NAME], path=path, parent=place.parent,
        items=place.items, bytes=place.bytes,
    )  # fmt: skip


def _path(place: Place, known: dict[str, Place]) -> tuple[str, ...]:
    path: list[str] = []
    seen: set[str] = set()
    current: Place | None = place
    while current is not None and current.key not in seen:
        seen.add(current.key)
        path.append(current.name[:_NAME])
        current = known.get(current.parent)
    return tuple(reversed(path))


def item(header: Header, *, whole: bool = False) -> Item:
    """As a list shows it or, `whole`, with all people and attachments."""
    limit = _ALL if whole else SHOWN
    return Item(
        id=header.key,
        kind=header.kind,
        folder=header.folder,
        subject=header.subject[:_SUBJECT],
        sender=next(iter(people(header.sender, 1)), None),
        to=people(header.to, limit),
        recipients=len(header.to) + len(header.others),
        date=header.date,
        size=header.size,
        read=bool(header.flags.get("read")),
        draft=bool(header.flags.get("draft")),
        flagged=bool(header.flags.get("flagged")),
        importance=str(header.flags.get("importance") or ""),
        categories=tuple(str(one)[:_NAME] for one in header.flags.get("categories", ())[:limit]),
        attachments=attachments(header.files)[:limit],
        attachment_count=len(header.files),
        first_seen=header.first,
        last_seen=header.last,
        excerpt=header.excerpt,
    )


def message(header: Header, shown: Shown, mail: ParsedMail | None) -> Message:
    found = Message(item=item(header, whole=True), text=shown.text, html=shown.html, truncated=shown.truncated)
    if mail is None:
        return found
    others = {"cc": mail.cc, "bcc": mail.bcc, "reply_to": mail.reply_to}
    return found.model_copy(update={name: people(value, _ALL) for name, value in others.items()})


def people(found: People, limit: int) -> tuple[Person, ...]:
    return tuple(Person(name=name[:_NAME], address=address[:_NAME]) for name, address in found[:limit])


def attachments(files: Sequence[File]) -> tuple[AttachmentHeader, ...]:
    """Those with bytes are numbered as `ParsedMail.attachments` is."""
    return tuple(
        AttachmentHeader(
            number=None if file.size is None else number,
            name=file.name[:_NAME],
            content_type=file.content_type[:_NAME],
            size=file.size,
            inline=file.inline,
        )
        for number, file in enumerate(files, start=1)
    )
