"""Where rows lie, by hash of their key: two numbers per row."""

import bisect
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

_MASK = (1 << 64) - 1
Hashes = NDArray[np.uint64]
Addresses = NDArray[np.int64]


def hashes(keys: Sequence[str]) -> Hashes:
    return np.fromiter((hash(key) & _MASK for key in keys), np.uint64, len(keys))


class KeyMap:
    """Addresses of records by key, 16 bytes each. Keys that hash alike are told apart by whoever reads the record.

    Not thread-safe.
    """

    def __init__(self) -> None:
        self._set(np.empty(0, np.uint64), np.empty(0, np.int64))

    def __len__(self) -> int:
        return len(self._hashes)

    def add(self, new: Hashes, addresses: Addresses) -> None:
        """Addresses must be ascending and greater than all added before."""
        order = np.argsort(new, kind="stable")
        new = new[order]
        # Behind what is equal: equal hashes stay in order of address.
        at = np.searchsorted(self._hashes, new, side="right")
        self._set(np.insert(self._hashes, at, new), np.insert(self._addresses, at, addresses[order]))

    def drop(self, start: int, end: int) -> None:
        """Forget the addresses from `start` to before `end`."""
        keep = (self._addresses < start) | (self._addresses >= end)
        self._set(self._hashes[keep], self._addresses[keep])

    def candidates(self, key: str) -> Iterable[int]:
        """Addresses where a record of the key may lie, newest first."""
        wanted = hash(key) & _MASK
        first = bisect.bisect_left(self._searched, wanted)
        if first == len(self._searched) or self._searched[first] != wanted:
            return ()  # the usual answer while a mailbox is read for the first time
        last = first
        while last < len(self._searched) and self._searched[last] == wanted:
            last += 1
        return (int(self._addresses[at]) for at in range(last - 1, first - 1, -1))

    def _set(self, sorted_hashes: Hashes, addresses: Addresses) -> None:
        self._hashes, self._addresses = sorted_hashes, addresses
        self._searched = memoryview(sorted_hashes)  # type: ignore[arg-type]  # an array is a buffer; bisect on it beats searchsorted for one key
