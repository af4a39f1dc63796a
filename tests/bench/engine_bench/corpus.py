"""A deterministic tree of mails and files, shaped like a Microsoft 365 tenant's.

Mails are log-normal in size (median about 30 KB, mean 60 KB), made of text, HTML and base64 attachments. What real
tenants share is shared here: a signature logo, a pool of attachments that are sent again and again, messages that
several mailboxes got (own headers and boundaries, equal parts), two versions of a large file. Equal arguments give
equal bytes.

    python -m engine_bench.corpus TREE                  make TREE/mbox-NNN/<folder>/<id>.eml and TREE/drive/<name>
    python -m engine_bench.corpus TREE --change 0.01    a later state: about 1 % new, edited and deleted
"""

import argparse
import base64
import hashlib
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from engine_bench.texts import Texts

FOLDERS = ["Inbox", "Inbox", "Inbox", "Sent Items", "Archive", "Projekte"]
MAILBOXES = 40
_POOL = 1500  # attachments that several mails share
_PACKED = {"pdf": b"%PDF-1.7\n", "docx": b"PK\x03\x04", "jpg": b"\xff\xd8\xff\xe0"}
_DRIVE_FILES = 4


@dataclass(frozen=True)
class Attachment:
    kind: str
    size: int  # bytes
    seed: int


@dataclass(frozen=True)
class Message:
    """What every delivery of a message has in common."""

    identity: str
    subject: str
    sender: int
    sent: int  # seconds since 1970
    body: str
    html: bytes
    attachments: tuple[Attachment, ...]
    logo: bool


class Author:
    """Writes messages; all randomness comes from the seed."""

    def __init__(self, seed: int) -> None:
        rng = random.Random(seed)
        self.texts = Texts(rng)
        self._logo = _base64(rng.randbytes(9_200))
        self._style = self.texts.style(rng)
        self._pool = [self._pooled(rng) for _ in range(_POOL)]
        self._weights = list(accumulate(1.0 / (i + 8) for i in range(_POOL)))
        self._encoded: dict[Attachment, bytes] = {}

    @staticmethod
    def _pooled(rng: random.Random) -> Attachment:
        size = int(min(8_000_000, max(2_000, rng.lognormvariate(10.35, 1.1))))
        kind = rng.choices(("pdf", "docx", "jpg", "csv", "txt"), (35, 25, 20, 12, 8))[0]
        return Attachment(kind, size, rng.getrandbits(64))

    def message(self, rng: random.Random) -> Message:
        length = int(min(60_000, max(200, rng.lognormvariate(7.8, 0.9))))
        body = self.texts.text(rng, length)
        attachments = tuple(self._attachments(rng))
        return Message(
            logo=rng.random() < 0.75,
            subject=self.texts.subject(rng),
            identity=f"{rng.getrandbits(128):032x}",
            sent=1_690_000_000 + rng.randrange(60_000_000),
            sender=rng.randrange(400),
            body=body,
            html=self._html(body),
            attachments=attachments,
        )

    def _attachments(self, rng: random.Random) -> Iterator[Attachment]:
        if rng.random() >= 0.40:
            return
        for _ in range(rng.choices((1, 2, 3, 5), (70, 18, 8, 4))[0]):
            if rng.random() < 0.40:
                yield rng.choices(self._pool, cum_weights=self._weights)[0]
            else:
                size = int(min(18_000_000, max(1_500, rng.lognormvariate(9.95, 1.1))))
                kind = rng.choices(("pdf", "docx", "jpg", "csv"), (35, 30, 25, 10))[0]
                yield Attachment(kind, size, rng.getrandbits(64))

    def _html(self, body: str) -> bytes:
        paragraphs = b"".join(
            b'<p class="MsoNormal"><span lang="DE">' + body[i : i + 240].encode() + b"</span></p>\r\n"
            for i in range(0, len(body), 240)
        )
        return b"".join(
            (b"<html><head>", self._style, b"</head><body>", paragraphs, b'<img src="cid:logo@corp"></body></html>')
        )

    def deliver(self, message: Message, recipient: int) -> bytes:
        """The bytes of one delivery: trace headers and MIME boundaries are its own."""
        rng = random.Random(f"{message.identity}/{recipient}")
        outer = f"_004_{rng.getrandbits(128):032X}_".encode()
        inner = f"_000_{rng.getrandbits(128):032X}_".encode()
        pieces = [
            "\r\n".join(_headers(rng, message, recipient)).encode(),
            b'\r\nContent-Type: multipart/mixed; boundary="', outer, b'"\r\n\r\n--', outer,
            b'\r\nContent-Type: multipart/alternative; boundary="', inner, b'"\r\n\r\n--', inner,
            b'\r\nContent-Type: text/plain; charset="utf-8"\r\nContent-Transfer-Encoding: 7bit\r\n\r\n',
            message.body.encode(), b"\r\n--", inner,
            b'\r\nContent-Type: text/html; charset="utf-8"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n',
            message.html, b"\r\n--", inner, b"--\r\n",
        ]  # fmt: skip
        for name, content_type, payload in self._parts(message):
            disposition = f'\r\nContent-Type: {content_type}; name="{name}"\r\nContent-Disposition: attachment; '
            disposition += f'filename="{name}"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
            pieces += [b"--", outer, disposition.encode(), payload]
        pieces += [b"--", outer, b"--\r\n"]
        return b"".join(pieces)

    def _parts(self, message: Message) -> Iterator[tuple[str, str, bytes]]:
        if message.logo:
            yield "logo.png", "image/png", self._logo
        for n, attachment in enumerate(message.attachments):
            yield f"anlage{n}.{attachment.kind}", f"application/{attachment.kind}", self._encode(attachment)

    def _encode(self, attachment: Attachment) -> bytes:
        known = self._encoded.get(attachment)
        if known is None:
            known = _base64(self._content(attachment))
            if len(self._encoded) < 4000:
                self._encoded[attachment] = known
        return known

    def _content(self, attachment: Attachment) -> bytes:
        rng = random.Random(attachment.seed)
        if attachment.kind == "csv":
            return self.texts.table(rng, attachment.size)
        if attachment.kind == "txt":
            return self.texts.text(rng, attachment.size)[: attachment.size].encode()
        head = _PACKED[attachment.kind]
        return head + rng.randbytes(attachment.size - len(head))


