"""Brings a search file up to the restore points of its shard: reads again only what changed."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from backup_engine import IntegrityError, ItemRow, Repository, Snapshot
from backup_service.adapters import search_rows
from backup_service.adapters.search_schema import OPEN
from backup_service.domain.searching.entries import CONTAINERS, entry_of, flags_of, reads_body

_BATCH = 2000  # items looked up, read and written at once
_ADD_TEXT = (
    "INSERT INTO texts (source, date, subject, sender, people, others, files, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_ADD_WORDS = "INSERT INTO words (rowid, subject, sender, people, files, body) VALUES (?, ?, ?, ?, ?, ?)"
_UNUSED_TEXTS = (
    "SELECT id, date, subject, sender, people, others, files, body FROM texts WHERE id NOT IN (SELECT text FROM items)"
)
_DROP_WORDS = (
    "INSERT INTO words (words, rowid, subject, sender, people, files, body) VALUES ('delete', ?, ?, ?, ?, ?, ?)"
)


class Stopped(Exception):
    """The process leaves: what was done so far is thrown away."""


class _Known(NamedTuple):
    """The newest state of an item in the file."""

    id: int
    mark: bytes
    text: int
    source: bytes


class SearchWriter:
    """Writes one file; not thread-safe. `stopping` is asked now and then."""

    def __init__(self, connection: sqlite3.Connection, repository: Repository, stopping: Callable[[], bool]) -> None:
        self._sql = connection
        self._repository = repository
        self._stopping = stopping
        self.read = 0  # items whose bodies were read

    def covers(self) -> list[str]:
        """The restore points in the file, oldest first."""
        return [str(one) for (one,) in self._sql.execute("SELECT id FROM points ORDER BY n")]

    def can_reach(self, points: Sequence[Snapshot]) -> bool:
        """Whether all the file lacks of `points` (oldest first) is newer than all it has: it takes in no older ones."""
        known = set(self.covers())
        lacks = [point.id not in known for point in points]
        return lacks == sorted(lacks)

    def news_since(self, points: Sequence[str]) -> float:
        """The share of the file that the newest of these restore points did not have; 1 if it knows none of them."""
        last = "SELECT max(n) FROM points WHERE id IN (SELECT value FROM json_each(?))"
        (n,) = self._sql.execute(last, (json.dumps(list(points)),)).fetchone()
        new, total = self._sql.execute("SELECT sum(first > ?), count(*) FROM items", (n,)).fetchone()
        return 1.0 if n is None or not total else float(new / total)

    def bring_up(self, points: Sequence[Snapshot]) -> None:
        """Take in what is missing of `points` (of one shard, oldest first) and drop what only others needed.

        Raises Stopped, and what the engine raises when a list of items cannot be read.
        """
        known = set(self.covers())
        for point in points:
            if point.id not in known:
                self._add(point)
        self._drop({point.id for point in points})
        self._sql.commit()

    def _add(self, point: Snapshot) -> None:
        """One restore point on top of those before."""
        (n,) = self._sql.execute("SELECT coalesce(max(n), 0) + 1 FROM points").fetchone()
        self._sql.execute("INSERT INTO points VALUES (?, ?, ?)", (n, point.id, point.taken_at.isoformat()))
        self._sql.execute("CREATE TEMP TABLE IF NOT EXISTS seen (id INTEGER PRIMARY KEY)")
        self._sql.execute("DELETE FROM seen")
        for batch in _batches(self._repository.items(point.shard, point.id)):
            self._take(batch, n)
        gone = "UPDATE items SET last = ? WHERE last = ? AND id NOT IN (SELECT id FROM seen)"
        self._sql.execute(gone, (n - 1, OPEN))

    def _take(self, rows: list[ItemRow], n: int) -> None:
        known = self._known(rows)
        unread = []
        for row in rows:
            found, mark = known.get(row.key), search_rows.mark(row)
            if found is not None and found.mark == mark:
                self._sql.execute("INSERT INTO seen VALUES (?)", (found.id,))
            elif found is not None and found.mark and found.source == search_rows.source(row):
                self._insert(row, found.text, mark, n)
            else:
                unread.append(row)
        for row, body, whole in self._bodies(unread):
            if self._stopping():
                raise Stopped
            # What could not be read has no mark: the next run tries again.
            self._insert(row, self._add_text(row, body), search_rows.mark(row) if whole else b"", n)

    def _known(self, rows: Sequence[ItemRow]) -> dict[str, _Known]:
        query = (
            "SELECT i.key, i.id, i.mark, i.text, t.source FROM json_each(?) k JOIN items i ON i.key = k.value"
            " AND i.last = ? JOIN texts t ON t.id = i.text"
        )
        found = self._sql.execute(query, (json.dumps([row.key for row in rows]), OPEN))
        return {key: _Known(*rest) for key, *rest in found}

    def _bodies(self, rows: list[ItemRow]) -> Iterator[tuple[ItemRow, bytes | None, bool]]:
        """Every row with its body, if its kind is read; False for one the repository does not give back."""
        left = {row.key: row for row in rows if row.has_body and reads_body(row.kind)}
        yield from ((row, None, True) for row in rows if row.key not in left)
        self.read += len(left)
        try:
            for row, body in self._repository.read_many(list(left.values())):
                del left[row.key]
                yield row, body, True
        except IntegrityError:
            for row in left.values():
                yield self._one(row)

    def _one(self, row: ItemRow) -> tuple[ItemRow, bytes | None, bool]:
        try:
            return row, self._repository.read(row), True
        except IntegrityError:
            return row, None, False

    def _insert(self, row: ItemRow, text: int, mark: bytes, n: int) -> None:
        flags = json.dumps(flags_of(row.meta), ensure_ascii=False)
        added = self._sql.execute(
            "INSERT INTO items (key, kind, folder, container, date, size, mark, flags, text, first, last)"
            " SELECT ?, ?, ?, ?, date, ?, ?, ?, id, ?, ? FROM texts WHERE id = ?",
            (row.key, row.kind, row.parent, int(row.kind in CONTAINERS), row.size, mark, flags, n, OPEN, text),
        )
        self._sql.execute("INSERT INTO seen VALUES (?)", (added.lastrowid,))

    def _add_text(self, row: ItemRow, body: bytes | None) -> int:
        entry = entry_of(row.kind, row.meta, body)
        values = (search_rows.source(row), *search_rows.text_row(entry))
        added = self._sql.execute(_ADD_TEXT, values)
        assert added.lastrowid is not None
        self._sql.execute(_ADD_WORDS, (added.lastrowid, *search_rows.word_row(entry)))
        return added.lastrowid

    def _drop(self, kept: set[str]) -> None:
        """Forget restore points that are gone, and what was in them alone."""
        gone = [one for one in self.covers() if one not in kept]
        if not gone:
            return
        self._sql.executemany("DELETE FROM points WHERE id = ?", [(one,) for one in gone])
        self._sql.execute(
            "DELETE FROM items WHERE NOT EXISTS (SELECT 1 FROM points WHERE n BETWEEN items.first AND items.last)"
        )
        for ident, *columns in self._sql.execute(_UNUSED_TEXTS).fetchall():
            self._sql.execute(_DROP_WORDS, (ident, *search_rows.word_row(search_rows.entry(*columns))))
            self._sql.execute("DELETE FROM texts WHERE id = ?", (ident,))


def _batches(rows: Iterable[ItemRow]) -> Iterator[list[ItemRow]]:
    rows = iter(rows)
    while batch := list(islice(rows, _BATCH)):
        yield batch
