"""The calendars of a mailbox as iCalendar files."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from icalendar import Calendar, Timezone

from backup_engine.errors import IntegrityError
from backup_engine.exporting.ics_events import Attached, components
from backup_engine.exporting.names import part
from backup_engine.exporting.pieces import File, Piece, Wanted, bodies
from backup_engine.model import ItemRow
from backup_engine.repository import Repository

CALENDAR, EVENT, EVENT_ATTACHMENT = "calendar", "event", "event-attachment"
CALENDAR_KINDS = frozenset({CALENDAR, EVENT, EVENT_ATTACHMENT})
_PLACE = "calendars"
_INLINE = 1 << 20
"""Larger attachments lie beside the calendar, as files of their own: programs read an iCalendar file into memory."""
_END = b"END:VCALENDAR\r\n"
_FIRST, _LAST = date(1970, 1, 1), date(2038, 1, 1)


@dataclass
class _File:
    """One file: a calendar, its events, and by event or day what is attached to it."""

    calendar: ItemRow
    path: str
    events: list[ItemRow] = field(default_factory=list)
    large: dict[str, str] = field(default_factory=dict)
    """Paths of attachments that have files of their own, by key."""

    @property
    def folder(self) -> tuple[str, ...]:
        return (str(self.calendar.meta.get("name") or ""),)


def ics_files(repository: Repository, shard: str, snapshot: str, wanted: Wanted | None = None) -> Iterator[File]:
    """`calendars/Kalender.ics`, a file per calendar, and files of their own for large attachments.

    Calendars of one name get a number, as not every system tells apart what differs in case only.
    """
    rows = list(repository.items(shard, snapshot))
    files = _named([row for row in rows if row.kind == CALENDAR])
    for row in rows:
        file = files.get(row.parent)
        if row.kind == EVENT and file is not None and (wanted is None or wanted(row, file.folder)):
            file.events.append(row)
    attached: defaultdict[str, list[ItemRow]] = defaultdict(list)
    for row in rows:
        if row.kind == EVENT_ATTACHMENT:
            attached[str(row.meta.get("event") or row.parent)].append(row)
    for file in files.values():
        if file.events or wanted is None:
            yield from _written(repository, file, attached)


def _written(repository: Repository, file: _File, attached: Mapping[str, list[ItemRow]]) -> Iterator[File]:
    large = [row for event in file.events for row in attached.get(event.key, ()) if row.size > _INLINE]
    for number, row in enumerate(large, start=1):
        name = part(str(row.meta.get("name") or ""), "attachment")
        file.large[row.key] = f"{file.path.removesuffix('.ics')} attachments/{number:06d} {name}"
    yield file.path, _pieces(repository, file, attached)
    for row in large:
        yield file.large[row.key], _whole(repository, row, file.folder)


def _named(calendars: list[ItemRow]) -> dict[str, _File]:
    taken: set[str] = set()
    files: dict[str, _File] = {}
    for row in sorted(calendars, key=lambda row: (not row.meta.get("is_default"), str(row.meta.get("name")), row.key)):
        base = part(str(row.meta.get("name") or ""), "calendar")
        name, number = base, 1
        while name.casefold() in taken:
            number += 1
            name = f"{base} ({number})"
        taken.add(name.casefold())
        files[row.key] = _File(row, f"{_PLACE}/{name}.ics")
    return files


def _pieces(repository: Repository, file: _File, attached: Mapping[str, list[ItemRow]]) -> Iterator[Piece]:
    """The head with the calendar, then the events; the end with the last of what could be written."""
    held = Piece(file.calendar, (), _head(file.calendar))
    zones: set[str] = set()
    for row, body, problem in bodies(repository, file.events):
        if body is None:
            yield Piece(row, file.folder, None, problem)
            continue
        try:
            data, missing = _event(repository, file, json.loads(body), attached.get(row.key, []), zones)
        except (KeyError, TypeError, ValueError, AssertionError) as error:  # the library asserts what it can write
            yield Piece(row, file.folder, None, f"cannot be written as iCalendar: {type(error).__name__}")
            continue
        yield held
        held = Piece(row, file.folder, data, missing)
    yield replace(held, data=(held.data or b"") + _END)


def _head(row: ItemRow) -> bytes:
    calendar = Calendar()
    calendar.add("prodid", "-//Tenantkeep//Tenantkeep//EN")
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("x-wr-calname", str(row.meta.get("name") or ""))
    if row.meta.get("hexColor"):
        calendar.add("x-apple-calendar-color", str(row.meta["hexColor"]))
    written: bytes = calendar.to_ical()
    return written.removesuffix(_END)


def _event(
    repository: Repository, file: _File, stored: Mapping[str, Any], rows: list[ItemRow], zones: set[str]
) -> tuple[bytes, str]:
    """The components of an event, behind those of its time zone the first time; and which attachments are damaged."""
    attached: defaultdict[str, list[Attached]] = defaultdict(list)
    damaged: list[str] = []
    for row in rows:
        try:
            attached[row.parent].append(_attached(repository, file, row))
        except IntegrityError as error:
            damaged.append(f"its attachment {row.key}: {error}")
    place, found = components(stored["event"], stored["exceptions"], stored["cancelled"], attached)
    data = b"".join(component.to_ical() for component in found)
    if isinstance(place.zone, ZoneInfo) and place.zone.key not in {"UTC", *zones}:
        zones.add(place.zone.key)
        data = Timezone.from_tzinfo(place.zone, place.zone.key, _FIRST, _LAST).to_ical() + data
    return data, "; ".join(damaged)


def _attached(repository: Repository, file: _File, row: ItemRow) -> Attached:
    name = str(row.meta.get("name") or "attachment")
    kind = str(row.meta.get("content_type") or "")
    if row.meta.get("attachment_type") == "reference":
        return Attached(name, kind, link=str(row.meta.get("source_url") or f"about:blank#{quote(name)}"))
    if row.key in file.large:
        return Attached(name, kind, link=quote(file.large[row.key].removeprefix(f"{_PLACE}/")))
    if row.meta.get("attachment_type") == "item":
        return Attached(f"{name}.eml", "message/rfc822", repository.read(row))
    return Attached(name, kind or "application/octet-stream", repository.read(row))


def _whole(repository: Repository, row: ItemRow, folder: tuple[str, ...]) -> Iterator[Piece]:
    for found, body, problem in bodies(repository, [row]):
        yield Piece(found, folder, body, problem)
