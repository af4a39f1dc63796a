"""Repositories written by earlier releases, kept for ever: this release reads every one of them."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from backup_engine import FormatUnsupported, NewItem, Repository, Snapshot
from backup_engine.header import Kind
from backup_engine.recovery import SealedRecoveryKey
from backup_engine.storage import MemoryStorage
from backup_engine.testing.keys import LocalKeyWrapper

VECTORS = Path(__file__).parent / "vectors"
FOLDERS = sorted(folder.name for folder in VECTORS.iterdir() if (folder / "expected.json").exists())


class Vector:
    def __init__(self, folder: Path) -> None:
        self.expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
        self.storage = MemoryStorage()
        files = [path for path in (folder / "objects").rglob("*") if path.is_file()]
        self.storage.objects = {path.relative_to(folder / "objects").as_posix(): path.read_bytes() for path in files}
        self.wrapper = LocalKeyWrapper(bytes.fromhex(self.expected["wrapping_key"]))

    def check(self, repository: Repository) -> None:
        """Every restore point, item by item and byte by byte."""
        points = {(point.shard, point.id) for point in repository.snapshots()}
        assert points == {(point["shard"], point["id"]) for point in self.expected["points"]}
        for point in self.expected["points"]:
            rows = list(repository.items(point["shard"], point["id"]))
            found = {
                row.key: [row.kind, row.version, row.parent, dict(row.meta), row.size, row.sha256 and row.sha256.hex()]
                for row in rows
            }
            assert found == point["items"]
            read = {row.key: body for row, body in repository.read_many(rows)}
            assert {key: hashlib.sha256(body).hexdigest() for key, body in read.items()} == {
                key: item[5] for key, item in point["items"].items() if item[5]
            }


@pytest.fixture(params=FOLDERS)
def vector(request: pytest.FixtureRequest) -> Vector:
    return Vector(VECTORS / request.param)


def test_there_is_a_vector_of_format_1() -> None:
    assert "format-1" in FOLDERS


def test_nobody_has_touched_the_vector(vector: Vector) -> None:
    digests = {name: hashlib.sha256(body).hexdigest() for name, body in vector.storage.objects.items()}
    assert digests == vector.expected["objects"]


def test_what_is_expected_of_a_vector_is_only_ever_added() -> None:
    """Without this, an expectation could be changed together with the objects it speaks of."""
    lines = (VECTORS / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    sums = dict(reversed(line.split("  ")) for line in lines)
    assert sorted(sums) == sorted(path.relative_to(VECTORS).as_posix() for path in VECTORS.glob("*/*.json"))
    assert [name for name in sums if hashlib.sha256((VECTORS / name).read_bytes()).hexdigest() != sums[name]] == []


def test_the_engine_reads_it_with_the_vaults_key(vector: Vector) -> None:
    repository = Repository.open(vector.storage, vector.wrapper)
    vector.check(repository)
    for point in repository.snapshots():
        assert repository.verify(point.shard, point.id, 2).good
        assert repository.content_digest(point.shard, point.id) == point.content.hex()
    assert repository.checks.check_receipts().problems == ()


def test_the_engine_reads_it_with_the_customers_key(vector: Vector) -> None:
    recovery = SealedRecoveryKey.parse(vector.expected["recovery_key"]).open(vector.expected["passphrase"])
    vector.check(Repository.open(vector.storage, recovery))


def test_a_reader_that_shares_no_code_reads_it(vector: Vector, independent_reader: ModuleType) -> None:
    keys = {int(n): bytes.fromhex(key) for n, key in vector.expected["data_keys"].items()}
    independent = independent_reader.SpecificationReader(vector.storage.objects, keys)
    for point in vector.expected["points"]:
        restored = independent.restore(point["shard"], point["id"])
        assert {
            key: (json.loads(meta), body and hashlib.sha256(body).hexdigest()) for key, (meta, body) in restored.items()
        } == {key: (item[3], item[5] if item[4] else item[5] and b"") for key, item in point["items"].items()}


def test_backups_go_on_upon_it(vector: Vector, mail: Callable[..., bytes], commit: Callable[..., Snapshot]) -> None:
    repository = Repository.open(vector.storage, vector.wrapper)
    parent = repository.snapshots("mail/anna")[0]
    with repository.open_session("mail/anna", "01ARZ3NDEKTSV4RRFFR0000001", parent=parent.id) as session:
        session.put_item(NewItem("new", "mail", "1", "inbox"), mail(1))
        snapshot = commit(session)
    assert snapshot.items == parent.items + 1
    with repository.open_session(
        "mail/ben", "01ARZ3NDEKTSV4RRFFR0000002", parent=None, adopt=_unfinished(vector)
    ) as session:
        assert session.known("b1") is not None
        commit(session)
    assert repository.verify("mail/ben", "01ARZ3NDEKTSV4RRFFR0000002", 2).good


def _unfinished(vector: Vector) -> str:
    (name,) = (name for name in vector.storage.objects if name.startswith("sessions/") and name.endswith("/open"))
    return name.split("/")[1]


def test_it_holds_an_object_of_every_kind_that_stays(vector: Vector) -> None:
    kinds = {body[14] for name, body in vector.storage.objects.items() if body.startswith(b"TK")}
    # An intent goes with its commit; documents and derived files have vectors of their own.
    assert {kind.name for kind in Kind if kind not in kinds} <= {"INTENT", "EXPORT", "DERIVED"}


@pytest.mark.parametrize("version", [0, 2, 7, 65535])
def test_an_object_of_any_other_version_is_refused(vector: Vector, version: int) -> None:
    for prefix in ("config", "snapshots/", "manifests/calendar", "index/"):
        name = next(name for name in sorted(vector.storage.objects) if name.startswith(prefix))
        good = vector.storage.objects[name]
        vector.storage.objects[name] = good[:8] + version.to_bytes(2, "big") + good[10:]
        if prefix == "index/":
            index = Repository.open(vector.storage, vector.wrapper)._backing.index
            assert f"format {version}" in index.damaged[name]
        else:
            with pytest.raises(FormatUnsupported, match=f"format {version}"):
                vector.check(Repository.open(vector.storage, vector.wrapper))
        vector.storage.objects[name] = good
