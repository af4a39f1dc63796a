"""On storage with object lock, whoever has the storage's credentials can hide or cover objects, not end them."""

from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest
from minio.commonconfig import ENABLED
from minio.versioningconfig import VersioningConfig

from backup_engine import NewItem, Repository, Snapshot, Tuning
from backup_engine.errors import AlreadyCommitted, NotFound, SessionFenced
from backup_engine.storage import LockMode, MemoryStorage, S3Storage
from backup_engine.storage.base import ObjectInfo
from backup_engine.testing.keys import LocalKeyWrapper
from backup_engine.testing.seaweed import OPERATOR, SeaweedServer

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
REFUSED = b"<Error><Code>AccessDenied</Code><Message>s3:ListBucketVersions is not allowed</Message></Error>"
LISTED = b"""<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>bucket</Name><Contents><Key>config</Key>
<LastModified>2026-03-01T12:00:00.000Z</LastModified><Size>7</Size></Contents></ListBucketResult>"""


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


def test_a_hidden_key_opens_where_nothing_has_told_yet_that_there_are_versions(
    seaweed: SeaweedServer, wrapper: LocalKeyWrapper
) -> None:
    """`keys/` may be listed before the first object was read: with threads that is a race."""
    operator, bucket = seaweed.client(OPERATOR), "versions-of-keys"
    operator.make_bucket(bucket)
    operator.set_bucket_versioning(bucket, VersioningConfig(ENABLED))

    def opened() -> S3Storage:
        return S3Storage(seaweed.endpoint, bucket, *seaweed.credentials(OPERATOR), ca_file=seaweed.ca_file)

    Repository.create(opened(), wrapper, tenant="contoso")
    operator.remove_object(bucket, "keys/1")  # without a version: a delete marker
    assert [info.key for info in opened().list("keys/") if info.hidden] == ["keys/1"]
    Repository.open(opened(), wrapper)


class WithoutVersions(BaseHTTPRequestHandler):
    """What a bucket answers whose policy allows to list objects, not versions; SeaweedFS knows no such policy."""

    def do_GET(self) -> None:
        refused = "versions" in parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        body = REFUSED if refused else LISTED
        self.send_response(403 if refused else 200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_a_bucket_whose_versions_may_not_be_listed_is_listed_without() -> None:
    """A least-privilege policy of a bucket that never kept any need not allow it."""
    with ThreadingHTTPServer(("127.0.0.1", 0), WithoutVersions) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        storage = S3Storage(f"127.0.0.1:{server.server_port}", "bucket", "key", "secret", secure=False)
        assert list(storage.list("")) == [ObjectInfo("config", 7)]
        server.shutdown()


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


def test_a_fenced_session_cannot_commit_over_its_hidden_tombstone(
    wrapper: LocalKeyWrapper, tuning: Tuning, commit: Callable[..., Snapshot], ulid: Callable[[int], str]
) -> None:
    """On storage that keeps versions a put over a delete marker is accepted."""
    storage = MemoryStorage(lock=LockMode.COMPLIANCE, clock=lambda: NOW)
    repository = Repository.create(storage, wrapper, tenant="contoso", tuning=tuning)
    zombie = repository.open_session("box", ulid(1), parent=None)
    zombie.checkpoint(b"1")
    another = Repository.open(storage, wrapper, tuning=tuning)
    with another.open_session("box", ulid(2), parent=None, adopt=ulid(1)) as session:
        storage.hide(f"snapshots/box/{ulid(1)}")
        with pytest.raises(SessionFenced):
            commit(zombie)
        snapshot = commit(session)
    zombie.abort()
    for reader in (repository, Repository.open(storage, wrapper, tuning=tuning)):
        assert reader.snapshots("box") == [snapshot]
        with pytest.raises(NotFound, match="fenced"):
            reader.snapshot("box", ulid(1))
    found = repository.checks.rolling(at=NOW, session=ulid(3)).report
    assert [(problem.kind, problem.key) for problem in found.problems] == [
        ("covered_object", f"snapshots/box/{ulid(1)}")
    ]


def test_a_hidden_restore_point_stays_one_when_its_session_is_fenced(
    wrapper: LocalKeyWrapper, tuning: Tuning, commit: Callable[..., Snapshot], ulid: Callable[[int], str]
) -> None:
    storage = MemoryStorage(lock=LockMode.COMPLIANCE, clock=lambda: NOW)
    repository = Repository.create(storage, wrapper, tenant="contoso", tuning=tuning)
    with repository.open_session("box", ulid(1), parent=None) as session:
        snapshot = commit(session)
    storage.hide(f"snapshots/box/{ulid(1)}")
    again = Repository.open(storage, wrapper, tuning=tuning)
    with pytest.raises(AlreadyCommitted):
        again.open_session("box", ulid(2), parent=None, adopt=ulid(1))
    assert Repository.open(storage, wrapper, tuning=tuning).snapshots("box") == [snapshot]
