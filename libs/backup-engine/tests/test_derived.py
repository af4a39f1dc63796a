"""Derived files come back whole or not at all, cost no restore point, and go with the restore points they are of."""

import hashlib
import io
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import ModuleType

import pytest

from backup_engine import FormatUnsupported, IntegrityError, InvalidName, NewItem, Repository, copy_repository
from backup_engine.derived import PART
from backup_engine.header import Kind
from backup_engine.storage import MemoryStorage

Commit = Callable[..., object]
Ulid = Callable[[int], str]
SHARD = "box/anna"


@pytest.fixture
def point(repository: Repository, commit: Callable[..., object], ulid: Ulid) -> str:
    """A restore point of the shard."""
    with repository.open_session(SHARD, ulid(1), parent=None) as session:
        session.put_item(NewItem("m1", "mail", "1", ""), b"From: a\r\n\r\nhello\r\n")
        commit(session)
    return ulid(1)


def derived(memory: MemoryStorage) -> set[str]:
    return {name.removeprefix("derived/search/box/anna/") for name in memory.objects if name.startswith("derived/")}


def read(repository: Repository) -> bytes:
    found = repository.derived.newest("search", SHARD)
    assert found is not None
    into = io.BytesIO()
    repository.derived.fetch(found, into)
    return into.getvalue()


CONTENT = b"".join(bytes([n]) * PART for n in range(3)) + b"the end"


def test_a_file_comes_back_and_shares_the_parts_that_did_not_change(
    repository: Repository, reopened: Callable[[], Repository], memory: MemoryStorage, point: str, ulid: Ulid
) -> None:
    assert repository.derived.newest("search", SHARD) is None
    repository.derived.store("search", SHARD, ulid(10), io.BytesIO(CONTENT), [point])
    assert read(reopened()) == CONTENT
    changed = CONTENT[:PART] + b"x" + CONTENT[PART + 1 :]
    second = repository.derived.store("search", SHARD, ulid(11), io.BytesIO(changed), [point])
    assert read(reopened()) == changed
    assert [part.name.rpartition("/")[2] for part in second.parts] == [
        f"{ulid(10)}-000000",
        f"{ulid(11)}-000001",
        f"{ulid(10)}-000002",
        f"{ulid(10)}-000003",
    ]
    assert all(b"the end" not in body for name, body in memory.objects.items() if name.startswith("derived/"))


def test_a_version_without_a_head_is_none(
    repository: Repository, memory: MemoryStorage, point: str, ulid: Ulid
) -> None:
    repository.derived.store("search", SHARD, ulid(10), io.BytesIO(b"one"), [point])
    repository.derived.store("search", SHARD, ulid(11), io.BytesIO(b"two"), [point])
    del memory.objects[f"derived/search/{SHARD}/{ulid(11)}"]
    assert read(repository) == b"one"


@pytest.mark.parametrize("which", ["head", "part", "gone"])
def test_damage_is_said_and_the_next_version_shares_nothing_of_it(
    which: str, repository: Repository, memory: MemoryStorage, point: str, ulid: Ulid
) -> None:
    repository.derived.store("search", SHARD, ulid(10), io.BytesIO(CONTENT), [point])
    name = f"derived/search/{SHARD}/{ulid(10)}" + ("" if which == "head" else "-000001")
    memory.objects[name] = memory.objects[name][:-1] + b"?"
    if which == "gone":
        del memory.objects[name]
    with pytest.raises(IntegrityError):
        read(repository)
    report = repository.checks.rolling(at=repository.snapshot(SHARD, point).taken_at, session=ulid(20)).report
    assert [problem.key for problem in report.problems] == ([] if which == "gone" else [name])
    repository.refresh()
    repository.derived.store("search", SHARD, ulid(11), io.BytesIO(CONTENT[:PART]), [point])
    assert read(repository) == CONTENT[:PART]
    repository.derived.store("search", SHARD, ulid(12), io.BytesIO(CONTENT), [point], shared=False)
    assert read(repository) == CONTENT
    assert repository.verify(SHARD, point, 2).good


def test_a_file_of_another_shard_under_this_name_does_not_open(
    repository: Repository, memory: MemoryStorage, point: str, ulid: Ulid
) -> None:
    repository.derived.store("search", "box/ben", ulid(10), io.BytesIO(b"ben"), [point])
    memory.objects[f"derived/search/{SHARD}/{ulid(10)}"] = memory.objects[f"derived/search/box/ben/{ulid(10)}"]
    with pytest.raises(IntegrityError):
        repository.derived.newest("search", SHARD)


