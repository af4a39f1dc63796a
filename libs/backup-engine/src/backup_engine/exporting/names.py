"""Names inside an export: readable, unique, and safe to unpack on any system, Windows included."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache

_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\ud800-\udfff]')
_RESERVED = re.compile(r"^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\..*)?$", re.IGNORECASE)
_FILES = (".eml", ".mbox", ".ics", ".vcf", ".jsonl")
_LONGEST = 80
"""Bytes of one path part."""
_LONGEST_PLACE = 120
"""Characters of the folders of a path. With the longest name below them 212 of the 259 that Windows takes are used; the
rest is for the folder an archive is unpacked into."""


def part(text: str, default: str) -> str:
    """One path part: no separators, control characters, reserved names, trailing dots or blanks."""
    name = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", text)).strip().rstrip(". ")
    while len(name.encode()) > _LONGEST:
        name = name[:-1].rstrip(". ")
    name = name or default
    return f"_{name}" if _RESERVED.match(name) else name


def place(folders: Sequence[str]) -> list[str]:
    """The folders of a path, none when there are none; of too many the innermost give way to a digest of them all."""
    parts = [_unlike_a_file(part(folder, "folder")) for folder in folders]
    if len("/".join(parts)) <= _LONGEST_PLACE:
        return parts
    rest = "~" + hashlib.sha256("/".join(folders).encode("utf-8", "replace")).hexdigest()[:12]
    while len("/".join([*parts, rest])) > _LONGEST_PLACE:
        parts.pop()
    return [*parts, rest]


def _unlike_a_file(name: str) -> str:
    """A folder must not take the name of a file beside it."""
    return f"{name}_" if name.lower().endswith(_FILES) else name


def mail_path(folders: tuple[str, ...], number: int, subject: str) -> str:
    """`Inbox/Projects/000042 Offer.eml`; the number keeps names unique."""
    return f"{_parents(folders)}{number:06d} {part(subject, 'no subject')}.eml"


@lru_cache(1024)
def _parents(folders: tuple[str, ...]) -> str:
    """Thousands of mails lie in one folder."""
    return "".join(f"{name}/" for name in place(folders))


def folder_paths(folders: Mapping[str, tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Path of every folder, names from the top, from {id: (name, parent id)}; an unknown parent is the root."""
    paths: dict[str, tuple[str, ...]] = {}

    def path(folder: str, seen: frozenset[str]) -> tuple[str, ...]:
        if folder in paths:
            return paths[folder]
        if folder not in folders or folder in seen:
            return ()
        name, parent = folders[folder]
        paths[folder] = (*path(parent, seen | {folder}), name)
        return paths[folder]

    for folder in folders:
        path(folder, frozenset())
    return paths
