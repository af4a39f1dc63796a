"""ZIP archives of a restore point, built while they are read: no disk, and one item at a time in memory."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from zipstream import ZIP_STORED, ZipStream

from backup_engine.exporting.calendars import ics_files
from backup_engine.exporting.contacts import vcard_files
from backup_engine.exporting.layouts import maildir_folders, maildir_path, mbox_entry, mbox_path
from backup_engine.exporting.letters import Letter, letters, letters_by_place
from backup_engine.exporting.pieces import File, Files, Piece, Wanted
from backup_engine.repository import Repository
from backup_engine.rows import meta_text

MANIFEST = "manifest.jsonl"
"""Last member: one JSON line per item with path, original folder, SHA-256 and sidecar; a damaged one has no path."""

_text = json.JSONEncoder(ensure_ascii=False, sort_keys=True).encode


def zip_chunks(letters: Iterable[Letter], files: Iterable[File] = ()) -> Iterator[bytes]:
    """An archive of one EML file per mail, and of other files, in pieces. Blocking."""
    archive = ZipStream(compress_type=ZIP_STORED)
    manifest: list[bytes] = []
    for letter in letters:
        path = None if letter.body is None else letter.path
        manifest.append(manifest_line(letter, path))
        if path is not None:
            archive.add(letter.body, path)
            yield from archive.all_files()
    yield from _finish(archive, files, manifest)


def eml_archive(repository: Repository, shard: str, snapshot: str, wanted: Wanted | None = None) -> Iterator[bytes]:
    """EML files in folders named like the mail folders. Blocking, as are the others."""
    return zip_chunks(letters(repository, shard, snapshot, wanted), other_files(repository, shard, snapshot, wanted))


def maildir_archive(repository: Repository, shard: str, snapshot: str, wanted: Wanted | None = None) -> Iterator[bytes]:
    """A Maildir per mail folder; unpack it on a system that allows colons in names."""
    archive = ZipStream(compress_type=ZIP_STORED)
    manifest: list[bytes] = []
    begun: set[str] = set()
    for letter in letters(repository, shard, snapshot, wanted):
        manifest.append(manifest_line(letter, None if letter.body is None else maildir_path(letter)))
        if letter.body is None:
            continue
        for folder in maildir_folders(letter.folder):
            if folder not in begun:
                archive.mkdir(folder)
                begun.add(folder)
        archive.add(letter.body, maildir_path(letter))
        yield from archive.all_files()
    yield from _finish(archive, other_files(repository, shard, snapshot, wanted), manifest)


def mbox_archive(repository: Repository, shard: str, snapshot: str, wanted: Wanted | None = None) -> Iterator[bytes]:
    """An mbox file (mboxrd) per mail folder; the manifest names them in the order of the files."""
    archive = ZipStream(compress_type=ZIP_STORED)
    manifest: list[bytes] = []
    for name, found in letters_by_place(repository, shard, snapshot, mbox_path, wanted):
        archive.add(_mbox(name, found, manifest), name)
        yield from archive.all_files()
    yield from _finish(archive, other_files(repository, shard, snapshot, wanted), manifest)


def files_archive(
    files: Files, repository: Repository, shard: str, snapshot: str, wanted: Wanted | None = None
) -> Iterator[bytes]:
    """Files of one kind, and no mail."""
    yield from _finish(ZipStream(compress_type=ZIP_STORED), files(repository, shard, snapshot, wanted), [])


def other_files(repository: Repository, shard: str, snapshot: str, wanted: Wanted | None = None) -> Iterator[File]:
    """What is no mail, of every kind there is."""
    for files in FILES.values():
        yield from files(repository, shard, snapshot, wanted)


FILES: Mapping[str, Files] = {"ics": ics_files, "vcf": vcard_files}
"""What an export holds beside mail, by the name of the format that holds nothing else."""

ARCHIVES: Mapping[str, Callable[[Repository, str, str, Wanted | None], Iterator[bytes]]] = {
    "eml": eml_archive,
    "mbox": mbox_archive,
    "maildir": maildir_archive,
    **{name: partial(files_archive, files) for name, files in FILES.items()},
}


def _mbox(name: str, found: Iterable[Letter], manifest: list[bytes]) -> Iterator[bytes]:
    for letter in found:
        manifest.append(manifest_line(letter, None if letter.body is None else name))
        if letter.body is not None:
            yield mbox_entry(letter, letter.body)


def _finish(archive: ZipStream, files: Iterable[File], manifest: list[bytes]) -> Iterator[bytes]:
    """Add the files that are no mail, and the manifest of everything."""
    for path, pieces in files:
        archive.add(_joined(path, pieces, manifest), path)
        yield from archive.all_files()
    archive.add(b"".join(manifest), MANIFEST)
    yield from archive


def _joined(path: str, pieces: Iterable[Piece], manifest: list[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        manifest.append(dumped(piece_entry(path, piece)))
        if piece.data is not None:
            yield piece.data


def piece_entry(path: str, piece: Piece) -> dict[str, Any]:
    """Which item a file holds, or lacks; the digest is that of the stored bytes."""
    row = piece.row
    entry = {
        "kind": row.kind,
        "key": row.key,
        "folder": list(piece.folder),
        "sha256": row.sha256.hex() if row.sha256 else "",
        "size": row.size,
    }
    damaged = {"damaged": piece.problem} if piece.problem else {}
    return {**entry, **damaged, **({} if piece.data is None else {"path": path})}


def manifest_line(letter: Letter, path: str | None) -> bytes:
    """What MIME does not carry, and the digest to check the file with; `path` None: there is no file."""
    row = letter.row
    entry: dict[str, Any] = {
        "folder": list(letter.folder),
        "sha256": row.sha256.hex() if row.sha256 else "",
        "size": row.size,
    }
    entry |= {"key": row.key, "damaged": letter.problem} if path is None else {"path": path}
    # What is known about a mail is canonical JSON already: its text is put in as it is.
    return f'{_text(entry)[:-1]}, "sidecar": {meta_text(row.meta)}}}\n'.encode()


def dumped(entry: Mapping[str, Any]) -> bytes:
    """A line of the manifest."""
    return f"{_text(entry)}\n".encode()
