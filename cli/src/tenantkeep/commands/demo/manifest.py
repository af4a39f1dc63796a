"""What was put into the tenant, message by message, and the comparison of an export with it."""

import hashlib
import json
import unicodedata
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_BLOCK = 1 << 20
_MESSAGE = ".eml"

FolderKey = str
Contents = Counter[tuple[FolderKey, str]]
"""How often each (folder, SHA-256) occurs in a mailbox: mail may hold the same bytes twice."""


@dataclass(frozen=True)
class Comparison:
    """Result of comparing byte for byte: how many agree, and what is on one side only."""

    equal: int
    missing: int
    surplus: int

    @property
    def held(self) -> bool:
        """An empty comparison proves nothing, so it does not hold."""
        return self.equal > 0 and self.missing == 0 and self.surplus == 0


def read(file: Path, *, recoverable: bool = True) -> dict[str, Contents]:
    """Read a manifest, by user principal name: one JSON object per line with user, folder and sha256.

    With what was deleted and is still recoverable, as an export has it, or without, as a restore leaves it out.
    """
    users: dict[str, Contents] = {}
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            message = json.loads(line)
            if message.get("recoverable") and not recoverable:
                continue
            contents = users.setdefault(str(message["user"]), Counter())
            contents[folder_key(str(message["folder"])), str(message["sha256"])] += 1
    return users


def folder_key(path: str) -> FolderKey:
    """A folder's path without what file systems cannot hold: letters and digits only, case and form levelled.

    Archives replace characters such as `/` inside a folder's name, so names are compared by what must survive.
    """
    return "".join(c for c in unicodedata.normalize("NFKC", path).casefold() if c.isalnum())


def of_archive(archive: Path) -> Contents:
    """Hash every message of an exported ZIP, one after the other, without unpacking it."""
    found: Contents = Counter()
    with zipfile.ZipFile(archive) as opened:
        for entry in opened.infolist():
            if entry.is_dir() or not entry.filename.lower().endswith(_MESSAGE):
                continue
            digest = hashlib.sha256()
            with opened.open(entry) as message:
                while block := message.read(_BLOCK):
                    digest.update(block)
            found[folder_key(str(PurePosixPath(entry.filename).parent)), digest.hexdigest()] += 1
    return found


def compare(expected: Contents, found: Contents) -> Comparison:
    """Both as multisets, so that a message stored once instead of twice is missing once."""
    return Comparison(
        equal=(expected & found).total(), missing=(expected - found).total(), surplus=(found - expected).total()
    )
