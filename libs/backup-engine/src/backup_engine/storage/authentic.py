"""Reading past what somebody with the storage's credentials has put on top of an object."""

from collections.abc import Callable
from typing import TypeVar

from backup_engine.errors import FormatUnsupported, IntegrityError, KeyMissing
from backup_engine.storage.base import Storage

T = TypeVar("T")

# What bytes of a stranger may look like: broken, of another format, or sealed with a key that does not exist.
_NOT_OURS = (IntegrityError, FormatUnsupported, KeyMissing)


def read_authentic(
    storage: Storage, key: str, opened: Callable[[bytes], T], offset: int = 0, length: int | None = None
) -> T:
    """Return what `opened` makes of the bytes; when it refuses them, of the oldest version it accepts.

    Raises NotFound, or the error about the bytes on top when no version of the object is authentic.
    """
    try:
        return opened(storage.get(key, offset, length))
    except _NOT_OURS as error:
        for body in storage.versions(key, offset, length):
            try:
                return opened(body)
            except _NOT_OURS:
                continue
        raise error from None
