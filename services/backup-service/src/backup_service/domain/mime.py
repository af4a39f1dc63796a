"""A mail's parts, read from MIME as a mail program would: never fails, because stored mail may be malformed."""

import base64
import binascii
import email
import email.policy
import email.utils
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import getaddresses, parseaddr, parsedate_to_datetime

_AS_SENT = email.policy.compat32.clone(linesep="\r\n")

People = tuple[tuple[str, str], ...]
"""(display name, address) pairs."""


_LENIENT = {"strict": False} if hasattr(email.utils, "supports_strict_parsing") else {}
"""Strict parsing gives up all recipients when one of them is malformed; Python releases differ in having it."""

_ENCODED_WORD = r"=\?[^?\s]*\?[bBqQ]\?[^?]*\?="
_ENCODED_WORDS = re.compile(rf"{_ENCODED_WORD}(?:\s+{_ENCODED_WORD})*")


class _AsStored(email.policy.Compat32):
    """Header values as they lie in the mail; the standard policy replaces 8-bit bytes before anyone can read them."""

    def header_fetch_parse(self, name: str, value: str) -> str:  # noqa: ARG002 - the signature of the policy
        return value


_AS_STORED = _AsStored()


@dataclass(frozen=True)
class Attachment:
    name: str
    content_type: str
    content: bytes
    inline: bool
    content_id: str


@dataclass(frozen=True)
class ParsedMail:
    subject: str
    sender: People
    to: People
    cc: People
    bcc: People
    reply_to: People
    message_id: str
    in_reply_to: str
    references: str
    date: datetime | None
    """When it says it was sent, in UTC."""
    thread_index: str
    """Exchange's conversation index, base64."""
    body: str
    is_html: bool
    attachments: tuple[Attachment, ...]
    headers: str


def parse(raw: bytes) -> ParsedMail:
    """Read MIME. HTML wins over plain text when a mail offers both, because that is what Exchange keeps."""
    try:
        return _parsed(raw, email.message_from_bytes(raw, policy=_AS_STORED))
    except RecursionError:
        # Nested deeper than any mail program opens: what lies under the headers becomes one attachment.
        return _parsed(raw, _headers_of(raw))


def _parsed(raw: bytes, message: Message) -> ParsedMail:
    html, text, attachments = _walk(message)
    body = html if html is not None else (text or "")
    return ParsedMail(
        subject=header(message, "Subject"),
        sender=people(message, "From")[:1],
        to=people(message, "To"),
        cc=people(message, "Cc"),
        bcc=people(message, "Bcc"),
        reply_to=people(message, "Reply-To"),
        message_id=header(message, "Message-ID").strip(),
        date=_date(header(message, "Date")),
        in_reply_to=" ".join(header(message, "In-Reply-To").split()),
        references=" ".join(header(message, "References").split()),
        thread_index="".join(header(message, "Thread-Index").split()),
        body=body,
        is_html=html is not None,
        attachments=tuple(attachments),
        headers=_header_block(raw),
    )


def _date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def header(message: Message, name: str) -> str:
    """A header's text, encoded words decoded, folding undone; empty when absent."""
    value = message.get(name)
    return "" if value is None else _unfold(_decoded(str(value)))


def people(message: Message, name: str) -> People:
    """Addresses of all headers of this name. Names are decoded after splitting: an encoded name may hold a comma."""
    values = [_unfold(str(value)) for value in message.get_all(name) or ()]
    found = [_person(shown, address) for shown, address in getaddresses(values, **_LENIENT)]
    return tuple((shown, address) for shown, address in found if address)


def _person(shown: str, address: str) -> tuple[str, str]:
    if address.startswith("=?"):
        # Some systems encode "name <address>" as one word when the address is not ASCII.
        shown, address = parseaddr(_decoded(address))
    return _decoded(shown).strip(), _eight_bit(address).strip()


def _walk(message: Message) -> tuple[str | None, str | None, list[Attachment]]:
    html: str | None = None
    text: str | None = None
    attachments: list[Attachment] = []
    for part in _leaves(message):
        kind = part.get_content_type()
        if kind == "text/html" and html is None and not _is_attachment(part):
            html = _text(part)
        elif kind == "text/plain" and text is None and html is None and not _is_attachment(part):
            text = _text(part)
        else:
            attachments.append(_attachment(part, len(attachments) + 1))
    return html, text, attachments


