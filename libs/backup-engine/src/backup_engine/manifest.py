"""The item table in storage: runs of segments, and their merge as streams (format, section 7)."""

import heapq
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter

from backup_engine import names, rows
from backup_engine.errors import IntegrityError
from backup_engine.header import Kind
from backup_engine.model import ItemRow
from backup_engine.sealed import SealedObjects

Change = bytes | None  # a packed row, or None for a removed item
Changes = Iterable[tuple[str, Change]]  # in ascending order of key, each key once

_SEGMENT = 1 << 20  # bytes of rows after which the next segment of a run begins


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
    if not newest_first:
        return iter(())
    *newer, oldest = newest_first
    if not newer:
        return iter(oldest)
    # The oldest run is usually most of the rows: what is newer is laid over it, not both put through one heap.
    return _over(iter(newer[0]) if len(newer) == 1 else _heaped(newer), oldest)


def _over(newer: Iterator[tuple[str, Change]], older: Changes) -> Iterator[tuple[str, Change]]:
    top = next(newer, None)
    for row in older:
        while top is not None and top[0] < row[0]:
            yield top
            top = next(newer, None)
        if top is not None and top[0] == row[0]:
            yield top
            top = next(newer, None)
        else:
            yield row
    if top is not None:
        yield top
        yield from newer


def _heaped(newest_first: Sequence[Changes]) -> Iterator[tuple[str, Change]]:
    last: str | None = None
    for key, _, change in heapq.merge(*(_aged(age, changes) for age, changes in enumerate(newest_first))):
        if key != last:
            last = key
            yield key, change


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


def _aged(age: int, changes: Changes) -> Iterator[tuple[str, int, Change]]:
    return ((key, age, change) for key, change in changes)


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
