"""Identifiers: derived wherever the same step must make the same id, drawn only for sessions and the like."""

import re
import threading
import uuid
from datetime import UTC, datetime
from random import Random
from weakref import WeakKeyDictionary

from chassis.clock import Clock

_NAMESPACE = uuid.UUID("4b1d3d0a-6f0e-5c0b-9a53-7c1f0c7f2a11")
"""Ours for ever: changing it changes every derived id and breaks every de-duplication."""

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RANDOM_BITS = 80
_PATTERN = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")

_last: WeakKeyDictionary[Random, int] = WeakKeyDictionary()
_lock = threading.Lock()


def new_ulid(clock: Clock, rng: Random) -> str:
    """Draw a ULID: 26 characters, sortable by time; every one is greater than the last from the same `rng`.

    Not a secret: do not use it where guessing it would open something.
    """
    milliseconds = int(clock.now().timestamp() * 1000)
    with _lock:
        drawn = (milliseconds << _RANDOM_BITS) | rng.getrandbits(_RANDOM_BITS)
        last = _last.get(rng, -1)
        if drawn >> _RANDOM_BITS <= last >> _RANDOM_BITS:  # the same millisecond, or a clock set back
            drawn = last + 1
        _last[rng] = drawn
    return _text(drawn)


def is_ulid(text: str) -> bool:
    """Say whether `text` is a ULID in its canonical upper-case form."""
    return _PATTERN.fullmatch(text) is not None


def drawn_at(ulid: str) -> datetime:
    """Give the moment a ULID of `new_ulid` was drawn. Raises ValueError for anything else."""
    if not is_ulid(ulid):
        raise ValueError("no ULID")
    milliseconds = 0
    for letter in ulid[:10]:
        milliseconds = milliseconds * 32 + _ALPHABET.index(letter)
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def derived_ulid(*parts: object) -> str:
    """Like `derived`, for things whose names have the form of a ULID; it says nothing about time."""
    return _text(uuid.UUID(derived(*parts)).int)


def _text(number: int) -> str:
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))


def derived(*parts: object) -> str:
    """Derive the UUID of a thing from what makes it unique; the same parts give the same id on every machine.

    The parts are joined with their lengths, so ("ab", "c") and ("a", "bc") differ.
    """
    name = "".join(f"{len(text)}:{text}" for text in map(str, parts))
    return str(uuid.uuid5(_NAMESPACE, name))
