"""The subject of a mail, for names of files: never fails, whatever the bytes are."""

import re
from email.errors import HeaderParseError
from email.header import decode_header

_LOOKED_AT = 65_536  # bytes; headers lie at the start
_NAME = b"\nsubject:"
_VALUE = re.compile(rb"[ \t]*([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)")
_WORD = r"=\?[^?\s]*\?[bBqQ]\?[^?]*\?="
_WORDS = re.compile(rf"{_WORD}(?:\s+{_WORD})*")


def subject_of(raw: bytes) -> str:
    """The Subject header, unfolded, its encoded words decoded; empty without one."""
    head = _head(raw)
    name = head.lower().find(_NAME)  # finding bytes costs a tenth of searching for a pattern
    found = _VALUE.match(head, name + len(_NAME)) if name >= 0 else None
    if found is None:
        return ""
    value = re.sub(rb"\r?\n[ \t]+", b" ", found[1])
    return _WORDS.sub(lambda words: _decoded(words[0]), _text(value, "utf-8"))


def _head(raw: bytes) -> bytes:
    """A line end and the header lines, up to the first empty line."""
    if raw.startswith((b"\n", b"\r\n")):
        return b"\n"
    end = raw.find(b"\n\r\n", 0, _LOOKED_AT)
    end = _LOOKED_AT if end < 0 else end
    earlier = raw.find(b"\n\n", 0, end + 1)
    return b"\n" + raw[: end if earlier < 0 else earlier]


def _decoded(words: str) -> str:
    """Neighbouring encoded words as one: a character may span two of them."""
    try:
        found = decode_header(words)
    except (ValueError, HeaderParseError):
        return words
    return "".join(chunk if isinstance(chunk, str) else _text(chunk, charset or "ascii") for chunk, charset in found)


def _text(raw: bytes, charset: str) -> str:
    """What does not decode as declared is shown byte by byte; halves of surrogate pairs are replaced."""
    try:
        text = raw.decode(charset)
    except (LookupError, ValueError):
        return raw.decode("latin-1")
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
