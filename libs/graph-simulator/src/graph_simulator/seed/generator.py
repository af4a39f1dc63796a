"""Invent mailboxes that look like a German company's: deterministic from a seed, with the odd cases of real mail.

Sizes follow a log-normal distribution with a median near 12 KB and a mean near 45 KB.
"""

import base64
import math
import quopri
import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.header import Header
from email.utils import format_datetime, formataddr

from graph_simulator.messages import Arrival
from graph_simulator.seed import texts
from graph_simulator.seed.mail import SeedMail

NEWEST = datetime(2026, 9, 30, 17, 0, tzinfo=UTC)
MEDIAN_SIZE, SIZE_SIGMA, SMALLEST, LARGEST = 11_000, 1.63, 1_200, 4_000_000
TEXT_ONLY_BELOW = 6_000
SHARED_FILES = 40
FOLDERS: tuple[tuple[tuple[str, ...], int], ...] = (
    (("inbox",), 44),
    (("sentitems",), 15),
    (("inbox", "Projekte"), 10),
    (("inbox", "Projekte", "Angebote 2026"), 8),
    (("Rechnungen/Verträge",), 6),
    (("archive",), 8),
    (("Persönlich",), 4),
    (("deleteditems",), 3),
    (("Synchronisierungsprobleme",), 2),
)
HIDDEN_FOLDER = ("Synchronisierungsprobleme",)
EMPTY_FOLDER = ("Leerer Ordner",)
FILE_TYPES = (
    ("application/pdf", "pdf"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ("text/csv", "csv"),
    ("image/jpeg", "jpg"),
)
# The odd cases of real mail: (every how many mails, at which remainder).
WITHOUT_ID, EMPTY_BODY, NESTED, BARE_LF = (97, 13), (211, 5), (41, 3), (53, 7)
FILE_NAMES = ("Übersicht", "Angebot", "drawing", "Maße", "report")
ENCODINGS = ("quoted-printable", "base64", "8bit")


@dataclass(slots=True)
class MailGenerator:
    """Writes one mail after the other; the same seed writes the same bytes."""

    seed: int
    domain: str
    mailboxes: list[str]
    rng: random.Random = field(init=False)
    _shared: list[tuple[str, str, bytes]] = field(init=False)
    _logo: bytes = field(init=False)
    _previous: bytes = b""
    _count: int = 0

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)  # noqa: S311 - invented mail, reproducible on purpose
        self._logo = b"\x89PNG\r\n\x1a\n" + self.rng.randbytes(3_100)
        self._shared = [self._file(self.rng.randrange(4_000, 120_000)) for _ in range(SHARED_FILES)]

    def mails(self, count: int) -> Iterator[SeedMail]:
        """Yield `count` mails, dealt out to the mailboxes in turn."""
        for number in range(count):
            mailbox = self.mailboxes[number % len(self.mailboxes)]
            paths, weights = zip(*FOLDERS, strict=True)
            folder = self.rng.choices(paths, weights)[0]
            yield self.mail(mailbox, folder, NEWEST - timedelta(minutes=self.rng.randrange(60 * 24 * 700)))

    def mail(self, mailbox: str, folder: tuple[str, ...], date: datetime) -> SeedMail:
        """Write one mail for a folder of a mailbox."""
        raw = self._raw(mailbox, date, sent=folder == ("sentitems",))
        rng = self.rng
        arrival = Arrival(
            received=date + timedelta(seconds=rng.randrange(90)),
            is_read=rng.random() < 0.7,  # noqa: PLR2004 - most mail has been read
            categories=tuple(rng.sample(texts.CATEGORIES, rng.choices((0, 1, 2), (80, 15, 5))[0])),
            flag=rng.choices(("notFlagged", "flagged", "complete"), (90, 7, 3))[0],
            importance=rng.choices((None, "high", "low"), (92, 6, 2))[0],
        )
        return SeedMail(mailbox, folder, raw, arrival, hidden_folder=folder == HIDDEN_FOLDER)

    def _raw(self, mailbox: str, date: datetime, *, sent: bool) -> bytes:
        self._count += 1
        number = self._count
        size = self._size()
        headers = self._headers(mailbox, date, sent=sent, with_id=not _falls_on(number, WITHOUT_ID))
        if _falls_on(number, EMPTY_BODY):
            return "\r\n".join([*headers, 'Content-Type: text/plain; charset="utf-8"', "", ""]).encode()
        body = self._text(size) if size < TEXT_ONLY_BELOW else self._mixed(size, nested=_falls_on(number, NESTED))
        raw = "\r\n".join(headers).encode() + b"\r\n" + body
        self._previous = raw if len(raw) < LARGEST // 100 else self._previous
        return raw.replace(b"\r\n", b"\n") if _falls_on(number, BARE_LF) else raw

    def _size(self) -> int:
        return int(min(LARGEST, max(SMALLEST, self.rng.lognormvariate(math.log(MEDIAN_SIZE), SIZE_SIGMA))))

    def _headers(self, mailbox: str, date: datetime, *, sent: bool, with_id: bool) -> list[str]:
        rng = self.rng
        own = (mailbox.replace(".", " ").title(), f"{mailbox}@{self.domain}")
        name, local = rng.choice(texts.PEOPLE)
        other = (name, f"{local}@{rng.choice(('nordlicht.example', 'mueller-bau.example', 'carter.example'))}")
        sender, receiver = (own, other) if sent else (other, own)
        stamp = format_datetime(date)
        headers = [
            f"Received: from mx{hop}.{sender[1].split('@')[1]} (192.0.2.{rng.randrange(1, 255)})\r\n"
            f" by gw{hop}.{self.domain} with ESMTPS id {rng.getrandbits(64):016x}; {stamp}"
            for hop in range(rng.randrange(1, 4))
        ]
        headers += [
            f"DKIM-Signature: v=1; a=rsa-sha256; d=example; s=s1;\r\n b={base64.b64encode(rng.randbytes(96)).decode()}",
            f"From: {formataddr(sender)}",
            f"To: {formataddr(receiver)}",
            f"Subject: {_words(texts.fill(rng, rng.choice(texts.SUBJECTS)))}",
            f"Date: {stamp}",
            "MIME-Version: 1.0",
        ]
        if rng.random() < 0.2:  # noqa: PLR2004 - a fifth goes to more people
            headers.append(f"Cc: {', '.join(formataddr((n, f'{a}@{self.domain}')) for n, a in texts.PEOPLE[:3])}")
        if with_id:
            headers.append(f"Message-ID: <{rng.getrandbits(96):024x}@{sender[1].split('@')[1]}>")
        return headers

    def _text(self, size: int) -> bytes:
        text = texts.paragraph(self.rng, max(80, size - 1_100))
        return _text_part(
            "plain", text, self.rng.choice(ENCODINGS), self.rng.choice(("utf-8", "utf-8", "windows-1252"))
        )

    def _mixed(self, size: int, *, nested: bool) -> bytes:
        rng = self.rng
        text = texts.paragraph(rng, min(6_000, size // 4))
        with_logo = rng.random() < 0.6  # noqa: PLR2004 - signatures with a logo are everywhere
        paragraphs = "".join(f"<p>{line}</p>\n" for line in text.split("\n\n"))
        image = '<img src="cid:logo@contoso" alt="Logo">' if with_logo else ""
        markup = f"<html><head><style>p {{ margin: 0 }}</style></head><body>\n{paragraphs}{image}</body></html>\n"
        alternative = self._multipart(
            "alternative",
            _text_part("plain", text, rng.choice(ENCODINGS), "utf-8"),
            _text_part("html", markup, rng.choice(ENCODINGS), "utf-8"),
        )
        parts = [alternative]
        if with_logo:
            parts = [
                self._multipart("related", alternative, _file_part("image/png", "logo.png", self._logo, "logo@contoso"))
            ]
        if nested and self._previous:
            parts.append(b"Content-Type: message/rfc822\r\nContent-Disposition: attachment\r\n\r\n" + self._previous)
        left = size - sum(len(part) for part in parts) - 1_500
        while left > 2_000:  # noqa: PLR2004 - smaller attachments are rare
            kind, name, content = self._attachment(left)
            parts.append(_file_part(kind, name, content))
            left -= len(content) * 4 // 3
        return parts[0] if len(parts) == 1 else self._multipart("mixed", *parts)

    def _attachment(self, left: int) -> tuple[str, str, bytes]:
        fitting = [file for file in self._shared if len(file[2]) * 4 // 3 <= left]
        if fitting and self.rng.random() < 0.4:  # noqa: PLR2004 - the same files are sent around
            return self.rng.choice(fitting)
        return self._file(min(left * 3 // 4, self.rng.randrange(1_500, 2_000_000)))

    def _file(self, size: int) -> tuple[str, str, bytes]:
        kind, suffix = self.rng.choices(FILE_TYPES, (35, 30, 15, 20))[0]
        name = f"{self.rng.choice(FILE_NAMES)}-{self.rng.randrange(9999)}.{suffix}"
        match suffix:
            case "csv":
                row = ";".join(str(self.rng.randrange(10**6)) for _ in range(6)) + "\r\n"
                content = (row * (size // len(row) + 1)).encode()[:size]
            case "docx":
                filler = zlib.compress(texts.paragraph(self.rng, 3_000).encode())
                content = (b"PK\x03\x04" + filler + self.rng.randbytes(max(0, size - len(filler))))[:size]
            case "pdf":
                content = b"%PDF-1.7\n" + self.rng.randbytes(max(0, size - 9))
            case _:
                content = b"\xff\xd8\xff\xe0" + self.rng.randbytes(max(0, size - 4))
        return kind, name, content

    def _multipart(self, subtype: str, *parts: bytes) -> bytes:
        boundary = f"_{self.rng.getrandbits(80):020x}_".encode()
        head = b'Content-Type: multipart/%s; boundary="%s"\r\n\r\n' % (subtype.encode(), boundary)
        delimited = b"".join(b"--%s\r\n%s\r\n" % (boundary, part) for part in parts)
        return b"%s%s--%s--\r\n" % (head, delimited, boundary)


def _falls_on(number: int, case: tuple[int, int]) -> bool:
    every, remainder = case
    return number % every == remainder


def _text_part(subtype: str, text: str, encoding: str, charset: str) -> bytes:
    content = text.replace("\n", "\r\n").encode(charset, "replace")
    match encoding:
        case "quoted-printable":
            content = quopri.encodestring(content.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
        case "base64":
            content = base64.encodebytes(content).replace(b"\n", b"\r\n")
        case _:
            pass
    head = f'Content-Type: text/{subtype}; charset="{charset}"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'
    return head.encode() + content


def _file_part(kind: str, name: str, content: bytes, content_id: str | None = None) -> bytes:
    disposition = "inline" if content_id else "attachment"
    head = [
        f'Content-Type: {kind}; name="{_words(name)}"',
        f'Content-Disposition: {disposition}; filename="{_words(name)}"',
        "Content-Transfer-Encoding: base64",
    ]
    if content_id:
        head.append(f"Content-ID: <{content_id}>")
    return "\r\n".join(head).encode() + b"\r\n\r\n" + base64.encodebytes(content).replace(b"\n", b"\r\n")


def _words(text: str) -> str:
    return text if text.isascii() else Header(text, "utf-8", maxlinelen=998).encode()
