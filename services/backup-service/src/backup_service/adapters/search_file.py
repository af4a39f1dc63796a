"""An open search file: folders, pages, items, hits and differences, in milliseconds and without any body."""

import json
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from backup_engine.errors import NotFound
from backup_service.adapters import search_rows
from backup_service.adapters.search_schema import OPEN
from backup_service.domain.searching.excerpt import excerpt
from backup_service.domain.searching.found import BadCursor, Difference, Differences, Header, Page, Place
from backup_service.domain.searching.query import Query

_HEADER = (
    "i.id, i.key, i.kind, i.folder, i.size, i.flags, i.first, i.last, "
    "t.date, t.subject, t.sender, t.people, t.others, t.files"
)
_OF_ITEM = 8  # columns of the item; those of its text follow
_FROM = "FROM items i JOIN texts t ON t.id = i.text"
_THERE = "i.first <= :n AND i.last >= :n"
_LIFE = (
    "(SELECT min(j.first) FROM items j WHERE j.text = i.text), (SELECT max(j.last) FROM items j WHERE j.text = i.text)"
)
_ORDER = "ORDER BY i.date DESC, i.id DESC LIMIT :limit"

Values = dict[str, Any]


class SearchFile:
    """Implements ports.SearchFile."""

    def __init__(self, connection: sqlite3.Connection, size: int, version: str) -> None:
        self._sql = connection
        self._lock = threading.Lock()
        self.size = size  # bytes
        self.version = version  # of the derived file it equals, or was brought up from; "" when it could not be stored
        self._points = {str(ident): int(n) for ident, n in connection.execute("SELECT id, n FROM points")}
        self._order = sorted((n, ident) for ident, n in self._points.items())

    def close(self) -> None:
        with self._lock:
            self._sql.close()

    def copy_to(self, path: Path) -> None:
        with self._lock, closing(sqlite3.connect(path)) as copy:
            self._sql.backup(copy)

    def covers(self, point: str) -> bool:
        return point in self._points

    def places(self, point: str) -> list[Place]:
        """Folders, calendars and contact folders with what lies directly in them."""
        values = {"n": self._number(point)}
        inside = {folder: (count, size) for folder, count, size in self._all(_TALLIES, values)}
        return [
            Place(key, kind, name, parent, *inside.get(key, (0, 0)))
            for key, kind, name, parent in self._all(_PLACES, values)
        ]

    def page(self, point: str, folder: str, cursor: str | None, limit: int) -> Page:
        """What lies directly in a folder, newest first."""
        values: Values = {"n": self._number(point), "folder": folder, "limit": limit + 1, **_after(cursor)}
        where = f"i.container = 0 AND i.folder = :folder AND {_THERE} AND (i.date, i.id) < (:date, :id)"
        return self._page(self._all(_select(_HEADER, where, _ORDER), values), limit)

    def item(self, point: str, key: str) -> Header | None:
        values = {"n": self._number(point), "key": key}
        found = self._all(_select(_HEADER, f"i.key = :key AND {_THERE}"), values)
        return self._header(found[0]) if found else None

    def search(self, point: str | None, query: Query, cursor: str | None, limit: int) -> Page:
        """Hits in one restore point or, with None, in all, newest first; each state of an item once."""
        values: Values = {"limit": limit + 1, **_after(cursor)}
        where = ["i.container = 0", "(i.date, i.id) < (:date, :id)"]
        if point is None:
            # Of states that differ in flags or folder only, the newest is shown.
            where.append("NOT EXISTS (SELECT 1 FROM items j WHERE j.text = i.text AND j.id > i.id)")
        else:
            where.append(_THERE)
            values["n"] = self._number(point)
        for condition, added in _conditions(query, frequent=self._is_frequent(query)):
            where.append(condition)
            values |= added
        shown = _HEADER if point else _HEADER.replace("i.first, i.last", _LIFE)
        asked = _select(f"{shown}, t.body", " AND ".join(where), _ORDER)
        return self._page(self._all(asked, values), limit, query.asked_words)

    def _is_frequent(self, query: Query) -> bool:
        """Whether so many items have the words that it is faster to look for them from the newest item on.

        Not for prefixes: what they stand for is put together anew for each item.
        """
        if not query.match or query.has_prefix:
            return False
        return bool(self._all(_COUNT, {"match": query.match, "many": _MANY}) == [(_MANY,)])

    def differences(self, before: str, after: str, change: str | None, cursor: str | None, limit: int) -> Differences:
        """What became of the items between two restore points, in order of their keys."""
        values: Values = {
            "a": self._number(before),
            "b": self._number(after),
            "after": cursor or "",
            "limit": limit + 1,
        }
        values["change"] = change or ""
        counts = dict(self._all(_COUNTED, values))
        rows = self._all(_CHANGED, values)
        headers = self._headers([ident for row in rows[:limit] for ident in row[2:] if ident is not None])
        page = tuple(Difference(key, kind, headers.get(old), headers.get(new)) for key, kind, old, new in rows[:limit])
        return Differences(counts, page, len(rows) > limit)

    def _number(self, point: str) -> int:
        if point not in self._points:
            raise NotFound(f"the search file knows no restore point {point}", key=point)
        return self._points[point]

    def _headers(self, idents: Sequence[int]) -> dict[int | None, Header]:
        values = {"ids": json.dumps(idents)}
        rows = self._all(_select(_HEADER, "i.id IN (SELECT value FROM json_each(:ids))"), values)
        return {row[0]: self._header(row) for row in rows}

    def _page(self, rows: Sequence[tuple[Any, ...]], limit: int, asked: Sequence[str] = ()) -> Page:
        return Page(tuple(self._header(row, asked) for row in rows[:limit]), len(rows) > limit)

    def _header(self, row: tuple[Any, ...], asked: Sequence[str] = ()) -> Header:
        ident, key, kind, folder, size, flags, first, last = row[:_OF_ITEM]
        found = search_rows.entry(*row[_OF_ITEM:])
        return Header(
            key=key,
            kind=kind,
            folder=folder,
            subject=found.subject,
            sender=found.sender,
            to=found.to,
            others=found.others,
            files=found.files,
            date=found.date,
            size=size,
            flags=json.loads(flags),
            first=self._point(first, -1),
            last=self._point(last, 1),
            position=f"{row[_OF_ITEM]}.{ident}",
            excerpt=excerpt(found.text, asked),
        )

    def _point(self, n: int, side: int) -> str:
        """The first or last restore point that is still there between the bounds of an item's state."""
        if side < 0:
            return next((ident for number, ident in self._order if number >= n), "")
        return next((ident for number, ident in reversed(self._order) if number <= n), "")

    def _all(self, query: str, values: Values) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._sql.execute(query, values).fetchall()


