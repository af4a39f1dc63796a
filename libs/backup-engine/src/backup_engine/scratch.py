"""Records too many for memory, in a file without a name that dies with the process."""

import os
import secrets
import struct
import tempfile
import weakref
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_LENGTH = struct.Struct(">I")
_BUFFER = 256 << 10  # bytes written or read at once
_ONE = 4 << 10  # bytes read to get one record; most are shorter


class Scratch:
    """Append-only: about `memory` bytes stay in memory, the rest goes to disk, encrypted under a key of its own.

    Records keep their address for ever, so readers need no lock; one thread at a time may append.
    """

    def __init__(self, memory: int, folder: Path | None = None) -> None:
        self._memory = memory
        self._folder = folder
        self._held = bytearray()
        self._file: int | None = None
        self._aead = AESGCM(secrets.token_bytes(32))
        self.end = 0  # the address the next record gets

    def append(self, records: Iterable[bytes]) -> list[int]:
        """Store records; their addresses, ascending. Raises OSError, e.g. for a full disk."""
        addresses = []
        buffer = bytearray()
        for record in records:
            addresses.append(self.end)
            if len(self._held) < self._memory:
                self._held += _LENGTH.pack(len(record)) + record
                self.end = len(self._held)
                continue
            sealed = self._aead.encrypt(_nonce(self.end), record, None)
            buffer += _LENGTH.pack(len(sealed)) + sealed
            self.end += _LENGTH.size + len(sealed)
            if len(buffer) >= _BUFFER:
                self._write(buffer)
                buffer = bytearray()
        if buffer:
            self._write(buffer)
        return addresses

    def read(self, address: int) -> bytes:
        """The record at an address that append returned."""
        if address < len(self._held):
            (length,) = _LENGTH.unpack_from(self._held, address)
            start = address + _LENGTH.size
            return bytes(self._held[start : start + length])
        return self._record(address, _ONE)[0]

    def scan(self, start: int, end: int) -> Iterator[bytes]:
        """The records between two addresses, in order."""
        while start < end:
            piece = self._piece(start, min(_BUFFER, end - start))
            position = yield from self._records(piece, start)
            if position == 0:
                record, position = self._record(start, _BUFFER)
                yield record
            start += position

    def _records(self, piece: bytes, address: int) -> Generator[bytes, None, int]:
        """The whole records the piece holds; where the one begins that it does not."""
        position, last = 0, len(piece) - _LENGTH.size
        sealed = address >= len(self._held)
        while position <= last:
            (length,) = _LENGTH.unpack_from(piece, position)
            start = position + _LENGTH.size
            if start + length > len(piece):
                break
            body = piece[start : start + length]
            yield self._opened(address + position, body) if sealed else body
            position = start + length
        return position

    def _record(self, address: int, guess: int) -> tuple[bytes, int]:
        piece = self._piece(address, guess)
        found = self._parse(piece, 0, address)
        if found is None:
            (length,) = _LENGTH.unpack_from(piece)
            found = self._parse(self._piece(address, _LENGTH.size + length), 0, address)
        if found is None:
            raise OSError(f"scratch file is truncated at {address}")
        return found

    def _piece(self, address: int, length: int) -> bytes:
        if address < len(self._held):
            return bytes(self._held[address : address + length])
        if self._file is None:
            raise OSError(f"no record at {address}")
        return os.pread(self._file, length, address - len(self._held))

    def _parse(self, piece: bytes, position: int, address: int) -> tuple[bytes, int] | None:
        """The record at `position` and where the next one begins; None when the piece does not hold it whole."""
        start = position + _LENGTH.size
        if len(piece) < start:
            return None
        (length,) = _LENGTH.unpack_from(piece, position)
        if len(piece) < start + length:
            return None
        body = piece[start : start + length]
        return (body if address < len(self._held) else self._opened(address, body)), start + length

    def _opened(self, address: int, sealed: bytes) -> bytes:
        try:
            return self._aead.decrypt(_nonce(address), sealed, None)
        except InvalidTag as error:
            raise OSError(f"scratch file is damaged at {address}") from error

    def _write(self, buffer: bytearray) -> None:
        if self._file is None:
            if self._folder is not None:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._folder) as file:
                self._file = os.dup(file.fileno())
            weakref.finalize(self, os.close, self._file)
        view = memoryview(buffer)
        while view:
            view = view[os.write(self._file, view) :]


def _nonce(address: int) -> bytes:
    return address.to_bytes(12, "big")
