import itertools
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from backup_engine import (
    FailedItem,
    IntegrityError,
    InvalidName,
    NewItem,
    NotFound,
    Repository,
    RepositoryError,
    Skipped,
    Snapshot,
    StorageUnreachable,
    Tuning,
    UnknownItem,
)
from backup_engine.header import Kind
from backup_engine.pack import open_trailer
from backup_engine.storage import MeasuredStorage, MemoryStorage, Meter
from backup_engine.testing.faulty import FaultyStorage
from backup_engine.testing.keys import LocalKeyWrapper

Mail = Callable[..., bytes]
Commit = Callable[..., Snapshot]
Ulid = Callable[[int], str]


def item(n: int, version: str = "1", **meta: object) -> NewItem:
    return NewItem(f"m{n:03d}", "mail", version, "inbox", meta)


class Journal(MemoryStorage):
    """Remembers the order of puts."""

    def __init__(self) -> None:
        super().__init__()
        self.order: list[str] = []

    def put(self, key: str, body: bytes, *, retain_until: datetime | None = None) -> None:
        super().put(key, body, retain_until=retain_until)
        self.order.append(key)


def kinds(keys: list[str]) -> list[str]:
    """Neighbouring keys of one kind as one word."""
    words = [key.split("/")[-1].split("-")[0] if key.startswith("sessions") else key.split("/")[0] for key in keys]
    return [word for n, word in enumerate(words) if n == 0 or words[n - 1] != word]


