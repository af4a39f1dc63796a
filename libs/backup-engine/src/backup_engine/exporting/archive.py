"""A ZIP of EML files, built while it is read: no disk, and one mail at a time in memory."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from zipstream import ZIP_STORED, ZipStream

from backup_engine.exporting.letters import Letter

MANIFEST = "manifest.jsonl"
"""Last member: one JSON line per mail with path, original folder, SHA-256 and sidecar; a damaged mail has no path."""


def zip_chunks(letters: Iterable[Letter]) -> Iterator[bytes]:
    """The archive in pieces. Blocking."""
    archive = ZipStream(compress_type=ZIP_STORED)
    manifest: list[bytes] = []
    for letter in letters:
        manifest.append(json.dumps(manifest_entry(letter), ensure_ascii=False, sort_keys=True).encode() + b"\n")
        if letter.body is not None:
            archive.add(letter.body, letter.path)
            yield from archive.all_files()
    archive.add(b"".join(manifest), MANIFEST)
    yield from archive


def manifest_entry(letter: Letter) -> dict[str, Any]:
    """What MIME does not carry, and the digest to check the file with."""
    row = letter.row
    entry = {
        "folder": list(letter.folder),
        "sha256": row.sha256.hex() if row.sha256 else "",
        "size": row.size,
        "sidecar": dict(row.meta),
    }
    if letter.body is None:
        return {**entry, "key": row.key, "damaged": letter.problem}
    return {**entry, "path": letter.path}