def _headers(rng: random.Random, message: Message, recipient: int) -> Iterator[str]:
    date = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(message.sent))
    for _ in range(4):
        here = f"AM0PR{rng.randrange(9999):04d}MB{rng.randrange(9999):04d}.eurprd04.prod.outlook.com"
        address = f"2603:10a6:{rng.randrange(65535):x}:{rng.randrange(65535):x}::{rng.randrange(99):x}"
        there = f"VI1PR{rng.randrange(9999):04d}MB{rng.randrange(9999):04d}.eurprd04.prod.outlook.com"
        yield f"Received: from {here} ({address})\r\n by {there} with HTTPS; {date}"
    seal = base64.b64encode(rng.randbytes(256)).decode()
    yield f"ARC-Seal: i=1; a=rsa-sha256; s=arcselector; d=microsoft.com; cv=none; b={seal}"
    yield f"X-MS-Exchange-Organization-Network-Message-Id: {rng.getrandbits(128):032x}"
    yield "X-Microsoft-Antispam-Message-Info: " + base64.b64encode(rng.randbytes(700)).decode()
    yield "X-MS-Exchange-Organization-AuthAs: Internal"
    yield "X-MS-Exchange-Transport-CrossTenantHeadersStamped: AM0PR04MB1234"
    yield f"From: Person {message.sender:03d} <p{message.sender:03d}@corp.example>"
    yield f"To: Person {recipient:03d} <p{recipient:03d}@corp.example>"
    yield f"Subject: {message.subject}"
    yield f"Message-ID: <{message.identity}@corp.example>"
    yield f"Date: {date}\r\nMIME-Version: 1.0"


