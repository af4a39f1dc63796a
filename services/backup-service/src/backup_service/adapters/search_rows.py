"""Items and their texts as rows of a search file, and back."""

import hashlib
import json
import zlib
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from backup_engine import ItemRow
from backup_engine.model import canonical_json
from backup_service.domain.searching.entries import Entry, File, People
from backup_service.domain.searching.fold import fold

_FLEETING = {"isRead", "isDraft", "flag", "categories", "importance", "inferenceClassification"}
"""Of what is known about an item: what may change without its text being another one."""


def mark(row: ItemRow) -> bytes:
    """Differs when anything about the item does, its change mark of the source excepted."""
    digest = hashlib.sha256(canonical_json({"kind": row.kind, "parent": row.parent, "meta": dict(row.meta)}).encode())
    digest.update(row.sha256 or b"")
    return digest.digest()[:16]


def source(row: ItemRow) -> bytes:
    """Differs when the item's text may."""
    lasting = {name: value for name, value in row.meta.items() if name not in _FLEETING}
    digest = hashlib.sha256(canonical_json({"kind": row.kind, "meta": lasting}).encode())
    digest.update(row.sha256 or b"")
    return digest.digest()[:16]


def text_row(entry: Entry) -> tuple[Any, ...]:
    """Date, subject, sender, people, others, files, body."""
    return (
        0 if entry.date is None else int(entry.date.timestamp()),
        entry.subject,
        _json(entry.sender),
        _json(entry.to),
        _json(entry.others),
        _json([asdict(file) for file in entry.files]),
        zlib.compress(entry.text.encode("utf-8", "replace")),
    )


def entry(*columns: Any) -> Entry:
    """The entry of these values, its text left out when the last one is."""
    date, subject, sender, to, others, files, *body = columns
    return Entry(
        subject=subject,
        sender=_people(sender),
        to=_people(to),
        others=_people(others),
        files=tuple(File(**one) for one in json.loads(files)),
        text=zlib.decompress(body[0]).decode() if body else "",
        date=None if not date else datetime.fromtimestamp(date, UTC),
    )


def word_row(found: Entry) -> tuple[str, str, str, str, str]:
    """The columns of the full-text index: subject, sender, everybody, names of attachments, text."""
    return (
        fold(found.subject),
        fold(_spoken(found.sender)),
        fold(_spoken([*found.sender, *found.to, *found.others])),
        fold("\n".join(file.name for file in found.files)),
        fold(found.text),
    )


def _spoken(people: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"{name} {address}" for name, address in people)


def _people(text: str) -> People:
    return tuple((name, address) for name, address in json.loads(text))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace").decode()
