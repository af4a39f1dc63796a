"""Cut a stream where its content says so (FastCDC): an insertion changes the chunks around it, not all after it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pyfastcdc import FastCDC

WHOLE = 1 << 20  # an item up to this many bytes is one blob


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

    Holds no more than the longest chunk and one piece.
    """
    usual, large = _cutter(key, USUAL), _cutter(key, LARGE)
    buffer = bytearray()
    position = 0
    for piece in pieces:
        buffer += piece
        # A cut is final once the longest chunk fits: more bytes would not move it.
        while len(buffer) >= USUAL.most:
            chunk = _first(large if position >= large_from else usual, buffer)
            position += len(chunk)
            yield chunk
    while buffer:
        chunk = _first(large if position >= large_from else usual, buffer)
        position += len(chunk)
        yield chunk


def _cutter(key: bytes, sizes: Sizes) -> FastCDC:
    seed = int.from_bytes(key[:8], "big") >> 1  # the library shifts it once within 64 bits
    return FastCDC(sizes.average, min_size=sizes.least, max_size=sizes.most, normalized_chunking=1, seed=seed)


def _first(cutter: FastCDC, buffer: bytearray) -> bytes:
    """Take the first chunk out of the buffer."""
    with memoryview(buffer) as whole, whole[: USUAL.most] as head:
        length = next(iter(cutter.cut_buf(head))).length
        chunk = bytes(head[:length])
    del buffer[:length]
    return chunk
