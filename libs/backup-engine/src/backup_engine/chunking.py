"""Cut a stream where its content says so (FastCDC): an insertion changes the chunks around it, not all after it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pyfastcdc import FastCDC

WHOLE = 1 << 20  # an item up to this many bytes is one blob
_WINDOW = 12 << 20  # bytes looked at at once, more than the longest chunk


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of a chunk: at least, about, at most."""

    least: int
    average: int
    most: int


USUAL = Sizes(512 << 10, 1 << 20, 8 << 20)
LARGE = Sizes(1 << 20, 2 << 20, 8 << 20)
LARGE_FROM = 1 << 30  # chunks that begin here or later are LARGE ones, so that the index stays small


def chunks(key: bytes, pieces: Iterable[bytes | bytearray], *, large_from: int = LARGE_FROM) -> Iterator[bytes]:
    """Cut what the pieces concatenate to; the same bytes under the same key are cut alike, however they arrive.

    Holds no more than a window of 12 MiB, one chunk and one piece.
    """
    usual, large = _cutter(key, USUAL), _cutter(key, LARGE)
    window, position = _Window(pieces), 0
    while not window.last:
        window.fill()
        while chunk := window.cut(large if position >= large_from else usual):
            position += len(chunk)
            yield chunk


class _Window:
    """The next bytes of a stream, in a buffer that is used again: fresh memory costs more than cutting what lies in it.

    `last` says whether it holds all that is left.
    """

    def __init__(self, pieces: Iterable[bytes | bytearray]) -> None:
        self._pieces = iter(pieces)
        self._buffer = bytearray()
        self._start = self._end = 0  # of the bytes in the buffer
        self.last = False

    def fill(self) -> None:
        """Read on until there are as many bytes as are looked at at once, or no more."""
        left = self._end - self._start
        with memoryview(self._buffer) as whole:
            whole[:left] = whole[self._start : self._end]
        self._start, self._end = 0, left
        while self._end < _WINDOW and not self.last:
            piece = next(self._pieces, None)
            if piece is None:
                self.last = True
            else:
                # Python's own slice: it lengthens the buffer where the piece reaches beyond its end.
                self._buffer[self._end : self._end + len(piece)] = piece
                self._end += len(piece)

    def cut(self, cutter: FastCDC) -> bytes:
        """The next chunk; empty where its end is not known before the window is filled again."""
        with memoryview(self._buffer) as whole, whole[self._start : min(self._end, self._start + USUAL.most)] as head:
            length = next(iter(cutter.cut_buf(head))).length if head else 0
            # A cut before the end is the content's; one at the end may be that of the window.
            if length == len(head) < USUAL.most and not self.last:
                return b""
            chunk = bytes(head[:length])
        self._start += length
        return chunk


def _cutter(key: bytes, sizes: Sizes) -> FastCDC:
    seed = int.from_bytes(key[:8], "big") >> 1  # the library shifts it once within 64 bits
    return FastCDC(sizes.average, min_size=sizes.least, max_size=sizes.most, normalized_chunking=1, seed=seed)
