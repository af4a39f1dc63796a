"""Where an object lies on an SFTP server (docs/reference/repository-format.md, section "SFTP").

All folders are made once, so that an account that may only add files never has to make one. Which folder an object
lies in follows from its name alone, and a listing reads as few folders as its prefix allows.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

from backup_engine.errors import InvalidName
from backup_engine.storage.base import check_key

MARKER = "layout-1"  # written last: with it all folders are there
INCOMING = "incoming"  # unfinished files
_OTHER = "other"  # whatever has no kind of its own, under its whole name
_LONGEST = 255  # bytes of a file's name


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str  # first part of the key
    folders: int = 1
    telling: int = 1  # how many of the following parts, without the last one of the key, choose the folder


_KINDS = {
    kind.name: kind
    for kind in (
        _Kind("keys"),
        _Kind("data", 64),
        _Kind("index", 16),
        _Kind("manifests", 16, telling=2),
        _Kind("snapshots", 64, telling=2),
        _Kind("sessions"),
        _Kind("gc"),
        _Kind("holds"),
        _Kind("receipts"),
        _Kind("damage"),
        _Kind("policies"),
        _Kind("exports"),
    )
}


def all_folders() -> tuple[list[str], list[str]]:
    """Every folder to be made, relative to the repository's: first the ones at the top, then those inside them."""
    inside = [folder for kind in _KINDS.values() if kind.folders > 1 for folder in _folders(kind)]
    return [INCOMING, _OTHER, *_KINDS], inside


def path_of(key: str) -> str:
    """The object's file, relative to the repository's folder. Raises InvalidName for a name no file can have."""
    kind, rest = _split(check_key(key))
    name = quote(rest, safe="@")
    if name.startswith("."):  # hidden, or no name at all
        name = "%2E" + name[1:]
    if len(name) > _LONGEST:
        raise InvalidName(f"{key}: a name of more than {_LONGEST} bytes does not fit on an SFTP server")
    return f"{_OTHER if kind is None else _folder(kind, rest.split('/')[:-1])}/{name}"


def folders_of(prefix: str) -> list[str]:
    """Every folder that may hold a key with this prefix."""
    kind, rest = _split(prefix)
    if kind is not None:
        complete = rest.split("/")[:-1]
        return [_folder(kind, complete)] if len(complete) >= kind.telling else list(_folders(kind))
    begun = [folder for kind in _KINDS.values() if f"{kind.name}/".startswith(prefix) for folder in _folders(kind)]
    return [_OTHER, *begun]


def key_of(folder: str, name: str) -> str:
    kind = folder.partition("/")[0]
    return unquote(name) if kind == _OTHER else f"{kind}/{unquote(name)}"


def _split(key: str) -> tuple[_Kind | None, str]:
    first, slash, rest = key.partition("/")
    return (_KINDS[first], rest) if slash and first in _KINDS else (None, key)


def _folders(kind: _Kind) -> Iterator[str]:
    if kind.folders == 1:
        return iter((kind.name,))
    return (f"{kind.name}/{n:02x}" for n in range(kind.folders))


def _folder(kind: _Kind, parts: Sequence[str]) -> str:
    if kind.folders == 1:
        return kind.name
    chosen = hashlib.sha256("/".join(parts[: kind.telling]).encode()).digest()[0] % kind.folders
    return f"{kind.name}/{chosen:02x}"
