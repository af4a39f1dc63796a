"""Which blobs an item consists of, and how they make it up again."""

from typing import NamedTuple

from backup_engine.mime_cut import Span, cut

BLOB_MAX = 4 << 20  # bytes


class Slice(NamedTuple):
    blob: int  # position in Division.blobs
    offset: int
    length: int


class Division(NamedTuple):
    """The slices, taken in order from the blobs, concatenate to the item."""

    blobs: tuple[bytes, ...]
    slices: tuple[Slice, ...]


def divide(body: bytes) -> Division:
    """Cut a mail into its skeleton and its attachments. Any bytes are a mail here."""
    spans = cut(body)
    blobs = _sliced(body if len(spans) == 1 and not spans[0].part else _join(body, spans))
    slices: list[Slice] = []
    used = 0  # bytes of the skeleton placed so far
    for span in spans:
        length = span.end - span.start
        if span.part:
            parts = _sliced(body[span.start : span.end])
            slices += [Slice(len(blobs) + n, 0, len(part)) for n, part in enumerate(parts)]
            blobs += parts
        else:
            slices += _within(used, length)
            used += length
    return Division(tuple(blobs), tuple(slices))


def _join(body: bytes, spans: list[Span]) -> bytes:
    return b"".join(body[span.start : span.end] for span in spans if not span.part)


def _sliced(blob: bytes) -> list[bytes]:
    if len(blob) <= BLOB_MAX:
        return [blob] if blob else []
    return [blob[start : start + BLOB_MAX] for start in range(0, len(blob), BLOB_MAX)]


def _within(start: int, length: int) -> list[Slice]:
    """Where the skeleton's bytes from `start` lie in its blobs."""
    if start + length <= BLOB_MAX:
        return [Slice(0, start, length)]
    slices = []
    while length:
        blob, offset = divmod(start, BLOB_MAX)
        taken = min(length, BLOB_MAX - offset)
        slices.append(Slice(blob, offset, taken))
        start, length = start + taken, length - taken
    return slices
