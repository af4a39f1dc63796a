"""Cut a mail at its attachments, bit-exact for any input.

Only byte positions are found here; the pieces concatenate to the input whatever it is.
A part the scan does not recognise stays in the skeleton: that costs deduplication, never fidelity.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

PART_MIN = 6144  # bytes of encoded text from which a part becomes its own blob

_ENCODING = re.compile(rb"(?i)content-transfer-encoding[ \t]*:[ \t]*\Z")
_USUAL, _RARE = b"base64", b"BASE64"
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_NAME_WINDOW = 64  # bytes before "base64" that can hold the header's name
_DASHES = 16  # looked at one by one
_HEAD_WINDOW = 4096  # bytes in which the part's headers must end


class Span(NamedTuple):
    start: int
    end: int
    part: bool  # an attachment's encoded text


def cut(body: bytes) -> list[Span]:
    """Return spans that cover `body` without gap or overlap, in order; none for an empty body."""
    spans: list[Span] = []
    position = 0
    for start, end in _parts(body):
        if start > position:
            spans.append(Span(position, start, part=False))
        spans.append(Span(start, end, part=True))
        position = end
    if position < len(body):
        spans.append(Span(position, len(body), part=False))
    return spans


def _parts(body: bytes) -> Iterator[tuple[int, int]]:
    markers = _Markers(body)
    position = 0
    while (hit := markers.next(position)) >= 0:
        position = hit + len(b"base64")
        if not _ENCODING.search(body, max(0, hit - _NAME_WINDOW), hit):
            continue
        blank = _BLANK_LINE.search(body, position, position + _HEAD_WINDOW)
        if blank is None:
            continue
        end = _boundary(body, blank.end() - 1)
        if end - blank.end() >= PART_MIN:
            yield blank.end(), end
        position = max(end, blank.end())


def _boundary(body: bytes, start: int) -> int:
    """Where the next line that begins with two dashes begins; the end of the body without one.

    A dash is no base64 character: the first one is found ten times as fast as the three bytes, and is nearly always it.
    """
    dash = start
    for _ in range(_DASHES):
        dash = body.find(b"-", dash + 1)
        if dash < 0:
            return len(body)
        if body.startswith(b"\n--", dash - 1):
            return dash
    found = body.find(b"\n--", dash)
    return len(body) if found < 0 else found + 1


class _Markers:
    """Finds the two usual spellings.

    The rarer one is looked for only up to the next hit of the other, so that the parts that are cut, most of the bytes,
    are never searched for it.
    """

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._usual = body.find(_USUAL)
        self._rare = -1
        self._searched = 0  # up to here there is no rare spelling but self._rare

    def next(self, start: int) -> int:
        if 0 <= self._usual < start:
            self._usual = self._body.find(_USUAL, start)
        if self._rare < start:
            limit = self._usual if self._usual >= 0 else len(self._body)
            self._rare = self._body.find(_RARE, max(start, self._searched), limit)
            self._searched = limit if self._rare < 0 else self._rare + len(_RARE)
        hits = [hit for hit in (self._usual, self._rare) if hit >= start]
        return min(hits, default=-1)
