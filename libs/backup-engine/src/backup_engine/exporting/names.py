"""Names inside an export: readable, unique, and safe to unpack on any system, Windows included."""

import re
import unicodedata
from collections.abc import Mapping

_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\ud800-\udfff]')
_RESERVED = re.compile(r"^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\..*)?$", re.IGNORECASE)
_LONGEST = 100
"""Bytes of one path part: with nested folders the whole stays below what Windows unpacks."""


def part(text: str, default: str) -> str:
    """One path part: no separators, control characters, reserved names, trailing dots or blanks."""
    name = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", text)).strip().rstrip(". ")
    while len(name.encode()) > _LONGEST:
        name = name[:-1].rstrip(". ")
    name = name or default
    return f"_{name}" if _RESERVED.match(name) else name


def mail_path(folders: tuple[str, ...], number: int, subject: str) -> str:
    """`Inbox/Projects/000042 Offer.eml`; the number keeps names unique."""
    parents = [part(folder, "folder") for folder in folders]
    return "/".join([*parents, f"{number:06d} {part(subject, 'no subject')}.eml"])


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
