"""Sealed objects kept on this machine as storage holds them, so that what never changes is fetched once.

Not part of the repository: a cache may be deleted at any time. What is kept is sealed; whoever reads it opens it under
its name, so that a damaged or planted file is not believed but dropped. A copy is never stale, because no name is
ever overwritten, and only a commit name is ever used again after a removal (commits.read); that an object still exists
is for storage to say.
"""

import hmac
import os
import tempfile
import threading
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

_SMALL = 4 << 10  # bytes; objects up to that are kept in memory, too
_MANY = 1024  # of them
_SHARE = 8  # the folder is looked through when this part of its limit was added


class ObjectCache:
    """`limit` bytes in `folder`, which repositories and processes may share; the least recently used go first.

    Without a folder only small objects are kept, in memory. A full or unreadable disk costs requests, never an error.
    Thread-safe.
    """

    def __init__(self, folder: Path | None, key: bytes, limit: int) -> None:
        self._folder = None if folder is None or limit <= 0 else folder / "objects"
        self._key = key
        self._limit = limit
        self._lock = threading.Lock()
        self._small: OrderedDict[str, bytes] = OrderedDict()
        self._added = limit  # so that the first addition looks what others left

    def get(self, name: str) -> bytes | None:
        with self._lock:
            if name in self._small:
                self._small.move_to_end(name)
                return self._small[name]
        if self._folder is None:
            return None
        path = self._path(self._folder, name)
        try:
            body = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        self._remember(name, body)
        return body

    def put(self, name: str, body: bytes) -> None:
        self._remember(name, body)
        if self._folder is None or len(body) > self._limit // _SHARE:
            return
        with suppress(OSError):
            self._write(self._folder, name, body)

    def drop(self, name: str) -> None:
        """What is kept under this name is not to be believed."""
        with self._lock:
            self._small.pop(name, None)
        if self._folder is not None:
            with suppress(OSError):
                self._path(self._folder, name).unlink(missing_ok=True)

    def _remember(self, name: str, body: bytes) -> None:
        if len(body) > _SMALL:
            return
        with self._lock:
            self._small[name] = body
            self._small.move_to_end(name)
            while len(self._small) > _MANY:
                self._small.popitem(last=False)

    def _write(self, folder: Path, name: str, body: bytes) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix="new-", delete=False) as aside:
            try:
                aside.write(body)
                aside.flush()
                Path(aside.name).replace(self._path(folder, name))
            except BaseException:
                Path(aside.name).unlink(missing_ok=True)
                raise
        with self._lock:
            self._added += len(body)
            due = self._added >= self._limit // _SHARE
            if due:
                self._added = 0
        if due:
            self._trim(folder)

    def _trim(self, folder: Path) -> None:
        """Keep seven eighths of the limit, so that what is added before the next look stays below it."""
        found = []
        with os.scandir(folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # another process trims, too
                    stat = entry.stat()
                    found.append((stat.st_mtime_ns, stat.st_size, entry.path))
        excess = sum(size for _, size, _ in found) - (self._limit - self._limit // _SHARE)
        for _, size, path in sorted(found):
            if excess <= 0:
                return
            Path(path).unlink(missing_ok=True)
            excess -= size

    def _path(self, folder: Path, name: str) -> Path:
        return folder / hmac.digest(self._key, name.encode(), "sha256").hex()
