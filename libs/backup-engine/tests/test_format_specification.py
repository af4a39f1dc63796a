"""A second reader, written from docs/reference/repository-format.md alone: it shares no code with the engine."""

import hashlib
import json
import random
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from backup_engine import NewItem, Repository, Snapshot
from backup_engine.holds import Hold, Release, Scope
from backup_engine.retention import Period
from backup_engine.storage import MemoryStorage
from backup_engine.testing.keys import LocalKeyWrapper

FILE = random.Random(1).randbytes(3 << 20)


@pytest.fixture
def specified(memory: MemoryStorage, wrapper: LocalKeyWrapper, independent_reader: ModuleType) -> Callable[[], Any]:
    """The repository as the independent reader sees it now."""

    def read() -> Any:
        record = json.loads(memory.objects["keys/1"])
        return independent_reader.SpecificationReader(
            memory.objects, {1: wrapper.unwrap(record["wraps"][0]["ciphertext"])}
        )

    return read


def test_the_specification_alone_suffices_to_restore(
    repository: Repository,
    memory: MemoryStorage,
    specified: Callable[[], Any],
    mail: Callable[..., bytes],
    commit: Callable[..., Snapshot],
) -> None:
    first, second = "01ARZ3NDEKTSV4RRFFQ0000001", "01ARZ3NDEKTSV4RRFFQ0000002"
    with repository.open_session("mail/anna", first, parent=None) as session:
        session.put_record("inbox", "folder", "1", "", {"b": 1, "a": "ä"})
        for n in range(20):
            session.put_item(NewItem(f"m{n:02d}", "mail", "1", "inbox", {"n": n}), mail(n, attachment=n % 7))
        session.checkpoint(b"half")
        session.put_item(NewItem("raw", "mail", "1", "inbox", {}), bytes(range(256)) * 3)
        session.put_stream(NewItem("file", "file", "1", "inbox", {}), [FILE[:1_000_000], FILE[1_000_000:]])
        for n in range(3):
            session.put_page_item(NewItem(f"event{n}", "event", "1", "inbox", {}), b'{"event":%d}' % n)
        commit(session)
    with repository.open_session("mail/anna", second, parent=first) as session:
        session.remove("m03")
        session.update_meta("m04", "2", "inbox", {"n": 400})
        commit(session, failed=[])
    reader = specified()
    config = reader.sealed("config", 1)
    assert (config["tenant"], config["part_min"], config["blob_max"]) == ("contoso", 6144, 4194304)
    assert config["flags"] == []
    assert (config["chunk_above"], config["chunk"]) == (1 << 20, [512 << 10, 1 << 20, 8 << 20])
    assert (config["chunk_large_from"], config["chunk_large"]) == (1 << 30, [1 << 20, 2 << 20, 8 << 20])
    assert (config["page_items"], config["page_bytes"]) == (32, 128 << 10)
    restored = reader.restore("mail/anna", second)
    expected = {f"m{n:02d}": (f'{{"n":{n}}}', mail(n, attachment=n % 7)) for n in range(20) if n != 3}
    expected["m04"] = ('{"n":400}', expected["m04"][1])
    expected["inbox"] = ('{"a":"ä","b":1}', None)
    expected["raw"] = ("{}", bytes(range(256)) * 3)
    expected["file"] = ("{}", FILE)
    expected |= {f"event{n}": ("{}", b'{"event":%d}' % n) for n in range(3)}
    assert restored == expected
    snapshot = reader.sealed(f"snapshots/mail/anna/{second}", 4)
    assert (snapshot["parent"], snapshot["complete"], snapshot["items"]) == (first, True, 24)
    assert set(snapshot) == {
        "shard", "session", "parent", "segments", "cursor", "nonce", "taken_at", "expires_at", "complete", "listed",
        "items", "bytes", "changed", "removed", "stored_bytes", "packs", "failed", "skipped", "engine",
        "content", "label", "retention_class", "locked_until",
    }  # fmt: skip
    lines = [
        json.dumps(
            {"key": key, "kind": kind, "meta": json.loads(meta), "parent": parent, "size": size,
             "sha256": sha256 and sha256.hex()},
            sort_keys=True, separators=(",", ":"), ensure_ascii=False,
        ) + "\n"
        for key, (kind, _, parent, meta, size, sha256, _) in sorted(reader.rows(snapshot["segments"]).items())
    ]  # fmt: skip
    assert snapshot["content"] == hashlib.sha256("".join(lines).encode()).digest()
    assert (snapshot["taken_at"], len(snapshot["nonce"])) == ("2026-03-01T12:00:00+00:00", 16)


def test_checkpoints_tombstones_and_openings_are_as_specified(
    repository: Repository,
    memory: MemoryStorage,
    specified: Callable[[], Any],
    mail: Callable[..., bytes],
) -> None:
    first, second = "01ARZ3NDEKTSV4RRFFQ0000001", "01ARZ3NDEKTSV4RRFFQ0000002"
    dead = repository.open_session("box", first, parent=None)
    dead.put_item(NewItem("m", "mail", "1", ""), mail(1))
    (pack,) = dead.checkpoint(b"cursor").packs
    dead.abort()
    repository.open_session("box", second, parent=None, adopt=first).abort()
    reader = specified()
    assert reader.sealed(f"sessions/{second}/open", 6) == {"shard": "box", "parent": None, "adopts": first}
    assert reader.sealed(f"sessions/{first}/ckpt-000000", 7) == {
        "shard": "box",
        "parent": None,
        "segments": [f"manifests/box/{first}-000000-000000"],
        "cursor": b"cursor",
        "changed": 1,
        "removed": 0,
        "stored_bytes": pack.size,
        "packs": [[pack.key, pack.size]],
    }
    assert reader.sealed(f"snapshots/box/{first}", 5) == {"session": first, "fenced_by": second}


def test_every_guard_the_page_names_exists() -> None:
    here = Path(__file__).parent
    page = (here.parents[2] / "docs/reference/repository-format.md").read_text()
    guards = re.findall(r"(test_\w+\.py)(?:::(\w+))?", page)
    assert len(guards) >= 10
    for file, test in guards:
        assert f"def {test}" in (here / file).read_text() if test else (here / file).exists(), (file, test)


def test_floor_and_holds_are_what_the_specification_says(
    repository: Repository,
    memory: MemoryStorage,
    specified: Callable[[], Any],
    ulid: Callable[[int], str],
) -> None:
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    repository.custody.set_floor(Period.parse("1y"), by="anna", at=at)
    repository.custody.place_hold(Hold(ulid(1), Scope("mail/anna"), "lawsuit", "anna", at))
    repository.custody.release_hold(ulid(1), Release("bert", at, "settled"))
    reader = specified()
    moment = "2026-03-01T12:00:00+00:00"
    assert reader.sealed("policies/00000001", 14) == {"period": "1y", "set_by": "anna", "set_at": moment}
    assert reader.sealed(f"holds/{ulid(1)}", 11) == {
        "shard": "mail/anna", "snapshot": None, "reason": "lawsuit", "by": "anna", "at": moment,
    }  # fmt: skip
    assert reader.sealed(f"holds/{ulid(1)}-released", 11) == {"by": "bert", "at": moment, "reason": "settled"}