_TALLIES = (
    "SELECT i.folder, count(*), sum(i.size) FROM items i"
    " WHERE i.container = 0 AND i.first <= :n AND i.last >= :n GROUP BY i.folder"
)
_PLACES = (
    "SELECT i.key, i.kind, t.subject, i.folder FROM items i JOIN texts t ON t.id = i.text"
    " WHERE i.container = 1 AND i.first <= :n AND i.last >= :n ORDER BY i.key"
)
_CHANGES = """
WITH one AS (SELECT key, folder, id, first <= :a AND last >= :a AS old, first <= :b AND last >= :b AS new FROM items
             WHERE (first <= :a AND last >= :a) != (first <= :b AND last >= :b)),
pairs AS (SELECT key, max(CASE WHEN old THEN id END) AS old, max(CASE WHEN new THEN id END) AS new,
                 max(CASE WHEN old THEN folder END) AS folder_before, max(CASE WHEN new THEN folder END) AS folder_after
          FROM one GROUP BY key),
changes AS (SELECT key, old, new, CASE WHEN old IS NULL THEN 'added' WHEN new IS NULL THEN 'removed'
                   WHEN folder_before != folder_after THEN 'moved' ELSE 'changed' END AS change FROM pairs)
"""
_COUNTED = _CHANGES + "SELECT change, count(*) FROM changes GROUP BY change"  # noqa: S608 - both are written here
_CHANGED = (
    _CHANGES  # noqa: S608 - both are written here
    + "SELECT key, change, old, new FROM changes WHERE key > :after AND (:change = '' OR change = :change)"
    + " ORDER BY key LIMIT :limit"
)


def _select(columns: str, where: str, rest: str = "") -> str:
    """Of items with their texts; what people typed is in the values, never here."""
    return f"SELECT {columns} {_FROM} WHERE {where} {rest}"


def _conditions(query: Query, *, frequent: bool) -> Iterable[tuple[str, Values]]:
    if query.match:
        yield _HAS_WORDS if frequent else _AMONG_HITS, {"match": query.match}
    if query.since is not None:
        yield "i.date >= :since", {"since": _seconds(query.since)}
    if query.until is not None:
        yield "i.date < :until", {"until": _seconds(query.until)}
    if query.has_attachment is not None:
        yield f"{'' if query.has_attachment else 'NOT '}{_HAS_FILE}", {}
    if query.folder:
        yield "i.folder = :folder", {"folder": query.folder}
    if query.kind:
        yield "i.kind = :kind", {"kind": query.kind}


_AMONG_HITS = "t.id IN (SELECT rowid FROM words WHERE words MATCH :match)"
_HAS_WORDS = "EXISTS (SELECT 1 FROM words WHERE words MATCH :match AND rowid = i.text)"
_COUNT = "SELECT count(*) FROM (SELECT rowid FROM words WHERE words MATCH :match LIMIT :many)"
_MANY = 3000
_HAS_FILE = "EXISTS (SELECT 1 FROM json_each(t.files) f WHERE NOT json_extract(f.value, '$.inline'))"


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _after(cursor: str | None) -> Values:
    """Where the page before ended: date and id of its last item."""
    if cursor is None:
        return {"date": OPEN, "id": OPEN}
    date, _, ident = cursor.partition(".")
    try:
        return {"date": int(date), "id": int(ident)}
    except ValueError:
        raise BadCursor from None
