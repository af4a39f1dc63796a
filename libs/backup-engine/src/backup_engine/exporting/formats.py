"""What an export can become on disk. Every writer makes `target` anew and never writes over anything."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from backup_engine.exporting.archive import FILES, MANIFEST, dumped, manifest_line, piece_entry, zip_chunks
from backup_engine.exporting.files import NewFiles, create
from backup_engine.exporting.layouts import maildir_folders, maildir_path, mbox_entry, mbox_path, received
from backup_engine.exporting.letters import Letter
from backup_engine.exporting.pieces import File, Piece


class Writer(Protocol):
    """Writes mails, and the files of what is no mail, to a place."""

    def __call__(self, letters: Iterable[Letter], target: Path, files: Iterable[File] = ()) -> None: ...


def write_zip(letters: Iterable[Letter], target: Path, files: Iterable[File] = ()) -> None:
    """One archive of EML files, other files and a manifest."""
    with target.open("xb") as file:
        for chunk in zip_chunks(letters, files):
            file.write(chunk)


def write_eml(letters: Iterable[Letter], target: Path, files: Iterable[File] = ()) -> None:
    """A folder per mail folder, an EML file per mail, and the manifest."""
    target.mkdir(exist_ok=True)
    made: set[str] = set()
    with (target / MANIFEST).open("xb") as manifest:
        with NewFiles() as mails:
            for letter in letters:
                path = None if letter.body is None else letter.path
                manifest.write(manifest_line(letter, path))
                if letter.body is None or path is None:
                    continue
                folder = path.rpartition("/")[0]
                if folder not in made:
                    (target / folder).mkdir(parents=True, exist_ok=True)
                    made.add(folder)
                mails.add(f"{target}/{path}", letter.body)
        for path, piece in _written(files, target):
            manifest.write(dumped(piece_entry(path, piece)))


def write_mbox(letters: Iterable[Letter], target: Path, files: Iterable[File] = ()) -> None:
    """An mbox file per mail folder, in the quoting of mboxrd."""
    target.mkdir(exist_ok=True)
    for letter in letters:
        if letter.body is None:
            continue
        file = target / mbox_path(letter.folder)
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab") as mbox:
            mbox.write(mbox_entry(letter, letter.body))
    write_files((), target, files)


def write_maildir(letters: Iterable[Letter], target: Path, files: Iterable[File] = ()) -> None:
    """A Maildir per mail folder, nested as the folders are; read, flagged and draft become the flags S, F and D."""
    target.mkdir(exist_ok=True)
    for letter in letters:
        if letter.body is None:
            continue
        for name in maildir_folders(letter.folder):
            (target / name).mkdir(parents=True, exist_ok=True)
        file = target / maildir_path(letter)
        _write(file, letter.body)
        moment = received(letter).timestamp()
        os.utime(file, (moment, moment))
    write_files((), target, files)


def write_files(letters: Iterable[Letter], target: Path, files: Iterable[File] = ()) -> None:
    """Files of what is no mail; of mails there are none."""
    del letters
    target.mkdir(exist_ok=True)
    for _ in _written(files, target):
        pass


FORMATS: Mapping[str, Writer] = {
    "zip": write_zip,
    "eml": write_eml,
    "mbox": write_mbox,
    "maildir": write_maildir,
    **dict.fromkeys(FILES, write_files),
}


def _written(files: Iterable[File], target: Path) -> Iterator[tuple[str, Piece]]:
    """Write the files; each piece with the path it is in, once it is there."""
    for path, pieces in files:
        file = target / path
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("xb") as opened:
            for piece in pieces:
                if piece.data is not None:
                    opened.write(piece.data)
                yield path, piece


def _write(file: Path, body: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    create(str(file), body)
