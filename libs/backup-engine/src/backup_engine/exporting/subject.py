"""The subject of a mail, for names of files: never fails, whatever the bytes are."""

import re
from email.errors import HeaderParseError
from email.header import decode_header

_LOOKED_AT = 65_536  # bytes; headers lie at the start
_SUBJECT = re.compile(rb"^subject:[ \t]*([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)", re.IGNORECASE | re.MULTILINE)
_BLANK_LINE = re.compile(rb"(?:^|\n)\r?\n")
_WORD = r"=\?[^?\s]*\?[bBqQ]\?[^?]*\?="
_WORDS = re.compile(rf"{_WORD}(?:\s+{_WORD})*")


def subject_of(raw: bytes) -> str:
    """The Subject header, unfolded, its encoded words decoded; empty without one."""
    start = raw[:_LOOKED_AT]
    end = _BLANK_LINE.search(start)
    found = _SUBJECT.search(start[: end.start() + 1] if end else start)
    if found is None:
        return ""
    value = re.sub(rb"\r?\n[ \t]+", b" ", found[1])
    return _WORDS.sub(lambda words: _decoded(words[0]), _text(value, "utf-8"))


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
