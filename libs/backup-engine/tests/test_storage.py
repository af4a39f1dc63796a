"""One behaviour suite for every storage; the expectations are written by hand."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backup_engine import AlreadyExists, LockUnsupported, NotFound, StorageDenied, StorageUnreachable
from backup_engine.storage import (
    LimitedStorage,
    Limits,
    LocalStorage,
    MeasuredStorage,
    MemoryStorage,
    Meter,
    PrefixedStorage,
    Retention,
    RetryingStorage,
    S3Storage,
    SFTPStorage,
    Storage,
    probe,
)
from backup_engine.testing.seaweed import SeaweedServer


@pytest.fixture(params=["memory", "local", "s3", "sftp", "openssh", "wrapped"])
def storage(request: pytest.FixtureRequest, scratch: Path) -> Iterator[Storage]:
    own = f"{abs(hash(request.node.nodeid)):x}"
    if request.param == "s3":
        server: SeaweedServer = request.getfixturevalue("seaweed")
        s3 = server.storage("contoso", f"contoso/{own}")
        yield s3
        s3.close()
        return
    if request.param in {"sftp", "openssh"}:
        sftp = request.getfixturevalue(request.param).address.storage(own)
        yield sftp
        sftp.close()
        return
    yield {
        "memory": MemoryStorage,
        "local": lambda: LocalStorage(scratch),
        "wrapped": lambda: MeasuredStorage(
            LimitedStorage(RetryingStorage(PrefixedStorage(MemoryStorage(), "a/tenant")), Limits(requests=4)), Meter()
        ),
    }[request.param]()


def test_what_was_put_comes_back(storage: Storage) -> None:
    storage.put("data/x/1", b"one")
    storage.put("empty", b"")
    assert storage.get("data/x/1") == b"one"
    assert storage.get("empty") == b""


def test_ranges_are_cut_at_the_end_of_the_object(storage: Storage) -> None:
    storage.put("k", b"0123456789")
    assert storage.get("k", 2, 3) == b"234"
    assert storage.get("k", 7) == b"789"
    assert storage.get("k", 8, 100) == b"89"
    assert storage.get("k", 10) == b""
    assert storage.get("k", 50, 5) == b""
    assert storage.get("k", 3, 0) == b""


def test_an_existing_object_is_never_overwritten(storage: Storage) -> None:
    storage.put("k", b"first")
    with pytest.raises(AlreadyExists) as caught:
        storage.put("k", b"second")
    assert caught.value.key == "k"
    assert storage.get("k") == b"first"


def test_of_racing_writers_exactly_one_wins(storage: Storage) -> None:
    def put(n: int) -> int | None:
        try:
            storage.put("race", b"%d" % n)
        except AlreadyExists:
            return None
        return n

    with ThreadPoolExecutor(8) as pool:
        winners = [n for n in pool.map(put, range(8)) if n is not None]
    assert len(winners) == 1
    assert storage.get("race") == b"%d" % winners[0]


def test_a_missing_object_is_not_found(storage: Storage) -> None:
    for read in (lambda: storage.get("missing"), lambda: storage.get("missing", 0, 0)):
        with pytest.raises(NotFound) as caught:
            read()
        assert caught.value.key == "missing"


def test_listings_are_sorted_by_key_and_know_sizes(storage: Storage) -> None:
    for key in ("a/x", "a-b/x", "a/b/c", "b", "a.txt", "a/B"):
        storage.put(key, key.encode())
    found = [(info.key, info.size) for info in storage.list("")]
    assert found == [("a-b/x", 5), ("a.txt", 5), ("a/B", 3), ("a/b/c", 5), ("a/x", 3), ("b", 1)]


def test_a_prefix_is_text_not_a_folder(storage: Storage) -> None:
    for key in ("s/1/ckpt-0", "s/1/ckpt-1", "s/1/open", "s/10/open"):
        storage.put(key, b"")
    assert [info.key for info in storage.list("s/1/ckpt-")] == ["s/1/ckpt-0", "s/1/ckpt-1"]
    assert [info.key for info in storage.list("s/1")] == ["s/1/ckpt-0", "s/1/ckpt-1", "s/1/open", "s/10/open"]
    assert list(storage.list("s/2/")) == []


def test_delete_is_idempotent_and_frees_the_name(storage: Storage) -> None:
    storage.put("k", b"1")
    storage.delete("k")
    storage.delete("k")
    with pytest.raises(NotFound):
        storage.get("k")
    storage.put("k", b"2")
    assert storage.get("k") == b"2"


@pytest.mark.parametrize("key", ["", "/a", "a//b", "a/../b", "."])
def test_keys_that_some_store_cannot_hold_are_refused(storage: Storage, key: str) -> None:
    with pytest.raises(ValueError, match="not a storage key"):
        storage.put(key, b"")


def test_a_storage_without_locks_says_so_and_stores_nothing(storage: Storage) -> None:
    until = datetime(2036, 1, 1, tzinfo=UTC)
    assert storage.lock is None
    with pytest.raises(LockUnsupported):
        storage.put("k", b"1", retain_until=until)
    storage.put("k", b"1")
    for attempt in (lambda: storage.extend("k", until), lambda: storage.hold("k", on=True)):
        with pytest.raises(LockUnsupported):
            attempt()
    assert storage.retention("k") == Retention(until=None, held=False)
    assert list(storage.versions("k")) == []
    with pytest.raises(NotFound):
        storage.retention("missing")


def test_a_storage_that_keeps_its_promises_passes_the_probe(storage: Storage) -> None:
    report = probe(storage)
    first = ["write", "read", "range_read", "list", "overwrite_refused", "delete"]
    if isinstance(storage, SFTPStorage):
        first = ["folders", *first]
    more = ["free_space", "clock"] if isinstance(storage, SFTPStorage) else ["clock"]
    assert [(step.name, step.ok) for step in report.steps] == [(name, True) for name in [*first, *more]]
    assert list(storage.list("")) == []


def test_a_thousand_and_one_objects_are_listed_over_pages(seaweed: SeaweedServer) -> None:
    storage = seaweed.storage("contoso", "contoso/pages")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: storage.put(f"p/{n:04d}", b"x"), range(1001)))
    assert [info.key for info in storage.list("p/")] == [f"p/{n:04d}" for n in range(1001)]
    storage.close()


def test_the_meter_counts_what_the_server_is_asked(seaweed: SeaweedServer) -> None:
    meter = Meter()
    inner = seaweed.storage("contoso", "contoso/metered")
    storage = MeasuredStorage(inner, meter)
    before = seaweed.requests()
    for name in ("a", "b", "c"):
        storage.put(name, b"x" * 10)
    storage.get("a")
    storage.get("b", 2, 3)
    list(storage.list(""))
    storage.delete("c")
    assert dict(seaweed.requests() - before) == meter.requests == {"put": 3, "get": 2, "list": 1, "delete": 1}
    inner.close()


def test_one_tenants_identity_cannot_touch_anothers_prefix(seaweed: SeaweedServer) -> None:
    seaweed.storage("contoso", "contoso/own").put("secret", b"1")
    stranger = seaweed.storage("fabrikam")
    attempts: list[Callable[[], object]] = [
        lambda: stranger.get("contoso/own/secret"),
        lambda: stranger.put("contoso/own/other", b"2"),
        lambda: list(stranger.list("contoso/")),
        lambda: list(stranger.list("")),
        lambda: stranger.delete("contoso/own/secret"),
    ]
    for attempt in attempts:
        with pytest.raises(StorageDenied):
            attempt()
    assert seaweed.storage("contoso", "contoso/own").get("secret") == b"1"


def test_wrong_credentials_and_buckets_need_a_person(seaweed: SeaweedServer) -> None:
    for bucket, secret in (("tenantkeep", "wrong"), ("missing-bucket", None)):
        access, right = seaweed.credentials("contoso")
        storage = S3Storage(seaweed.endpoint, bucket, access, secret or right, ca_file=seaweed.ca_file)
        with pytest.raises(StorageDenied):
            storage.put("contoso/k", b"")
        storage.close()


def test_a_server_that_is_not_there_is_worth_another_try(seaweed: SeaweedServer) -> None:
    storage = S3Storage("127.0.0.1:9", "bucket", "a", "b", ca_file=seaweed.ca_file)
    with pytest.raises(StorageUnreachable):
        storage.get("k")
    storage.close()


def test_a_local_write_that_fails_leaves_nothing_behind(scratch: Path) -> None:
    storage = LocalStorage(scratch)
    storage.put("a/k", b"first")
    with pytest.raises(AlreadyExists):
        storage.put("a/k", b"second")
    assert [path.name for path in scratch.rglob("*") if path.is_file()] == ["k"]
