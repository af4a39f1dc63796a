"""What the index said, kept on this machine so that not every process reads all of it again.

Not part of the repository: a cache may be deleted at any time. It is authenticated under a key of the repository, so
that a damaged or planted file is not believed but dropped.
"""

import hmac
import os
import struct
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backup_engine import blob_table, messagepack
from backup_engine.blob_table import BlobTable

_MAGIC = b"TKINDEX2"
_LENGTHS = struct.Struct(">QQ")  # bytes of the description, rows
_MAC = 32
_BUFFER = 1 << 20


@dataclass(frozen=True, slots=True)
class Cached:
    table: BlobTable
    description: dict[str, Any]


class IndexCache:
    """One file per repository in `folder`, replaced as a whole; without a folder an unnamed temporary file."""

    def __init__(self, folder: Path | None, key: bytes) -> None:
        self._folder = folder
        self._key = key
        self._name = "index-" + hmac.digest(key, b"name", "sha256").hex()[:32]

    def read(self) -> Cached | None:
        """What was kept last; None when there is nothing to believe."""
        if self._folder is None:
            return None
        try:
            with (self._folder / self._name).open("rb") as file:
                return self._read(file.fileno())
        except (OSError, ValueError, struct.error):
            return None

    def write(self, description: dict[str, Any], count: int, pieces: Iterable[BlobTable]) -> BlobTable:
        """Keep `count` rows; the same rows, mapped from the file. Raises OSError, e.g. for a full disk."""
        if self._folder is None:
            with tempfile.TemporaryFile() as unnamed:
                blob_table.write(unnamed.fileno(), 0, count, pieces)
                return blob_table.mapped(unnamed.fileno(), 0, count)
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._folder, prefix=self._name, delete=False) as aside:
            try:
                head = self._head(description, count)
                os.pwrite(aside.fileno(), head, 0)
                blob_table.write(aside.fileno(), len(head), count, pieces)
                os.pwrite(aside.fileno(), self._mac(aside.fileno(), end := len(head) + count * blob_table.ROW), end)
                Path(aside.name).replace(self._folder / self._name)
            except BaseException:
                Path(aside.name).unlink(missing_ok=True)
                raise
            return blob_table.mapped(aside.fileno(), len(head), count)

    def _head(self, description: dict[str, Any], count: int) -> bytes:
        packed = messagepack.encode(description)
        packed += b"\xc0" * (-(len(_MAGIC) + _LENGTHS.size + len(packed)) % 8)  # rows begin at a multiple of eight
        return _MAGIC + _LENGTHS.pack(len(packed), count) + packed

    def _read(self, file: int) -> Cached | None:
        fixed = os.pread(file, len(_MAGIC) + _LENGTHS.size, 0)
        length, count = _LENGTHS.unpack_from(fixed, len(_MAGIC))
        start = len(fixed) + length
        end = start + count * blob_table.ROW
        if not fixed.startswith(_MAGIC) or os.fstat(file).st_size != end + _MAC:
            return None
        if not hmac.compare_digest(self._mac(file, end), os.pread(file, _MAC, end)):
            return None
        description = messagepack.decode(os.pread(file, length, len(fixed)).rstrip(b"\xc0"))
        return Cached(blob_table.mapped(file, start, count), description)

    def _mac(self, file: int, end: int) -> bytes:
        digest = hmac.new(self._key, digestmod="sha256")
        for at in range(0, end, _BUFFER):
            digest.update(os.pread(file, min(_BUFFER, end - at), at))
        return digest.digest()