def test_objects_become_durable_in_the_order_of_the_format(
    wrapper: LocalKeyWrapper, tuning: Tuning, mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    storage = Journal()
    repository = Repository.create(storage, wrapper, tenant="contoso", tuning=tuning)
    assert storage.order == ["keys/1", "config"]
    storage.order.clear()
    session = repository.open_session("box", ulid(1), parent=None)
    for n in range(20):
        session.put_item(item(n), mail(n, attachment=n))
    session.checkpoint(b"half")
    session.put_item(item(20), mail(20))
    commit(session)
    ckpt = ["data", "index", "manifests", "ckpt"]
    assert kinds(storage.order) == ["open", *ckpt, *ckpt, "intent", "snapshots"]
    assert storage.order[-1] == f"snapshots/box/{ulid(1)}"


def test_session_objects_disappear_after_the_commit(
    repository: Repository, memory: MemoryStorage, mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    with repository.open_session("box", ulid(1), parent=None) as session:
        session.put_item(item(1), mail(1))
        commit(session)
    assert [key for key in memory.objects if key.startswith("sessions/")] == []


def test_every_restore_point_is_a_synthetic_full(
    repository: Repository, mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    with repository.open_session("box", ulid(1), parent=None) as session:
        session.put_record("inbox", "folder", "1", "", {"name": "Inbox"})
        for n in range(4):
            session.put_item(item(n, read=False), mail(n))
        first = commit(session)
    with repository.open_session("box", ulid(2), parent=first.id) as session:
        assert session.known("m000") is not None
        session.put_item(item(0, "2"), mail(100))
        session.update_meta("m001", "2", "archive", {"read": True})
        assert session.remove("m002")
        assert not session.remove("m002")
        assert session.known("m002") is None
        session.put_item(item(9), mail(9))
        assert [row.key for row in session.keys("mail", "archive")] == ["m001"]
        second = commit(session)
    assert second.parent == first.id
    assert (second.changed, second.removed, second.items) == (3, 1, 4)
    old = {row.key: repository.read(row) for row in repository.items("box", first.id, "mail")}
    assert old == {f"m{n:03d}": mail(n) for n in range(4)}
    rows = {row.key: row for row in repository.items("box", second.id)}
    assert list(rows) == ["inbox", "m000", "m001", "m003", "m009"]
    assert not rows["inbox"].has_body
    assert repository.read(rows["m000"]) == mail(100)
    assert repository.read(rows["m001"]) == mail(1)
    assert (rows["m001"].meta, rows["m001"].parent, rows["m001"].version) == ({"read": True}, "archive", "2")
    assert [snapshot.id for snapshot in repository.snapshots("box")] == [second.id, first.id]


def test_an_item_without_a_body_cannot_be_read(repository: Repository, commit: Commit, ulid: Ulid) -> None:
    with repository.open_session("box", ulid(1), parent=None) as session:
        session.put_record("inbox", "folder", "1", "", {})
        snapshot = commit(session)
    (row,) = repository.items("box", snapshot.id)
    with pytest.raises(ValueError, match="no body"):
        repository.read(row)


def test_a_sidecar_change_stores_no_bytes(
    repository: Repository, memory: MemoryStorage, mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    with repository.open_session("box", ulid(1), parent=None) as session:
        session.put_item(item(1), mail(1, attachment=1))
        first = commit(session)
    with repository.open_session("box", ulid(2), parent=first.id) as session:
        session.update_meta("m001", "2", "inbox", {"read": True})
        second = commit(session)
    assert (second.stored_bytes, second.packs) == (0, ())
    assert not [key for key in memory.objects if key.startswith(f"data/{ulid(2)}")]


def test_a_change_to_an_unknown_item_is_an_error(repository: Repository, ulid: Ulid) -> None:
    with repository.open_session("box", ulid(1), parent=None) as session, pytest.raises(UnknownItem) as caught:
        session.update_meta("nobody", "1", "", {})
    assert caught.value.key == "nobody"


def test_an_attachment_is_stored_once_over_all_mailboxes(
    repository: Repository, mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    with repository.open_session("anna", ulid(1), parent=None) as session:
        stored = session.put_item(item(1), mail(1, attachment=1, size=30_000))
        assert stored.new_bytes == stored.size
        again = session.put_item(item(2), mail(2, attachment=1, size=30_000))
        assert again.new_bytes < 500
        commit(session)
    with repository.open_session("ben", ulid(2), parent=None) as session:
        assert session.put_item(item(1), mail(3, attachment=1, size=30_000)).new_bytes < 500
        snapshot = commit(session)
    assert snapshot.stored_bytes < 1500
    (row,) = repository.items("ben", snapshot.id)
    assert repository.read(row) == mail(3, attachment=1, size=30_000)


def test_sessions_side_by_side_never_rely_on_blobs_that_are_not_durable(
    repository: Repository, reopened: Callable[[], Repository], mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    dying = repository.open_session("anna", ulid(1), parent=None)
    dying.put_item(item(1), mail(1, attachment=1))
    with repository.open_session("ben", ulid(2), parent=None) as session:
        assert session.put_item(item(1), mail(1, attachment=1)).new_bytes > 9000
        snapshot = commit(session)
    dying.abort()
    again = reopened()
    (row,) = again.items("ben", snapshot.id)
    assert again.read(row) == mail(1, attachment=1)


def test_another_processs_blobs_are_used_after_a_refresh(
    repository: Repository, reopened: Callable[[], Repository], mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    other = reopened()
    with repository.open_session("anna", ulid(1), parent=None) as session:
        session.put_item(item(1), mail(1, attachment=1))
        commit(session)
    with other.open_session("ben", ulid(2), parent=None) as session:
        assert session.put_item(item(1), mail(1, attachment=1)).new_bytes == 0


def test_a_snapshot_tells_what_is_missing(repository: Repository, mail: Mail, commit: Commit, ulid: Ulid) -> None:
    with repository.open_session("box", ulid(1), parent=None) as session:
        session.put_item(item(1), mail(1))
        failed, skipped = (
            FailedItem("m002", "corrupt_source_item", "500 from $value"),
            Skipped("m003", "unsupported_item"),
        )
        commit(session, b"cursor", listed=3, failed=[failed], skipped=[skipped])
    (snapshot,) = repository.snapshots("box")
    assert not snapshot.complete
    assert (snapshot.failed, snapshot.skipped, snapshot.listed) == ((failed,), (skipped,), 3)
    assert snapshot.cursor == b"cursor"
    assert "cursor" not in repr(snapshot)
    assert snapshot.taken_at == datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def test_a_checkpoint_names_what_became_durable_since_the_one_before(
    repository: Repository, memory: MemoryStorage, mail: Mail, ulid: Ulid
) -> None:
    session = repository.open_session("box", ulid(1), parent=None)
    session.put_item(item(1), mail(1, attachment=1))
    first = session.checkpoint(b"1")
    second = session.checkpoint(b"2")
    session.put_item(item(2), mail(2))
    third = session.checkpoint(b"3")
    session.abort()
    assert (first.n, first.items, first.bytes) == (0, 1, len(mail(1, attachment=1)))
    assert [(ref.key, ref.size) for ref in first.packs] == [
        (key, len(body)) for key, body in memory.objects.items() if key.endswith(first.packs[0].sha256)
    ]
    assert (second.n, second.packs, second.items, second.bytes) == (1, (), 0, 0)
    assert (third.n, len(third.packs), third.items) == (2, 1, 1)


def test_many_segments_become_one(
    memory: MemoryStorage, wrapper: LocalKeyWrapper, mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    tuning = Tuning(merge_above=3, compressors=0, uploaders=0)
    repository = Repository.create(memory, wrapper, tenant="contoso", tuning=tuning)
    parent = None
    lengths = []
    for n in range(6):
        with repository.open_session("box", ulid(n), parent=parent) as session:
            session.put_item(item(n), mail(n))
            session.remove(f"m{n - 2:03d}")
            snapshot = commit(session)
        parent = snapshot.id
        lengths.append(len(snapshot.segments))
    assert lengths == [1, 2, 3, 1, 2, 3]
    assert [row.key for row in repository.items("box", parent)] == ["m004", "m005"]


def test_many_threads_may_put_at_once(
    memory: MemoryStorage, wrapper: LocalKeyWrapper, mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    tuning = Tuning(pack_size=100_000, batch=20_000)
    repository = Repository.create(memory, wrapper, tenant="contoso", tuning=tuning)
    with repository.open_session("box", ulid(1), parent=None) as session, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: session.put_item(item(n), mail(n, attachment=n % 40)), range(200)))
        snapshot = commit(session)
    found = {row.key: body for row, body in repository.read_many(repository.items("box", snapshot.id))}
    assert found == {f"m{n:03d}": mail(n, attachment=n % 40) for n in range(200)}
    assert repository.verify("box", snapshot.id, 2).good
    opened = [
        open_trailer(repository._backing.ring, pack.key, pack.size, memory.get(pack.key)) for pack in snapshot.packs
    ]
    held = [entry.id for pack in opened for entry in pack.blobs]
    assert len(held) == len(set(held)) == 240


def test_items_put_while_a_checkpoint_runs_are_kept(mail: Mail, commit: Commit, ulid: Ulid) -> None:
    class Slow(MemoryStorage):
        """Puts an item while the checkpoint writes its index delta."""

        def put(self, key: str, body: bytes, *, retain_until: datetime | None = None) -> None:
            if key.startswith("index/") and not self.seen:
                self.seen = True
                session.put_item(item(2), mail(2, attachment=2))
            super().put(key, body, retain_until=retain_until)

        seen = False

    repository = Repository.create(Slow(), LocalKeyWrapper(), tenant="contoso")
    with repository.open_session("box", ulid(1), parent=None) as session:
        session.put_item(item(1), mail(1, attachment=1))
        assert session.checkpoint(b"1").items == 1
        snapshot = commit(session)
    assert [repository.read(row) for row in repository.items("box", snapshot.id)] == [
        mail(1, attachment=1),
        mail(2, attachment=2),
    ]


def test_nothing_slips_in_behind_the_commit(repository: Repository, mail: Mail, commit: Commit, ulid: Ulid) -> None:
    with repository.open_session("box", ulid(1), parent=None) as session:
        session.put_item(item(1), mail(1))
        commit(session)
        with pytest.raises(RepositoryError, match="is over"):
            session.put_item(item(2), mail(2))
        with pytest.raises(RepositoryError, match="is over"):
            commit(session)


def test_an_unchanged_mailbox_costs_few_requests(
    memory: MemoryStorage, wrapper: LocalKeyWrapper, mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    meter = Meter()
    repository = Repository.create(MeasuredStorage(memory, meter), wrapper, tenant="contoso")
    with repository.open_session("box", ulid(1), parent=None) as session:
        for n in range(10):
            session.put_item(item(n), mail(n, attachment=n))
        first = commit(session)
    assert meter.requests["put"] == 2 + 7  # keys, config; open, pack, index, segment, checkpoint, intent, snapshot
    before = meter.requests
    with repository.open_session("box", ulid(2), parent=first.id) as session:
        second = commit(session)
    assert {name: meter.requests[name] - before.get(name, 0) for name in meter.requests} == {
        "put": 3,  # open, intent, snapshot
        "get": 1,  # the parent snapshot; its segment is kept here
        "list": 6,  # damage, index, gc twice, policies, segments
        "delete": 2,
    }
    assert second.segments == first.segments


@pytest.mark.parametrize("threads", [0, 2])
@pytest.mark.parametrize("name", ["data/", "index/", "manifests/", "sessions/01ARZ3NDEKTSV4RRFFQ0000001/ckpt"])
def test_a_storage_error_ends_the_session_and_commits_nothing(
    mail: Mail, commit: Commit, ulid: Ulid, name: str, threads: int
) -> None:
    with FaultyStorage(MemoryStorage()) as faulty:
        tuning = Tuning(compressors=threads, uploaders=threads)
        repository = Repository.create(faulty, LocalKeyWrapper(), tenant="contoso", tuning=tuning)
        faulty.plan("put", name, StorageUnreachable("gone"))
        with repository.open_session("box", ulid(1), parent=None) as session:
            session.put_item(item(1), mail(1))
            with pytest.raises(StorageUnreachable):
                commit(session)
            with pytest.raises(RepositoryError, match="is over"):
                session.checkpoint(b"again")
            with pytest.raises(RepositoryError, match="is over"):
                session.put_record("f", "folder", "1", "", {})
    assert repository.snapshots() == []


@pytest.mark.parametrize("threads", [0, 1])
def test_no_row_is_kept_of_bytes_that_an_error_took(
    memory: MemoryStorage, mail: Mail, ulid: Ulid, threads: int
) -> None:
    """The same bytes again would look as if they were stored: who goes on after an error gets it again."""
    with FaultyStorage(memory) as faulty:
        tuning = Tuning(compressors=threads, uploaders=threads, batch=1, pack_blobs=1)
        repository = Repository.create(faulty, LocalKeyWrapper(), tenant="contoso", tuning=tuning)
        faulty.plan("put", "data/", StorageUnreachable("gone"))
        with repository.open_session("box", ulid(1), parent=None) as session:

            def put(numbers: Iterable[int]) -> None:
                for n in numbers:
                    session.put_item(item(n), mail(n))
                session.checkpoint(b"all of them")

            for numbers in (itertools.count(1), [1]):
                with pytest.raises(StorageUnreachable):
                    put(numbers)
        assert not list(memory.list("manifests/"))


def test_left_over_session_objects_do_not_fail_a_commit(
    memory: MemoryStorage, wrapper: LocalKeyWrapper, commit: Commit, ulid: Ulid, caplog: pytest.LogCaptureFixture
) -> None:
    with FaultyStorage(memory) as faulty:
        repository = Repository.create(faulty, wrapper, tenant="contoso")
        faulty.plan("delete", "sessions/", StorageUnreachable("gone"))
        with repository.open_session("box", ulid(1), parent=None) as session:
            snapshot = commit(session)
    assert repository.snapshots("box") == [snapshot]
    assert "left behind" in caplog.text


def test_a_pack_that_vanished_before_the_commit_stops_it(
    repository: Repository, memory: MemoryStorage, mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    with repository.open_session("box", ulid(1), parent=None) as session:
        session.put_item(item(1), mail(1))
        (pack,) = session.checkpoint(b"1").packs
        del memory.objects[pack.key]
        with pytest.raises(IntegrityError, match="missing_pack"):
            commit(session)
    assert repository.snapshots() == []


def test_a_condemned_list_that_cannot_be_read_stops_writers(repository: Repository, commit: Commit, ulid: Ulid) -> None:
    session = repository.open_session("box", ulid(1), parent=None)
    repository._backing.objects.put("gc/00000001/condemned", Kind.INTENT, {})
    with pytest.raises(IntegrityError, match="intent, not a condemned"):
        commit(session)
    with pytest.raises(IntegrityError, match="intent, not a condemned"):
        repository.open_session("box", ulid(2), parent=None)
    assert repository.snapshots() == []


@pytest.mark.parametrize("shard", ["", "a//b", "../x", "/a", "a/", "ä"])
def test_bad_shard_names_are_refused(repository: Repository, shard: str, ulid: Ulid) -> None:
    with pytest.raises(InvalidName):
        repository.open_session(shard, ulid(1), parent=None)


def test_bad_session_ids_are_refused(repository: Repository) -> None:
    with pytest.raises(InvalidName):
        repository.open_session("box", "01arz3ndektsv4rrffq69g5fav", parent=None)


def test_an_unknown_parent_is_not_found(repository: Repository, ulid: Ulid) -> None:
    with pytest.raises(NotFound):
        repository.open_session("box", ulid(2), parent=ulid(1))


def test_shards_of_which_one_is_a_folder_of_the_other_stay_apart(
    repository: Repository, commit: Commit, ulid: Ulid
) -> None:
    for n, shard in enumerate(("mail", "mail/anna")):
        with repository.open_session(shard, ulid(n), parent=None) as session:
            commit(session)
    assert [snapshot.shard for snapshot in repository.snapshots("mail")] == ["mail"]
    assert [snapshot.shard for snapshot in repository.snapshots("mail/anna")] == ["mail/anna"]
    assert len(repository.snapshots()) == 2


class Gated(MemoryStorage):
    """Keeps packs waiting until it is told otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.open = threading.Event()

    def put(self, key: str, body: bytes, *, retain_until: datetime | None = None) -> None:
        assert not key.startswith("data/") or self.open.wait(10)
        super().put(key, body, retain_until=retain_until)


def test_it_says_when_a_put_would_wait_for_storage(wrapper: LocalKeyWrapper, mail: Mail, ulid: Ulid) -> None:
    storage = Gated()
    tuning = Tuning(compressors=1, uploaders=1, batch=1, pack_blobs=1)
    repository = Repository.create(storage, wrapper, tenant="contoso", tuning=tuning)
    with repository.open_session("box", ulid(1), parent=None) as session:
        assert session.has_room(1)
        assert not session.has_room(100)  # batches
        put = 0
        while session.has_room(0):
            session.put_item(item(put), mail(put))
            put += 1
        assert put in range(1, 5)
        storage.open.set()
        assert session.checkpoint(b"").items == put
        assert session.has_room(1)


def test_without_threads_every_put_may_wait(wrapper: LocalKeyWrapper, memory: MemoryStorage, ulid: Ulid) -> None:
    repository = Repository.create(memory, wrapper, tenant="contoso", tuning=Tuning(compressors=0))
    with repository.open_session("box", ulid(1), parent=None) as session:
        assert not session.has_room(0)