def _leaves(message: Message) -> Iterator[Message]:
    """Parts without children; a nested mail is one part, not a tree to look into."""
    if message.get_content_type() == "message/rfc822" or not message.is_multipart():
        yield message
        return
    for part in message.get_payload():
        if isinstance(part, Message):
            yield from _leaves(part)


def _is_attachment(part: Message) -> bool:
    return part.get_content_disposition() == "attachment" or bool(_filename(part))


def _filename(part: Message) -> str:
    try:
        return _decoded(part.get_filename() or "")
    except ValueError:
        # A file name in a character set that cannot decode it.
        return ""


def _attachment(part: Message, number: int) -> Attachment:
    kind = part.get_content_type()
    name = _filename(part) or _default_name(kind, number)
    content_id = header(part, "Content-ID").strip().strip("<>")
    inline = part.get_content_disposition() == "inline" or (bool(content_id) and not _is_attachment(part))
    return Attachment(name, kind, _content(part), inline, content_id)


def _content(part: Message) -> bytes:
    # Asked without need, get_payload decodes the text by a character set that may be none.
    inner = part.get_payload() if part.is_multipart() else None
    first = inner[0] if isinstance(inner, list) and inner else None
    if part.get_content_type() == "message/rfc822" and isinstance(first, Message):
        nested = _written(first)
        # RFC 2046 forbids base64 here and mail systems do it all the same.
        encoded = str(part.get("Content-Transfer-Encoding") or "").strip().lower() == "base64"
        return _base64(nested) if encoded else nested
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _written(message: Message) -> bytes:
    """A nested mail as a mail of its own."""
    try:
        return message.as_bytes(policy=_AS_SENT)
    except (LookupError, ValueError):
        # Malformed so that the standard library cannot write it back: headers and content as they are.
        return _head(message) + b"\r\n" + b"\r\n".join(_content(part) for part in _leaves(message))


def _head(message: Message) -> bytes:
    """The header lines, but for the encoding, as the content that follows is decoded."""
    lines = [(name, value) for name, value in message.items() if name.lower() != "content-transfer-encoding"]
    return "".join(f"{name}: {value}\r\n" for name, value in lines).encode("utf-8", "surrogateescape")


def _base64(text: bytes) -> bytes:
    try:
        return base64.b64decode(text)
    except binascii.Error:
        return text


def _text(part: Message) -> str:
    try:
        charset = part.get_content_charset() or "utf-8"
    except ValueError:
        charset = "utf-8"
    return _readable(_content(part), charset)


def _readable(raw: bytes, charset: str) -> str:
    """Text that can be encoded again; what cannot be read as declared is shown byte by byte rather than dropped."""
    try:
        text = raw.decode(charset)
    except (LookupError, ValueError):
        return raw.decode("latin-1")
    return _without_halves(text)


def _without_halves(text: str) -> str:
    """Some character sets decode to halves of surrogate pairs, which no encoding takes."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _default_name(kind: str, number: int) -> str:
    return f"attachment-{number}.{'eml' if kind == 'message/rfc822' else 'bin'}"


def _decoded(value: str) -> str:
    """Encoded words (RFC 2047) decoded; raw 8-bit bytes read as UTF-8, else Latin-1."""
    return _ENCODED_WORDS.sub(lambda words: _words(words[0]), _eight_bit(value))


def _words(run: str) -> str:
    """Neighbouring encoded words: the blanks between them are not text, and a character may span two of them."""
    try:
        found = decode_header(run)
    except (ValueError, HeaderParseError):
        return run
    return "".join(
        chunk if isinstance(chunk, str) else _readable(chunk, charset or "ascii") for chunk, charset in found
    )


def _eight_bit(value: str) -> str:
    try:
        raw = value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return _without_halves(value)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _unfold(value: str) -> str:
    return re.sub(r"\r?\n[ \t]+", " ", value).replace("\r", "").replace("\n", "")


def _header_block(raw: bytes) -> str:
    end = re.search(rb"\r?\n\r?\n", raw)
    return raw[: end.start() if end else 0].decode("utf-8", "replace")


def _headers_of(raw: bytes) -> Message:
    return BytesHeaderParser(policy=_AS_STORED).parsebytes(raw)
