"""The audit of a tenant as a file: one JSON object per line, a record or a seal, checked without any server."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from contracts.audit_chain import AuditHead, AuditRecord, AuditSeal
from contracts.texts import Text
from tenantkeep.commands.errors import CommandError

RECORD = "record"
SEAL = "seal"
_KINDS = ({RECORD}, {SEAL})


def write(path: Path, seals: Iterable[AuditSeal], records: Iterable[AuditRecord]) -> int:
    """Write the file whole or not at all; returns how many records."""
    part = path.with_name(f"{path.name}.part")
    written = 0
    try:
        with part.open("w", encoding="utf-8") as file:
            for seal in seals:
                file.write(_line(SEAL, seal.model_dump(mode="json")))
            for record in records:
                file.write(_line(RECORD, record.model_dump(mode="json")))
                written += 1
        part.replace(path)
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from error
    finally:
        part.unlink(missing_ok=True)
    return written


def seals(path: Path) -> list[AuditHead]:
    """The seals that were exported with the records."""
    try:
        return [AuditHead.model_validate(line[SEAL]) for line in _lines(path) if SEAL in line]
    except ValidationError as error:
        raise _unusable(path, "a seal in it cannot be read") from error


def records(path: Path) -> Iterator[dict[str, Any]]:
    """The records as they stand there, one at a time: what a model would make of them is not what was hashed."""
    for line in _lines(path):
        if RECORD in line:
            yield line[RECORD]


def tenant(path: Path) -> str:
    """Whose audit it is, as its first line says."""
    for line in _lines(path):
        return str(next(iter(line.values())).get("tenant", ""))
    raise _unusable(path, "it is empty")


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8") as file:
            for number, text in enumerate(file, start=1):
                line = json.loads(text)
                whole = isinstance(line, dict) and line.keys() in _KINDS
                if not whole or not all(isinstance(value, dict) for value in line.values()):
                    raise _unusable(path, f"line {number} is neither record nor seal")
                yield line
    except (OSError, ValueError) as error:
        raise _unusable(path, str(error)) from error


def _line(kind: str, value: dict[str, Any]) -> str:
    return json.dumps({kind: value}, ensure_ascii=False, sort_keys=True) + "\n"


def _unusable(path: Path, why: str) -> CommandError:
    return CommandError(
        Text(f"{path} is no export of the audit: {why}.", f"{path} ist kein Export des Audits: {why}."),
        Text("Make one: tenantkeep audit export --out FILE", "Einen anlegen: tenantkeep audit export --out DATEI"),
        code="audit-file",
    )
