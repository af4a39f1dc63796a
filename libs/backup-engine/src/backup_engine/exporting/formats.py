"""What an export can become on disk. Every writer makes `target` anew and never writes over anything."""

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from backup_engine.exporting.archive import MANIFEST, manifest_entry, zip_chunks
from backup_engine.exporting.letters import Letter
from backup_engine.exporting.names import part

Writer = Callable[[Iterable[Letter], Path], None]

_FROM = re.compile(rb"^(>*From )", re.MULTILINE)
_EPOCH = datetime.fromtimestamp(0, UTC)


def write_zip(letters: Iterable[Letter], target: Path) -> None:
    """One archive of EML files and a manifest."""
    with target.open("xb") as file:
        for chunk in zip_chunks(letters):
            file.write(chunk)


def write_eml(letters: Iterable[Letter], target: Path) -> None:
    """A folder per mail folder, an EML file per mail, and the manifest."""
    target.mkdir(exist_ok=True)
    with (target / MANIFEST).open("x", encoding="utf-8", newline="\n") as manifest:
        for letter in letters:
            manifest.write(json.dumps(manifest_entry(letter), ensure_ascii=False, sort_keys=True) + "\n")
            if letter.body is not None:
                _write(target.joinpath(*letter.path.split("/")), letter.body)


def write_mbox(letters: Iterable[Letter], target: Path) -> None:
    """An mbox file per mail folder, in the quoting of mboxrd; line ends stay as they are.

    Taking one `>` from lines of `>From ` gives back the stored bytes; a mail without a final line end gains one.
    """
    target.mkdir(exist_ok=True)
    for letter in letters:
        if letter.body is None:
            continue
        *parents, last = [part(name, "folder") for name in letter.folder] or ["mailbox"]
        file = target.joinpath(*parents, f"{last}.mbox")
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab") as mbox:
            mbox.write(f"From MAILER-DAEMON {_received(letter):%a %b %d %H:%M:%S %Y}\n".encode())
            mbox.write(_FROM.sub(rb">\1", letter.body))
            mbox.write(b"\n" if letter.body.endswith(b"\n") else b"\n\n")


def write_maildir(letters: Iterable[Letter], target: Path) -> None:
    """A Maildir per mail folder, nested as the folders are; read, flagged and draft become the flags S, F and D."""
    target.mkdir(exist_ok=True)
    for letter in letters:
        if letter.body is None:
            continue
        place = target.joinpath(*(part(name, "folder") for name in letter.folder))
        for name in ("cur", "new", "tmp"):
            (place / name).mkdir(parents=True, exist_ok=True)
        received = _received(letter).timestamp()
        file = place / "cur" / f"{received:.0f}.{letter.number:06d}.tenantkeep,S={letter.row.size}:2,{_flags(letter)}"
        _write(file, letter.body)
        os.utime(file, (received, received))


FORMATS: Mapping[str, Writer] = {
    "zip": write_zip,
    "eml": write_eml,
    "mbox": write_mbox,
    "maildir": write_maildir,
}


def _write(file: Path, body: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("xb") as opened:
        opened.write(body)


def _received(letter: Letter) -> datetime:
    try:
        found = datetime.fromisoformat(str(letter.row.meta.get("receivedDateTime")))
    except ValueError:
        return _EPOCH
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _flags(letter: Letter) -> str:
    meta = letter.row.meta
    flag = meta.get("flag")
    flagged = isinstance(flag, Mapping) and flag.get("flagStatus") == "flagged"
    return ("D" if meta.get("isDraft") else "") + ("F" if flagged else "") + ("S" if meta.get("isRead") else "")
