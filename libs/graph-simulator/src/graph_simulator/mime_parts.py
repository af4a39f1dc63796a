"""Cut a MIME message into its parts by byte offsets: fast, and never failing on malformed mail.

The standard parser copies every line; here a 20 MB attachment costs one search. Offsets also let an attachment
be decoded alone, straight out of the stored bytes.
"""

import binascii
import codecs
import email.header
import email.message
import email.parser
import email.policy
import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.errors import HeaderParseError

MAX_DEPTH = 30
# Python knows these under codec names, too; the last ones give no text at all.
_NO_CHARSETS = frozenset(
    {"unicode-escape", "raw-unicode-escape", "idna", "punycode", "undefined"}
    | {"rot-13", "base64", "hex", "bz2", "zlib", "uu", "quopri"}
)
_HEADER_END = re.compile(rb"\r?\n\r?\n")
_parser = email.parser.HeaderParser(policy=email.policy.compat32)


@dataclass(frozen=True, slots=True)
class Part:
    """One MIME part: its headers and the range of its still encoded body in the raw message."""

    headers: email.message.Message
    content_type: str
    start: int
    end: int
    children: tuple["Part", ...]

    def leaves(self) -> Iterator["Part"]:
        """Yield the parts that are not multipart, in order; an attached message counts as one leaf."""
        if not self.children:
            yield self
        for child in self.children:
            yield from child.leaves()

    @property
    def filename(self) -> str | None:
        name = self.headers.get_filename()
        return decode_words(name) if name else None

    @property
    def is_attachment(self) -> bool:
        disposition = self.headers.get_content_disposition()
        return (
            disposition == "attachment"
            or self.content_type == "message/rfc822"
            or self.headers.get_filename() is not None
            or not self.content_type.startswith(("text/", "multipart/"))
        )

    @property
    def is_inline(self) -> bool:
        return self.headers.get_content_disposition() == "inline" and self.headers["content-id"] is not None

    def decode(self, raw: bytes) -> bytes:
        """Return the body with its transfer encoding undone."""
        body = raw[self.start : self.end]
        match str(self.headers.get("content-transfer-encoding", "")).strip().lower():
            case "base64":
                return _decode_base64(body)
            case "quoted-printable":
                return quopri.decodestring(body)
            case _:
                return body

    def text(self, raw: bytes) -> str:
        """Return the body as text; bytes outside the declared charset become replacement characters."""
        body = self.decode(raw)
        charset = _known_charset(self.headers.get_content_charset())
        return without_surrogates(body.decode(charset, "replace"))


def parse(raw: bytes, start: int = 0, end: int | None = None, depth: int = 0) -> Part:
    """Cut raw[start:end] into parts. Whatever cannot be understood is one text/plain leaf."""
    end = len(raw) if end is None else end
    body = _body_start(raw, start, end)
    headers = _parser.parsestr(_header_text(raw[start:body]))
    content_type = headers.get_content_type()
    children: tuple[Part, ...] = ()
    boundary = headers.get_boundary()
    if content_type.startswith("multipart/") and boundary and depth < MAX_DEPTH:
        delimiter = b"--" + boundary.encode()
        children = tuple(parse(raw, *span, depth + 1) for span in _split(raw, body, end, delimiter))
    return Part(headers, content_type, body, end, children)


def parse_headers(raw: bytes) -> email.message.Message:
    """Read only the header fields of a message."""
    return _parser.parsestr(_header_text(raw[: _body_start(raw, 0, len(raw))]))


def decode_words(value: object) -> str:
    """Decode RFC 2047 words and raw 8-bit bytes of a header value into one line of text."""
    text = str(value)
    try:
        pieces = [
            piece if isinstance(piece, str) else _decode_bytes(piece, charset)
            for piece, charset in email.header.decode_header(text)
        ]
    except HeaderParseError:  # broken base64 inside an encoded word: show it as it stands
        pieces = [text]
    return without_surrogates(re.sub(r"\s*[\r\n]+\s*", " ", "".join(pieces)).strip())


def without_surrogates(text: str) -> str:
    """Replace what cannot be written as UTF-8, which some charsets can smuggle in."""
    return text.encode("utf-8", "replace").decode()


def _decode_bytes(piece: bytes, charset: str | None) -> str:
    for candidate in (_known_charset(charset), "utf-8"):
        try:
            return piece.decode(candidate)
        except UnicodeDecodeError:
            continue
    return piece.decode("latin-1")


def _known_charset(name: str | None) -> str:
    """Return the codec of a charset name; what is no charset of mail counts as UTF-8."""
    try:
        codec = codecs.lookup(name or "utf-8").name
    except (LookupError, ValueError):  # a ValueError is a name with a NUL inside
        return "utf-8"
    return "utf-8" if codec in _NO_CHARSETS else codec


def _header_text(raw: bytes) -> str:
    """Decode header fields; those written today in raw 8 bits are UTF-8 (RFC 6532), older ones Latin-1."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _body_start(raw: bytes, start: int, end: int) -> int:
    if raw.startswith((b"\n", b"\r\n"), start, end):  # no headers at all
        return raw.index(b"\n", start) + 1
    found = _HEADER_END.search(raw, start, end)
    return found.end() if found else end


def _split(raw: bytes, start: int, end: int, delimiter: bytes) -> Iterator[tuple[int, int]]:
    position, opened = start, -1
    while (at := raw.find(delimiter, position, end)) >= 0:
        line_end = raw.find(b"\n", at, end)
        line_end = end if line_end < 0 else line_end
        tail = raw[at + len(delimiter) : line_end].strip()
        position = at + len(delimiter)
        if tail not in (b"", b"--") or (at > start and raw[at - 1] != ord("\n")):
            continue
        if opened >= 0:
            yield opened, max(opened, _before_newline(raw, at))
        opened = min(line_end + 1, end)
        if tail:
            return
    if opened >= 0:
        yield opened, end


def _before_newline(raw: bytes, at: int) -> int:
    at -= 1
    return at - 1 if at > 0 and raw[at - 1] == ord("\r") else at


def _decode_base64(body: bytes) -> bytes:
    try:
        return binascii.a2b_base64(body)
    except binascii.Error:  # cut off: decode as many whole groups as there are
        letters = re.sub(rb"[^A-Za-z0-9+/]", b"", body)
        return binascii.a2b_base64(letters[: len(letters) // 4 * 4])
