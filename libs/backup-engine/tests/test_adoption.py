from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest

from backup_engine import (
    AlreadyCommitted,
    AlreadyExists,
    IntegrityError,
    ItemRow,
    NewItem,
    NotFound,
    Repository,
    Session,
    SessionFenced,
    Snapshot,
    StorageUnreachable,
    Tuning,
    commits,
)
from backup_engine.header import Kind
from backup_engine.pack import open_trailer
from backup_engine.storage import MemoryStorage, RetryingStorage
from backup_engine.testing.append_only import AppendOnlyAccount, AppendOnlyMemory
from backup_engine.testing.faulty import FaultyStorage
from backup_engine.testing.keys import LocalKeyWrapper
from backup_engine.testing.scripted import ScriptedStorage
from backup_engine.testing.seaweed import SeaweedServer

Mail = Callable[..., bytes]
Commit = Callable[..., Snapshot]
Ulid = Callable[[int], str]


def put(session: Session, mail: Mail, *numbers: int) -> None:
    for n in numbers:
        session.put_item(NewItem(f"m{n:03d}", "mail", "1", "inbox"), mail(n, attachment=n))


def key_of(row: ItemRow) -> str:
    return row.key


def stored_twice(repository: Repository, memory: MemoryStorage) -> list[bytes]:
    """Blobs that lie in more than one pack, from the packs' own trailers."""
    ids = [
        entry.id
        for key, body in memory.objects.items()
        if key.startswith("data/")
        for entry in open_trailer(repository._backing.ring, key, len(body), body).blobs
    ]
    return sorted({ident for ident in ids if ids.count(ident) > 1})


def left_behind(storage: MemoryStorage) -> list[str]:
    """Session objects after the commit; an account that may not delete leaves them to who may."""
    if isinstance(storage, AppendOnlyAccount | AppendOnlyMemory):
        return []
    return [key for key in storage.objects if key.startswith("sessions/")]


