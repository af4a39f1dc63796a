"""Documents of services that nothing else in the repository tells, sealed into it (format, section 21)."""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from backup_engine import names
from backup_engine.errors import IntegrityError, StorageError
from backup_engine.header import Kind
from backup_engine.model import canonical_json
from backup_engine.sealed import SealedObjects
from backup_engine.storage.base import Storage

KEPT = 30
"""Versions of one service that stay; an unchanged document makes no new one."""

Document = Mapping[str, Any]
"""Whatever JSON can say; never a secret."""


class SealedDocuments:
    """Exports of each service, newest first. Thread-safe."""

    def __init__(self, storage: Storage, objects: SealedObjects) -> None:
        self._storage = storage
        self._objects = objects

    def put(self, service: str, export: str, document: Document) -> bool:
        """Keep `document` under the ULID `export`; False, and nothing written, when the newest one says the same."""
        known = self._names(service)
        text = canonical_json(document)
        if known and canonical_json(self._read(known[0])) == text:
            return False
        self._objects.put(names.export(service, export), Kind.EXPORT, {"service": service, "document": text})
        for name in known[KEPT - 1 :]:
            with suppress(StorageError):  # an account that may not delete keeps them all
                self._storage.delete(name)
        return True

    def versions(self, service: str) -> list[dict[str, Any]]:
        """All kept documents of a service, newest first."""
        return [self._read(name) for name in self._names(service)]

    def services(self) -> list[str]:
        return sorted({names.export_service(info.key) for info in self._storage.list(names.EXPORTS)})

    def _names(self, service: str) -> list[str]:
        return sorted((info.key for info in self._storage.list(names.export(service, ""))), reverse=True)

    def _read(self, name: str) -> dict[str, Any]:
        try:
            document = json.loads(self._objects.get(name, Kind.EXPORT)["document"])
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError(f"{name} opens but holds no document", key=name) from error
        if not isinstance(document, dict):
            raise IntegrityError(f"{name} opens but holds no document", key=name)
        return document
