"""Read a Maildir++ tree: `cur` and `new` are the inbox, `.A.B` is the folder A/B; flags come from the file names."""

import base64
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from graph_simulator import mime_parts, mime_properties
from graph_simulator.messages import Arrival
from graph_simulator.seed.mail import SeedMail, SourceInvalidError

_INFO = re.compile(r"[:;!]2,([A-Za-z]*)$")
_SHIFTED = re.compile(r"&([^-]*)-")


def read(root: Path, mailbox: str) -> Iterator[SeedMail]:
    """Yield all messages below a Maildir, folder by folder. Raises SourceInvalidError if it is none."""
    if not (root / "cur").is_dir() and not (root / "new").is_dir():
        raise SourceInvalidError(f"{root} has neither cur nor new: it is not a Maildir")
    yield from _folder(root, mailbox, ("inbox",))
    for folder in sorted(root.glob(".?*")):
        if (folder / "cur").is_dir() or (folder / "new").is_dir():
            names = tuple(_folder_name(part) for part in folder.name[1:].split("."))
            yield from _folder(folder, mailbox, names)


def total_size(root: Path) -> int:
    """Return the bytes of all messages below a Maildir."""
    return sum(file.stat().st_size for part in ("cur", "new") for file in root.glob(f"**/{part}/*") if file.is_file())


def _folder(folder: Path, mailbox: str, names: tuple[str, ...]) -> Iterator[SeedMail]:
    for part in ("cur", "new"):
        for file in sorted((folder / part).glob("*")):
            raw = file.read_bytes()
            found = _INFO.search(file.name)
            yield SeedMail(mailbox, names, raw, _arrival(file, raw, found[1] if found else ""))


def _arrival(file: Path, raw: bytes, flags: str) -> Arrival:
    date = mime_properties.date_of(mime_parts.parse_headers(raw))
    return Arrival(
        received=date or datetime.fromtimestamp(file.stat().st_mtime, UTC),
        is_read="S" in flags,
        is_draft="D" in flags,
        flag="flagged" if "F" in flags else "notFlagged",
    )


def _folder_name(name: str) -> str:
    """Decode IMAP's modified UTF-7 (RFC 3501 §5.1.3), in which Maildir++ names its folders."""

    def decode(found: re.Match[str]) -> str:
        letters = found[1].replace(",", "/")
        if not letters:
            return "&"
        return base64.b64decode(letters + "=" * (-len(letters) % 4)).decode("utf-16-be")

    return _SHIFTED.sub(decode, name)
