"""Changes of the item table in a scratch file, many to a record: a pass over all of them runs in C."""

from collections.abc import Iterable, Iterator

import msgpack  # type: ignore[import-untyped]  # it ships no type information
import numpy as np
from numpy.typing import NDArray

from backup_engine.manifest import Change
from backup_engine.scratch import Scratch

_BLOCK = 4 << 10  # bytes of changes after which the next block begins
_BITS = 16  # of an address: where in its block a change begins, before _BLOCK; the others are the block's own address


class Blocks:
    """Append-only, like the scratch file below; one thread at a time may append."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch

    @property
    def end(self) -> int:
        """Below it are the addresses of all that was appended so far."""
        return self._scratch.end << _BITS

    def append(self, changes: Iterable[tuple[str, Change]]) -> NDArray[np.int64]:
        """Store changes; their addresses, ascending. Raises OSError, e.g. for a full disk."""
        blocks: list[list[bytes]] = []
        numbers, offsets = [], []
        size = _BLOCK
        for packed in map(msgpack.Packer().pack, changes):
            if size >= _BLOCK:
                blocks.append([])
                size = 0
            numbers.append(len(blocks) - 1)
            offsets.append(size)
            blocks[-1].append(packed)
            size += len(packed)
        starts = np.array(self._scratch.append(map(b"".join, blocks)), np.int64)
        found: NDArray[np.int64] = starts[np.array(numbers, np.intp)] << _BITS | np.array(offsets, np.int64)
        return found

    def read(self, address: int) -> tuple[str, Change]:
        """The change at an address that append returned."""
        block = self._scratch.read(address >> _BITS)
        unpacker = msgpack.Unpacker(max_buffer_size=len(block), use_list=False)
        unpacker.feed(memoryview(block)[address & (1 << _BITS) - 1 :])
        found: tuple[str, Change] = unpacker.unpack()
        return found

    def scan(self, start: int, end: int) -> Iterator[tuple[str, Change]]:
        """The changes between two values of `end`, in order."""
        for block in self._scratch.scan(start >> _BITS, end >> _BITS):
            unpacker = msgpack.Unpacker(max_buffer_size=len(block), use_list=False)
            unpacker.feed(block)
            yield from unpacker