def build(tree: Path, *, mails: int, seed: int, large_mb: int) -> None:
    """Make the tree; `large_mb` MiB of it are files in drive/."""
    author = Author(seed)
    rng = random.Random(seed * 7919 + 1)
    made = 0
    while made < mails:
        message = author.message(rng)
        deliveries = rng.choices((1, 2, 3, 5), (80, 12, 5, 3))[0]
        for recipient in rng.sample(range(MAILBOXES), deliveries)[: mails - made]:
            name = hashlib.sha1(f"{message.identity}/{recipient}".encode(), usedforsecurity=False).hexdigest()[:24]
            folder = tree / f"mbox-{recipient:03d}" / rng.choice(FOLDERS)
            write(folder / f"{name}.eml", author.deliver(message, recipient))
            made += 1
    if large_mb:
        _build_drive(tree / "drive", author.texts, random.Random(seed + 99), (large_mb << 20) // _DRIVE_FILES)


def _build_drive(drive: Path, texts: Texts, rng: random.Random, size: int) -> None:
    """A video, a presentation and an edited copy of it, a table; `size` bytes each."""
    write(drive / "video.mp4", rng.randbytes(size))
    deck = bytearray(rng.randbytes(size))
    write(drive / "deck-v1.pptx", bytes(deck))
    deck[size // 64 : size // 64] = rng.randbytes(5_011)
    deck[size // 3 : size // 3 + 4_000] = rng.randbytes(3_000)
    write(drive / "deck-v2.pptx", bytes(deck))
    write(drive / "export.csv", texts.export(rng, size))


def change(tree: Path, *, seed: int, fraction: float, held: Path | None = None) -> None:
    """A later state of the tree: of `fraction` of the mails 60 % are new, 20 % deleted, 20 % edited in the header.

    New mails come from `held` when that is given: real mail has no author to ask.
    """
    rng = random.Random(f"{seed}/change")
    mails = sorted(tree.glob("mbox-*/**/*.eml"))
    deleted, edited = int(len(mails) * fraction * 0.2), int(len(mails) * fraction * 0.2)
    chosen = rng.sample(mails, deleted + edited)
    for path in chosen[:deleted]:
        path.unlink()
    for path in chosen[deleted:]:
        write(path, b"X-MS-Changed: yes\r\n" + path.read_bytes())
    _arrive(tree, rng, seed, int(len(mails) * fraction * 0.6), held)
    deck, export = tree / "drive" / "deck-v2.pptx", tree / "drive" / "export.csv"
    if deck.exists():
        body = bytearray(deck.read_bytes())
        at = rng.randrange(len(body))
        body[at:at] = rng.randbytes(777)
        write(deck, bytes(body))
        write(export, export.read_bytes() + rng.randbytes(100_000).hex().encode())


def _arrive(tree: Path, rng: random.Random, seed: int, count: int, held: Path | None) -> None:
    if held is not None:
        for path in sorted(held.iterdir())[:count]:
            write(tree / "mbox-000" / "Inbox" / path.name, path.read_bytes())
        return
    author = Author(seed)
    for _ in range(count):
        recipient = rng.randrange(MAILBOXES)
        body = author.deliver(author.message(rng), recipient)
        write(tree / f"mbox-{recipient:03d}" / "Inbox" / f"{rng.getrandbits(96):024x}.eml", body)


def write(path: Path, body: bytes) -> None:
    """Replace, never rewrite: other trees may hold hard links to the old bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(body)


def _base64(body: bytes) -> bytes:
    return base64.encodebytes(body).replace(b"\n", b"\r\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tree", type=Path)
    parser.add_argument("--mails", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--large-mb", type=int, default=256)
    parser.add_argument("--change", type=float, default=0.0)
    parser.add_argument("--held", type=Path)
    chosen = parser.parse_args()
    if chosen.change:
        change(chosen.tree, seed=chosen.seed, fraction=chosen.change, held=chosen.held)
    else:
        build(chosen.tree, mails=chosen.mails, seed=chosen.seed, large_mb=chosen.large_mb)
    print(json.dumps({"tree": str(chosen.tree)}))


if __name__ == "__main__":
    main()