def test_the_adopter_goes_on_where_the_dead_session_had_got_to(
    repository: Repository, memory: MemoryStorage, mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    dead = repository.open_session("box", ulid(1), parent=None)
    put(dead, mail, 1, 2)
    dead.checkpoint(b"after 2")
    put(dead, mail, 3)
    dead.abort()
    with repository.open_session("box", ulid(2), parent=None, adopt=ulid(1)) as session:
        assert session.cursor == b"after 2"
        assert list(map(key_of, session.keys())) == ["m001", "m002"]
        put(session, mail, 3)
        snapshot = commit(session)
    assert [repository.read(row) for row in repository.items("box", snapshot.id)] == [
        mail(n, attachment=n) for n in (1, 2, 3)
    ]
    assert (snapshot.changed, snapshot.items, len(snapshot.packs)) == (3, 3, 2)
    assert repository.verify("box", snapshot.id, 1).good
    assert left_behind(memory) == []
    assert [found.id for found in repository.snapshots("box")] == [ulid(2)]


def test_packs_uploaded_after_the_last_checkpoint_are_used_again(
    memory: MemoryStorage, wrapper: LocalKeyWrapper, mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    with FaultyStorage(memory) as faulty:
        repository = Repository.create(faulty, wrapper, tenant="contoso")
        faulty.plan("put", "index/", StorageUnreachable("dies here"))
        dead = repository.open_session("box", ulid(1), parent=None)
        put(dead, mail, 1, 2)
        with pytest.raises(StorageUnreachable):
            dead.checkpoint(b"never")
        dead.abort()
        with repository.open_session("box", ulid(2), parent=None, adopt=ulid(1)) as session:
            assert session.cursor is None
            put(session, mail, 1, 2)
            snapshot = commit(session)
    assert [key.split("/")[1] for key in memory.objects if key.startswith("data/")] == [ulid(1)]
    assert stored_twice(repository, memory) == []
    assert [pack.key.split("/")[1] for pack in snapshot.packs] == [ulid(1)]
    assert repository.verify("box", snapshot.id, 2).good


def test_a_fenced_session_cannot_commit(repository: Repository, mail: Mail, commit: Commit, ulid: Ulid) -> None:
    zombie = repository.open_session("box", ulid(1), parent=None)
    put(zombie, mail, 1)
    zombie.checkpoint(b"1")
    with repository.open_session("box", ulid(2), parent=None, adopt=ulid(1)) as session:
        with pytest.raises(SessionFenced) as caught:
            commit(zombie)
        assert caught.value.fenced_by == ulid(2)
        snapshot = commit(session)
    zombie.abort()
    assert repository.snapshots("box") == [snapshot]
    with pytest.raises(NotFound, match="fenced"):
        repository.snapshot("box", ulid(1))


def test_a_fence_whose_name_a_collector_frees_meanwhile_is_put_again(
    repository: Repository, memory: MemoryStorage, wrapper: LocalKeyWrapper, commit: Commit, ulid: Ulid
) -> None:
    """The session had committed, and its restore point expired and went between the fence's two looks."""
    with repository.open_session("box", ulid(1), parent=None) as session:
        commit(session)
    scripted = ScriptedStorage(memory)
    objects = Repository.open(scripted, wrapper)._backing.objects
    scripted.play({1: lambda: memory.objects.pop(f"snapshots/box/{ulid(1)}")})
    assert commits.fence(objects, "box", ulid(1), by=ulid(2)) is None
    with pytest.raises(SessionFenced):
        commits.raise_if_fenced(objects, "box", ulid(1))


def test_a_session_that_had_committed_is_the_result(
    repository: Repository, memory: MemoryStorage, mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    with repository.open_session("box", ulid(1), parent=None) as session:
        put(session, mail, 1)
        commit(session)
    with pytest.raises(AlreadyCommitted) as caught:
        repository.open_session("box", ulid(2), parent=None, adopt=ulid(1))
    assert caught.value.snapshot_id == ulid(1)
    assert left_behind(memory) == []


def test_a_commit_whose_answer_was_lost_is_a_success(
    memory: MemoryStorage, wrapper: LocalKeyWrapper, mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    """Even without a retrying storage: the engine compares the nonce."""

    class Repeating(MemoryStorage):
        def put(self, key: str, body: bytes, *, retain_until: datetime | None = None) -> None:
            if key.startswith("snapshots/"):
                memory.put(key, body, retain_until=retain_until)
            memory.put(key, body, retain_until=retain_until)

        get, list, delete = memory.get, memory.list, memory.delete  # type: ignore[assignment]

    repository = Repository.create(Repeating(), wrapper, tenant="contoso")
    with repository.open_session("box", ulid(1), parent=None) as session:
        put(session, mail, 1)
        assert repository.snapshots("box") == []
        snapshot = commit(session)
    assert repository.snapshots("box") == [snapshot]


def test_lost_answers_are_settled_by_the_retrying_storage(
    memory: MemoryStorage, wrapper: LocalKeyWrapper, mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    with FaultyStorage(memory) as faulty:
        for name in ("data/", "index/", "manifests/", "sessions/", "snapshots/"):
            faulty.plan("put", name, StorageUnreachable("no answer"), applied=True)
        storage = RetryingStorage(faulty, wait=lambda _: None)
        repository = Repository.create(storage, wrapper, tenant="contoso")
        with repository.open_session("box", ulid(1), parent=None) as session:
            put(session, mail, 1)
            snapshot = commit(session)
    assert repository.verify("box", snapshot.id, 2).good


def test_a_chain_of_deaths_is_followed_to_the_last_checkpoint(
    repository: Repository, memory: MemoryStorage, mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    first = repository.open_session("box", ulid(1), parent=None)
    put(first, mail, 1)
    first.checkpoint(b"1")
    first.abort()
    second = repository.open_session("box", ulid(2), parent=None, adopt=ulid(1))
    put(second, mail, 2)
    second.abort()
    with repository.open_session("box", ulid(3), parent=None, adopt=ulid(2)) as session:
        assert session.cursor == b"1"
        put(session, mail, 2)
        snapshot = commit(session)
    assert snapshot.items == 2
    assert left_behind(memory) == []
    for n in (1, 2):
        with pytest.raises(NotFound, match="fenced"):
            repository.snapshot("box", ulid(n))


def test_a_session_that_died_before_its_first_write_does_not_lose_the_one_before(
    repository: Repository, mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    first = repository.open_session("box", ulid(1), parent=None)
    put(first, mail, 1)
    first.checkpoint(b"1")
    first.abort()
    other_shard = repository.open_session("other", ulid(5), parent=None)
    other_shard.checkpoint(b"other")
    # Session 2 was claimed by a worker that died before it wrote anything.
    with repository.open_session("box", ulid(7), parent=None, adopt=ulid(2)) as session:
        assert session.cursor == b"1"
        commit(session)
    other_shard.abort()
    with pytest.raises(NotFound):
        repository.snapshot("other", ulid(5))


def test_leftovers_of_older_restore_points_are_not_taken_for_progress(
    repository: Repository, mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    stale = repository.open_session("box", ulid(1), parent=None)
    put(stale, mail, 1)
    stale.checkpoint(b"stale")
    stale.abort()
    with repository.open_session("box", ulid(2), parent=None) as session:
        put(session, mail, 2)
        parent = commit(session)
    with repository.open_session("box", ulid(4), parent=parent.id, adopt=ulid(3)) as session:
        assert session.cursor == b"end"
        assert list(map(key_of, session.keys())) == ["m002"]


def test_a_checkpoint_of_another_shard_is_refused(repository: Repository, mail: Mail, ulid: Ulid) -> None:
    dead = repository.open_session("anna", ulid(1), parent=None)
    put(dead, mail, 1)
    dead.checkpoint(b"1")
    dead.abort()
    with pytest.raises(IntegrityError, match="belongs to shard anna"):
        repository.open_session("ben", ulid(2), parent=None, adopt=ulid(1))


def test_a_session_id_is_used_once(repository: Repository, ulid: Ulid) -> None:
    repository.open_session("box", ulid(1), parent=None).abort()
    with pytest.raises(AlreadyExists):
        repository.open_session("box", ulid(1), parent=None)


def test_the_tombstone_is_authentic(
    repository: Repository, memory: MemoryStorage, mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    """Somebody without the key squats on the commit name: an error, neither a fence nor a success."""
    session = repository.open_session("box", ulid(1), parent=None)
    repository._backing.objects.put("elsewhere", Kind.TOMBSTONE, {"session": ulid(1), "fenced_by": ulid(2)})
    memory.objects[f"snapshots/box/{ulid(1)}"] = memory.objects.pop("elsewhere")
    with pytest.raises(IntegrityError):
        commit(session)
    session.abort()


def test_a_backup_dies_and_is_taken_over_on_a_real_s3_server(
    seaweed: SeaweedServer, wrapper: LocalKeyWrapper, mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    s3 = seaweed.storage("contoso", "contoso/adoption")
    storage = RetryingStorage(s3)
    tuning = Tuning(pack_size=100_000, batch=20_000)
    repository = Repository.open_or_create(storage, wrapper, tenant="contoso", tuning=tuning)
    dead = repository.open_session("mail/anna", ulid(1), parent=None)
    put(dead, mail, *range(40))
    dead.checkpoint(b"40")
    put(dead, mail, *range(40, 60))
    dead.abort()
    other = Repository.open(storage, wrapper, tuning=tuning)
    with other.open_session("mail/anna", ulid(2), parent=None, adopt=ulid(1)) as session:
        put(session, mail, *range(int(session.cursor or 0), 60))
        snapshot = commit(session)
    with pytest.raises(SessionFenced):
        commits.commit(repository._backing.objects, replace(snapshot, id=ulid(1)))
    found = {row.key: body for row, body in other.read_many(other.items("mail/anna", snapshot.id))}
    assert found == {f"m{n:03d}": mail(n, attachment=n) for n in range(60)}
    assert all(other.verify("mail/anna", snapshot.id, level).good for level in (0, 1, 2))
    assert [info.key for info in storage.list("sessions/")] == []
    s3.close()


def test_left_overs_of_a_committed_session_are_not_taken_for_the_result(
    memory: MemoryStorage, wrapper: LocalKeyWrapper, mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    """A new full backup must not be declared done because an old one from the same start once was."""
    with FaultyStorage(memory) as faulty:
        faulty.plan("delete", "sessions/", StorageUnreachable("gone"))
        repository = Repository.create(faulty, wrapper, tenant="contoso")
        with repository.open_session("box", ulid(1), parent=None) as session:
            put(session, mail, 1)
            commit(session)
    assert f"sessions/{ulid(1)}/open" in memory.objects
    with repository.open_session("box", ulid(3), parent=None, adopt=ulid(2)) as session:
        assert session.cursor is None
        assert list(session.keys()) == []
