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
    position = 0
    for window, last in _windows(pieces):
        start = 0
        with memoryview(window) as whole:
            while start < len(whole):
                with whole[start : start + USUAL.most] as head:
                    cutter = large if position >= large_from else usual
                    length = next(iter(cutter.cut_buf(head))).length
                    # A cut before the end is the content's; one at the end may be that of the window.
                    if length == len(head) < USUAL.most and not last:
                        break
                    chunk = bytes(head[:length])
                start += len(chunk)
                position += len(chunk)
                yield chunk
        del window[:start]


def _windows(pieces: Iterable[bytes | bytearray]) -> Iterator[tuple[bytearray, bool]]:
    """The same buffer each time, filled up, and whether it holds all that is left; the reader takes from its front.

    Filled by many pieces at once: with every piece the whole buffer would be moved.
    """
    window, waiting, size = bytearray(), list[bytes | bytearray](), 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if len(window) + size >= _WINDOW:
            window, waiting, size = bytearray().join([window, *waiting]), [], 0
            yield window, False
    yield bytearray().join([window, *waiting]), True


def _cutter(key: bytes, sizes: Sizes) -> FastCDC:
    seed = int.from_bytes(key[:8], "big") >> 1  # the library shifts it once within 64 bits
    return FastCDC(sizes.average, min_size=sizes.least, max_size=sizes.most, normalized_chunking=1, seed=seed)
