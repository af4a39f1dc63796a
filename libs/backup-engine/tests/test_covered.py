"""On storage with object lock, whoever has the storage's credentials can hide or cover objects, not end them."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from minio.commonconfig import ENABLED
from minio.versioningconfig import VersioningConfig

from backup_engine import NewItem, Repository, Snapshot, Tuning
from backup_engine.storage import LockMode, MemoryStorage, S3Storage
from backup_engine.testing.keys import LocalKeyWrapper
from backup_engine.testing.seaweed import OPERATOR, SeaweedServer

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def hidden(storage: MemoryStorage, key: str) -> None:
    storage.hide(key)


def garbage(storage: MemoryStorage, key: str) -> None:
    storage.cover(key, b"somebody else's bytes" * 20)


def moved(storage: MemoryStorage, key: str) -> None:
    """An authentic object of another name or another repository."""
    other = LocalKeyWrapper()
    strangers = MemoryStorage()
    Repository.create(strangers, other, tenant="contoso")
    storage.cover(key, strangers.objects["config"])


def newer(storage: MemoryStorage, key: str) -> None:
    """Says it is of a format to come."""
    body = storage.objects[key]
    storage.cover(key, body[:8] + b"\xff\xff" + body[10:])


def emptied(storage: MemoryStorage, key: str) -> None:
    storage.cover(key, b"")


@pytest.mark.parametrize("attack", [hidden, garbage, moved, newer, emptied])
def test_every_restore_point_comes_back_whatever_lies_on_top(
    *,
    attack: Callable[[MemoryStorage, str], None],
    wrapper: LocalKeyWrapper,
    tuning: Tuning,
    mail: Callable[..., bytes],
    commit: Callable[..., Snapshot],
    ulid: Callable[[int], str],
) -> None:
    storage = MemoryStorage(lock=LockMode.COMPLIANCE, clock=lambda: NOW)
    repository = Repository.create(storage, wrapper, tenant="contoso", tuning=tuning)
    with repository.open_session("box", ulid(1), parent=None) as session:
        for n in range(8):
            session.put_item(NewItem(f"m{n}", "mail", "1", "inbox", {}), mail(n, attachment=n))
        snapshot = commit(session)
    for key in list(storage.objects):
        attack(storage, key)

    again = Repository.open(storage, wrapper, tuning=tuning)
    assert [found.id for found in again.snapshots("box")] == [snapshot.id]
    rows = list(again.items("box", snapshot.id))
    assert [again.read(row) for row in rows] == [mail(n, attachment=n) for n in range(8)]
    assert [body for _, body in again.read_many(rows)] == [mail(n, attachment=n) for n in range(8)]


def test_a_bucket_that_keeps_versions_is_known_by_its_delete_marker(
    seaweed: SeaweedServer, wrapper: LocalKeyWrapper, tuning: Tuning
) -> None:
    """Without object lock nobody says that it keeps versions; a hidden `config` must not be taken for none."""
    operator, bucket = seaweed.client(OPERATOR), "versions-without-lock"
    operator.make_bucket(bucket)
    operator.set_bucket_versioning(bucket, VersioningConfig(ENABLED))

    def opened() -> S3Storage:
        return S3Storage(seaweed.endpoint, bucket, *seaweed.credentials(OPERATOR), ca_file=seaweed.ca_file)

    Repository.create(opened(), wrapper, tenant="contoso", tuning=tuning)
    written = opened().get("config")
    operator.remove_object(bucket, "config")  # without a version: a delete marker
    Repository.open_or_create(opened(), wrapper, tenant="contoso", tuning=tuning)
    versions = list(operator.list_objects(bucket, "config", include_version=True))
    assert sorted(one.is_delete_marker for one in versions) == [False, True]
    assert opened().get("config") == written


def test_a_bucket_that_began_to_keep_versions_later_is_known_by_what_is_older(
    seaweed: SeaweedServer, wrapper: LocalKeyWrapper, tuning: Tuning
) -> None:
    """The version of `config` is called "null" there: what is newer may be hidden all the same."""
    operator, bucket = seaweed.client(OPERATOR), "versions-since-later"
    operator.make_bucket(bucket)

    def opened() -> S3Storage:
        return S3Storage(seaweed.endpoint, bucket, *seaweed.credentials(OPERATOR), ca_file=seaweed.ca_file)

    Repository.create(opened(), wrapper, tenant="contoso", tuning=tuning)
    operator.set_bucket_versioning(bucket, VersioningConfig(ENABLED))
    opened().put("policies/00000001", b"x")
    operator.remove_object(bucket, "policies/00000001")  # without a version: a delete marker
    storage = opened()
    storage.get("config")
    assert [info.key for info in storage.list("") if info.hidden] == ["policies/00000001"]