def test_the_collector_keeps_the_newest_version_and_what_is_under_way(
    repository: Repository, memory: MemoryStorage, point: str, ulid: Ulid
) -> None:
    now = repository.snapshot(SHARD, point).taken_at
    repository.derived.store("search", SHARD, ulid(10), io.BytesIO(CONTENT), [point])
    repository.derived.store("search", SHARD, ulid(11), io.BytesIO(CONTENT[: 2 * PART]), [point])
    memory.objects[f"derived/search/{SHARD}/{ulid(12)}-000000"] = b"a part of a version under way"
    repository.maintain(now, grace=timedelta(0))
    assert derived(memory) == {ulid(11), f"{ulid(10)}-000000", f"{ulid(10)}-000001", f"{ulid(12)}-000000"}
    assert read(repository) == CONTENT[: 2 * PART]


def test_a_file_goes_with_the_last_of_its_restore_points(
    repository: Repository, memory: MemoryStorage, point: str, ulid: Ulid
) -> None:
    expires = repository.snapshot(SHARD, point).expires_at
    repository.derived.store("search", SHARD, ulid(10), io.BytesIO(b"index"), [point])
    repository.derived.store("search", "box/nobody", ulid(10), io.BytesIO(b"index"), [ulid(9)])
    memory.objects[f"derived/search/box/empty/{ulid(12)}-000000"] = b"left behind by a writer that died"
    repository.maintain(expires - timedelta(days=1), grace=timedelta(0))
    assert derived(memory) == {ulid(10), f"{ulid(10)}-000000"}
    report = repository.maintain(expires + timedelta(days=1), grace=timedelta(0))
    assert report.expired == (f"snapshots/{SHARD}/{point}",)
    assert derived(memory) == set()


def test_a_damaged_newest_version_is_collected(
    repository: Repository, memory: MemoryStorage, point: str, ulid: Ulid
) -> None:
    repository.derived.store("search", SHARD, ulid(10), io.BytesIO(b"index"), [point])
    memory.objects[f"derived/search/{SHARD}/{ulid(10)}"] += b"?"
    assert not repository.maintain(repository.snapshot(SHARD, point).taken_at, grace=timedelta(0)).blocked
    assert derived(memory) == set()


def test_what_a_newer_release_wrote_is_left_alone(
    repository: Repository, memory: MemoryStorage, point: str, ulid: Ulid
) -> None:
    repository.derived.store("search", SHARD, ulid(10), io.BytesIO(b"index"), [point])
    name = f"derived/search/{SHARD}/{ulid(10)}"
    memory.objects[name] = memory.objects[name][:14] + bytes([max(Kind) + 1]) + memory.objects[name][15:]
    memory.objects["derived/another/layout"] = b"?"
    repository.maintain(repository.snapshot(SHARD, point).taken_at, grace=timedelta(0))
    assert len(derived(memory)) == 3
    with pytest.raises(FormatUnsupported):
        repository.derived.newest("search", SHARD)


def test_a_copy_leaves_it_out_and_is_complete(
    repository: Repository, memory: MemoryStorage, point: str, ulid: Ulid
) -> None:
    repository.derived.store("search", SHARD, ulid(10), io.BytesIO(b"index"), [point])
    target = MemoryStorage()
    assert copy_repository(memory, target).good
    assert {name for name in memory.objects if name not in target.objects and not name.startswith("sessions/")} == {
        f"derived/search/{SHARD}/{ulid(10)}",
        f"derived/search/{SHARD}/{ulid(10)}-000000",
    }


@pytest.mark.parametrize("kind", ["", "../x", "A", "a/b"])
def test_a_kind_that_is_none_is_refused(kind: str, repository: Repository, ulid: Ulid) -> None:
    with pytest.raises(InvalidName):
        repository.derived.store(kind, SHARD, ulid(1), io.BytesIO(b""), [])


def test_a_reader_that_shares_no_code_reads_the_vector(independent_reader: ModuleType) -> None:
    vector = Path(__file__).parent / "vectors" / "derived-1"
    said = json.loads((vector / "derived.json").read_text(encoding="utf-8"))
    files = [path for path in (vector / "objects").rglob("*") if path.is_file()]
    objects = {path.relative_to(vector / "objects").as_posix(): path.read_bytes() for path in files}
    keys = {int(n): bytes.fromhex(key) for n, key in said["data_keys"].items()}
    reader = independent_reader.SpecificationReader(objects, keys)
    head = reader.sealed(said["newest"], 17)
    parts = [reader.sealed(name, 17)["content"] for name, _, _ in head["parts"]]
    assert [(len(part), hashlib.sha256(part).digest()) for part in parts] == [(n, d) for _, n, d in head["parts"]]
    assert hashlib.sha256(b"".join(parts)).hexdigest() == said["sha256"]
    assert (head["snapshots"], head["size"]) == (said["snapshots"], sum(map(len, parts)))
    assert min(head["parts"])[0].startswith(f"derived/search/box/anna/{min(objects).rpartition('/')[2][:26]}-")
