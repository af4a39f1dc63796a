"""Reading past what somebody with the storage's credentials has put on top of an object."""

from collections.abc import Callable
from typing import TypeVar

from backup_engine.errors import IntegrityError
from backup_engine.storage.base import Storage

T = TypeVar("T")


def read_authentic(
    storage: Storage, key: str, opened: Callable[[bytes], T], offset: int = 0, length: int | None = None
) -> T:
    """Return what `opened` makes of the bytes; when it raises IntegrityError, of the oldest version it accepts.

    Raises NotFound, or the error about the bytes on top when no version of the object is authentic.
    """
    try:
        return opened(storage.get(key, offset, length))
    except IntegrityError as error:
        for body in storage.versions(key, offset, length):
            try:
                return opened(body)
            except IntegrityError:
                continue
        raise error from None
