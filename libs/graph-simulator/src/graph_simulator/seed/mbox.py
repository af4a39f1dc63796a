"""Read an mboxrd file of any size as a stream of exact messages.

A line that starts with `From ` at the start of the file or after an empty line separates messages; that empty line
belongs to the separator. Of `>From `, `>>From ` … one `>` is taken away. Line ends stay as they are.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from graph_simulator import mime_parts, mime_properties
from graph_simulator.messages import Arrival
from graph_simulator.seed.mail import SeedMail, SourceInvalidError
from graph_simulator.times import now

_QUOTED = re.compile(rb">+From ")
_BLANK = (b"\n", b"\r\n")
_POSTMARK = re.compile(
    r"(?P<month>[A-Z][a-z]{2}) +(?P<day>\d{1,2}) (?P<time>\d\d:\d\d:\d\d)(?: (?P<zone>[+-]\d{4}))? (?P<year>\d{4})"
)


@dataclass(frozen=True, slots=True)
class MboxEntry:
    """A message and the separator line that introduced it."""

    separator: bytes
    raw: bytes


def split(stream: BinaryIO) -> Iterator[MboxEntry]:
    """Yield the messages of an mboxrd stream one by one. Raises SourceInvalidError if it does not begin as mbox."""
    separator = stream.readline()
    if not separator:
        return
    if not separator.startswith(b"From "):
        raise SourceInvalidError("an mbox file begins with a line that starts with 'From '")
    lines: list[bytes] = []
    after_blank = False
    for line in stream:
        if after_blank and line.startswith(b"From "):
            yield MboxEntry(separator, b"".join(lines[:-1]))
            separator, lines, after_blank = line, [], False
            continue
        after_blank = line in _BLANK
        lines.append(line[1:] if _QUOTED.match(line) else line)
    yield MboxEntry(separator, b"".join(lines[:-1] if after_blank else lines))


def read(path: Path, mailbox: str) -> Iterator[SeedMail]:
    """Yield the messages of an mbox file for the inbox, dated by Date header, else separator line, else now."""
    with path.open("rb") as stream:
        for entry in split(stream):
            yield SeedMail(mailbox, ("inbox",), entry.raw, Arrival(received=_received(entry), is_read=True))


def _received(entry: MboxEntry) -> datetime:
    headers = mime_parts.parse_headers(entry.raw)
    return mime_properties.date_of(headers) or _postmark(entry.separator) or now()


def _postmark(separator: bytes) -> datetime | None:
    found = _POSTMARK.search(separator.decode("ascii", "replace"))
    if found is None:
        return None
    text = "{month} {day} {time} {year} {zone}".format(**found.groupdict(default="+0000"))
    try:
        return datetime.strptime(text, "%b %d %H:%M:%S %Y %z").astimezone(UTC)
    except ValueError:  # such as the 31st of February
        return None
