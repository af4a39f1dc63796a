"""The items a session knows: the parent's rows and its own changes, in bounded memory."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from backup_engine import key_map, manifest, rows
from backup_engine.blocks import Blocks
from backup_engine.key_map import KeyMap
from backup_engine.manifest import Change, Changes
from backup_engine.model import ItemRow
from backup_engine.scratch import Scratch
from backup_engine.sealed import SealedObjects

_BATCH = 4096  # rows taken over from storage at once


@dataclass(frozen=True, slots=True)
class Run:
    """Changes in order of key: durable in `segments`, at hand between two addresses."""

    segments: tuple[str, ...]
    rows: int
    start: int
    end: int


class State:
    """Changes since the last checkpoint are in memory, runs in a scratch file.

    Not thread-safe, except that iterators may be used while the state changes: they show what was there when they
    were made.
    """

    def __init__(self, memory: int, folder: Path | None = None) -> None:
        self._blocks = Blocks(Scratch(memory, folder))
        self._map = KeyMap()
        self._runs: list[Run] = []  # newest first
        self._dirty: dict[str, Change] = {}

    @classmethod
    def load(
        cls, objects: SealedObjects, segments: Sequence[str], *, memory: int, folder: Path | None = None
    ) -> "State":
        """The state a snapshot's segments, newest first, describe. Raises IntegrityError.

        Segments this machine keeps are not fetched; whether storage still has them is for a listing to say.
        """
        state = cls(memory, folder)
        for run in reversed(manifest.runs(segments)):
            state._take(run, manifest.read_run(objects, run, kept=True))
        return state

    @property
    def segments(self) -> tuple[str, ...]:
        """What a checkpoint names, newest first."""
        return tuple(name for run in self._runs for name in run.segments)

    @property
    def runs(self) -> int:
        return len(self._runs)

    @property
    def changed(self) -> bool:
        """Whether there are changes no run holds."""
        return bool(self._dirty)

    def __contains__(self, key: str) -> bool:
        return self._find(key) is not None

    def get(self, key: str) -> ItemRow | None:
        packed = self._find(key)
        return None if packed is None else rows.unpack(key, packed)

    def put(self, row: ItemRow) -> None:
        self._dirty[row.key] = rows.pack(row)

    def remove(self, key: str) -> None:
        self._dirty[key] = None

    def rows(self, kind: str | None = None) -> Iterator[ItemRow]:
        """In order of key; those of other kinds are not even unpacked."""
        begin = b"" if kind is None else rows.begins_like(kind)
        return (rows.unpack(key, change) for key, change in self._merged() if change and change.startswith(begin))

    def bodies(self) -> Counter[str]:
        """How many items have a body, by kind."""
        return Counter(kind for _, change in self._merged() if change and (kind := rows.kind_of_body(change)))

    def _merged(self) -> Iterator[tuple[str, Change]]:
        dirty = [sorted(self._dirty.items())] if self._dirty else []
        return manifest.merge([*dirty, *map(self._scan, self._runs)])

    def take_changes(self) -> list[tuple[str, Change]]:
        """The changes since the last time, in order of key; they count as the newest run from now on.

        The caller writes them and says so by `written`.
        """
        changes, self._dirty = sorted(self._dirty.items()), {}
        if changes:
            self._take((), changes)
        return changes

    def written(self, segments: tuple[str, ...]) -> None:
        """The newest run is durable in these segments."""
        run = self._runs[0]
        self._runs[0] = Run(segments, run.rows, run.start, run.end)

    def newest(self, count: int) -> Iterator[tuple[str, Change]]:
        """The newest runs as one; removals stay as long as an older run is left."""
        merged = manifest.merge([self._scan(run) for run in self._runs[:count]])
        keep_removals = count < len(self._runs)
        return ((key, change) for key, change in merged if keep_removals or change is not None)

    def replace_newest(self, count: int, segments: tuple[str, ...]) -> None:
        """The newest runs are one now, durable in `segments`."""
        merged = list(self._runs[:count])
        changes = self.newest(count)
        self._take(segments, changes)
        del self._runs[1 : count + 1]
        self._map.drop(merged[-1].start, merged[0].end)

    def mergeable(self, above: int) -> int:
        """How many of the newest runs to make one; 0 while there are at most `above`.

        The newest ones, and older ones as long as they are no larger than all newer together: so a row is
        rewritten a logarithmic number of times.
        """
        if len(self._runs) <= max(above, 1):
            return 0
        total = self._runs[0].rows + self._runs[1].rows
        count = 2
        while count < len(self._runs) and self._runs[count].rows <= total:
            total += self._runs[count].rows
            count += 1
        return count

    def _find(self, key: str) -> bytes | None:
        if key in self._dirty:
            return self._dirty[key]
        for address in self._map.candidates(key):
            found, change = self._blocks.read(address)
            if found == key:
                return change
        return None

    def _scan(self, run: Run) -> Iterator[tuple[str, Change]]:
        return self._blocks.scan(run.start, run.end)

    def _take(self, segments: tuple[str, ...], changes: Changes) -> None:
        start = self._blocks.end
        hashes, addresses = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
        for batch in _batched(changes):
            addresses.append(self._blocks.append(batch))
            hashes.append(key_map.hashes([key for key, _ in batch]))
        found = np.concatenate(hashes)
        self._map.add(found, np.concatenate(addresses))
        self._runs.insert(0, Run(segments, len(found), start, self._blocks.end))


def _batched(changes: Changes) -> Iterator[list[tuple[str, Change]]]:
    changes = iter(changes)
    while batch := list(islice(changes, _BATCH)):
        yield batch
