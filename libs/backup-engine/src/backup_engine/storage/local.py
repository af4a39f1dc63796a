"""Objects as files below a folder; survives power loss as far as the file system honours fsync."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from backup_engine.errors import AlreadyExists, NotFound, StorageDenied, StorageError, StorageFull, StorageUnreachable
from backup_engine.storage.base import ObjectInfo, Retention, Unlockable, check_key, check_range, lock_unsupported

_INCOMPLETE = ".incomplete"  # unfinished files; no key starts with it because keys come from the format
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_FULL = {errno.ENOSPC, errno.EDQUOT}


class LocalStorage(Unlockable):
    """Files are written aside, synced, then hard-linked to their name: a link refuses an existing target."""

    def __init__(self, path: Path | str) -> None:
        self._root = Path(path)

    def put(self, key: str, body: bytes, *, retain_until: datetime | None = None) -> None:
        if retain_until is not None:
            raise lock_unsupported(key)
        target = self._root / check_key(key)
        aside = self._root / _INCOMPLETE / secrets.token_hex(16)
        with _mapped(key):
            self._make_folder(target.parent)
            self._make_folder(aside.parent)
            try:
                _write_synced(aside, body)
                os.link(aside, target)
            finally:
                aside.unlink(missing_ok=True)
            _sync_folder(target.parent)

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        check_range(offset, length)
        with _mapped(key), (self._root / check_key(key)).open("rb") as file:
            file.seek(offset)
            return file.read(-1 if length is None else length)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        # Only the folder part of the prefix can be used to narrow the walk.
        start = self._root / prefix.rpartition("/")[0]
        found: list[tuple[str, int]] = []
        with _mapped(prefix):
            for folder, folders, files in os.walk(start, onerror=_raise_unless_missing):
                folders[:] = [name for name in folders if name != _INCOMPLETE]
                for name in files:
                    path = Path(folder, name)
                    key = path.relative_to(self._root).as_posix()
                    if key.startswith(prefix):
                        found.append((key, path.stat().st_size))
        return (ObjectInfo(key, size) for key, size in sorted(found))

    def delete(self, key: str) -> None:
        with _mapped(key):
            (self._root / check_key(key)).unlink(missing_ok=True)

    def retention(self, key: str) -> Retention:
        with _mapped(key):
            (self._root / check_key(key)).stat()
        return Retention()

    def clock(self) -> None:
        return None

    def _make_folder(self, folder: Path) -> None:
        """Create it so that it, too, survives power loss."""
        missing = []
        while not folder.exists():
            missing.append(folder)
            folder = folder.parent
        for path in reversed(missing):
            path.mkdir(mode=0o700, exist_ok=True)
            _sync_folder(path.parent)


@contextmanager
def _mapped(key: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound(f"{key} does not exist", key=key) from error
    except FileExistsError as error:
        raise AlreadyExists(f"{key} exists", key=key) from error
    except OSError as error:
        raise _kind(error)(f"{key}: {error.strerror}", key=key) from error


def _kind(error: OSError) -> type[StorageError]:
    if error.errno in _FULL:
        return StorageFull
    return StorageDenied if error.errno in _DENIED else StorageUnreachable


def _write_synced(path: Path, body: bytes) -> None:
    with path.open("xb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _raise_unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
