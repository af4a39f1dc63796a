"""Documents of services are sealed into the repository and come back, the newest first."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from backup_engine import IntegrityError, InvalidName, RecoveryKey, Repository
from backup_engine.documents import KEPT
from backup_engine.storage import MemoryStorage
from backup_engine.testing.keys import LocalKeyWrapper

Ulid = Callable[[int], str]


def exports(memory: MemoryStorage) -> list[str]:
    return [name for name in memory.objects if name.startswith("exports/")]


def test_the_recovery_key_reads_what_a_service_left(
    memory: MemoryStorage, wrapper: LocalKeyWrapper, ulid: Ulid
) -> None:
    key = RecoveryKey.generate()
    repository = Repository.create(memory, wrapper, tenant="contoso", recovery=key.public)
    assert repository.documents.put("token-service", ulid(1), {"tenant": "contoso", "umlaut": "ä"})
    assert repository.documents.put("backup-service", ulid(2), {"configurations": []})
    wrapper.available = False
    opened = Repository.open(memory, key).documents
    assert opened.services() == ["backup-service", "token-service"]
    assert opened.versions("token-service") == [{"tenant": "contoso", "umlaut": "ä"}]
    assert all(b"contoso" not in body for name, body in memory.objects.items() if name.startswith("exports/"))


def test_only_a_change_makes_a_new_version(repository: Repository, memory: MemoryStorage, ulid: Ulid) -> None:
    assert repository.documents.put("s", ulid(1), {"a": 1, "b": 2})
    assert not repository.documents.put("s", ulid(2), {"b": 2, "a": 1})
    assert repository.documents.put("s", ulid(3), {"a": 2})
    assert repository.documents.versions("s") == [{"a": 2}, {"a": 1, "b": 2}]
    assert len(exports(memory)) == 2


def test_old_versions_go_and_other_services_stay(repository: Repository, memory: MemoryStorage, ulid: Ulid) -> None:
    repository.documents.put("other", ulid(0), {"n": 0})
    for n in range(KEPT + 5):
        repository.documents.put("s", ulid(n), {"n": n})
    assert [version["n"] for version in repository.documents.versions("s")] == list(range(KEPT + 4, 4, -1))
    assert len(exports(memory)) == KEPT + 1


@pytest.mark.parametrize("service", ["", "../x", "A", "a/b"])
def test_a_name_that_is_none_is_refused(service: str, repository: Repository, ulid: Ulid) -> None:
    with pytest.raises(InvalidName):
        repository.documents.put(service, ulid(1), {})


def test_a_damaged_export_is_said(repository: Repository, memory: MemoryStorage, ulid: Ulid) -> None:
    repository.documents.put("s", ulid(1), {"n": 1})
    (name,) = exports(memory)
    memory.objects[name] = memory.objects[name][:-1] + b"x"
    with pytest.raises(IntegrityError):
        repository.documents.versions("s")


class Vector:
    """What a release wrote: bytes that are kept for ever."""

    def __init__(self) -> None:
        folder = Path(__file__).parent / "vectors" / "documents-1"
        said = json.loads((folder / "documents.json").read_text(encoding="utf-8"))
        self.newest_first: dict[str, list[dict[str, Any]]] = said["newest_first"]
        self.data_keys = {int(n): bytes.fromhex(key) for n, key in said["data_keys"].items()}
        self.wrapper = LocalKeyWrapper(bytes.fromhex(said["wrapping_key"]))
        top = folder / "objects"
        self.objects = {
            path.relative_to(top).as_posix(): path.read_bytes() for path in top.rglob("*") if path.is_file()
        }


def test_the_documents_of_the_vector_come_back() -> None:
    vector, memory = Vector(), MemoryStorage()
    memory.objects = vector.objects
    documents = Repository.open(memory, vector.wrapper, tenant="contoso").documents
    assert {service: documents.versions(service) for service in documents.services()} == vector.newest_first


def test_a_reader_that_shares_no_code_reads_the_vector(independent_reader: ModuleType) -> None:
    vector = Vector()
    reader = independent_reader.SpecificationReader(vector.objects, vector.data_keys)
    found: dict[str, list[Any]] = {}
    for name in sorted((name for name in vector.objects if name.startswith("exports/")), reverse=True):
        payload = reader.sealed(name, 15)
        assert payload["service"] == name.split("/")[1]
        found.setdefault(payload["service"], []).append(json.loads(payload["document"]))
    assert found == vector.newest_first
