"""The item table in storage: runs of segments, and their merge as streams (format, section 7)."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from operator import itemgetter

from backup_engine import names, rows
from backup_engine.errors import IntegrityError
from backup_engine.header import Kind
from backup_engine.model import ItemRow
from backup_engine.sealed import SealedObjects

Change = bytes | None  # a packed row, or None for a removed item
Changes = Iterable[tuple[str, Change]]  # in ascending order of key, each key once

_SEGMENT = 1 << 20  # bytes of rows after which the next segment of a run begins
_PORTION = 256  # rows of a run merged at once


def write_run(objects: SealedObjects, shard: str, session: str, seq: int, changes: Changes) -> tuple[str, ...]:
    """Write changes as run `seq` of the session; the names of its segments, none for no changes."""
    written = []
    for part, chunk in enumerate(_chunks(changes)):
        name = names.segment(shard, session, seq, part)
        objects.put(name, Kind.SEGMENT, {"shard": shard, "session": session, "rows": chunk})
        written.append(name)
    return tuple(written)


def runs(segments: Sequence[str]) -> list[tuple[str, ...]]:
    """The segments of a snapshot or checkpoint grouped into runs, newest run first."""
    return [tuple(run) for _, run in groupby(segments, key=names.segment_run)]


def read_run(objects: SealedObjects, segments: Iterable[str], *, kept: bool = False) -> Iterator[tuple[str, Change]]:
    """The changes of one run, one segment in memory at a time; `kept` as in SealedObjects. Raises IntegrityError."""
    last: str | None = None
    for name in segments:
        payload = objects.require(name, Kind.SEGMENT, kept=kept)
        try:
            for key, change in payload["rows"]:
                if last is not None and key <= last:
                    raise IntegrityError(f"the rows of {name} are not in order", key=name)
                last = key
                yield key, change
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError(f"{name} is no manifest segment", key=name) from error


def merge(newest_first: Sequence[Changes]) -> Iterator[tuple[str, Change]]:
    """One stream of several: per key what the newest says, removals included."""
    if len(newest_first) == 1:
        return iter(newest_first[0])
    return _merged([_Feed(iter(changes)) for changes in reversed(newest_first)])


class _Feed:
    """The next portion of a stream; `last` is its greatest key, None at the end."""

    def __init__(self, changes: Iterator[tuple[str, Change]]) -> None:
        self._changes = changes
        self._rows: list[tuple[str, Change]] = []
        self.last: str | None = None
        self.fill()

    def fill(self) -> None:
        if not self._rows:
            self._rows = list(islice(self._changes, _PORTION))
            self.last = self._rows[-1][0] if self._rows else None

    def take(self, upto: str) -> list[tuple[str, Change]]:
        """Those up to a key, which is included."""
        at = bisect_right(self._rows, upto, key=itemgetter(0))
        taken, self._rows = self._rows[:at], self._rows[at:]
        return taken


def _merged(oldest_first: list[_Feed]) -> Iterator[tuple[str, Change]]:
    """Portion by portion: sorting what is sorted already in parts takes a fraction of a heap's time."""
    feeds = oldest_first
    while feeds := [feed for feed in feeds if feed.last is not None]:
        bound = min(feed.last for feed in feeds if feed.last is not None)
        found: dict[str, Change] = {}
        for feed in feeds:
            found.update(feed.take(bound))
            feed.fill()
        yield from sorted(found.items(), key=itemgetter(0))


def items(objects: SealedObjects, segments: Sequence[str], kind: str | None = None) -> Iterator[ItemRow]:
    """The rows of a restore point in order of key; those of other kinds than `kind` are not even unpacked.

    Raises IntegrityError when a segment is missing or damaged.
    """
    begin = b"" if kind is None else rows.begins_like(kind)
    for key, change in merge([read_run(objects, run) for run in runs(segments)]):
        if change is not None and change.startswith(begin):
            yield rows.unpack(key, change)


def find(objects: SealedObjects, segments: Sequence[str], key: str) -> ItemRow | None:
    """One row of a restore point: a few segments of each run are read, newest run first. Raises IntegrityError."""
    for run in runs(segments):
        for change in _in_run(objects, run, key):
            return None if change is None else rows.unpack(key, change)
    return None


def _in_run(objects: SealedObjects, run: Sequence[str], key: str) -> Iterator[Change]:
    """What a run says of a key, if anything: its rows ascend from part to part."""
    first, last = 0, len(run) - 1
    while first <= last:
        middle = (first + last) // 2
        part = list(read_run(objects, run[middle : middle + 1]))
        if part and key < part[0][0]:
            last = middle - 1
        elif part and key > part[-1][0]:
            first = middle + 1
        else:
            at = bisect_left(part, key, key=itemgetter(0))
            if at < len(part) and part[at][0] == key:
                yield part[at][1]
            return


def _chunks(changes: Changes) -> Iterator[list[tuple[str, Change]]]:
    chunk: list[tuple[str, Change]] = []
    size = 0
    for key, change in changes:
        chunk.append((key, change))
        size += len(key) + len(change or b"")
        if size >= _SEGMENT:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
