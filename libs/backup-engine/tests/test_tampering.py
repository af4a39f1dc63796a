"""Everything unknown or altered is an error, never a guess."""

from collections.abc import Callable

import pytest

from backup_engine import (
    FormatUnsupported,
    IntegrityError,
    KeyUnavailable,
    NewItem,
    Repository,
    RepositoryError,
    Snapshot,
)
from backup_engine.header import Codec, Kind
from backup_engine.pack import PackBuilder, PackOpener
from backup_engine.storage import MemoryStorage
from backup_engine.testing.keys import LocalKeyWrapper

Mail = Callable[..., bytes]
Commit = Callable[..., Snapshot]
Ulid = Callable[[int], str]
PLACES = ("config", "data/", "index/", "manifests/", "snapshots/")


@pytest.fixture
def snapshot(repository: Repository, mail: Mail, commit: Commit, ulid: Ulid) -> Snapshot:
    with repository.open_session("box", ulid(1), parent=None) as session:
        for n in range(3):
            session.put_item(NewItem(f"m{n}", "mail", "1", "inbox"), mail(n, attachment=n))
        return commit(session)


def read_everything(reopened: Callable[[], Repository]) -> int:
    repository = reopened()
    (snapshot,) = repository.snapshots("box")
    return sum(len(repository.read(row)) for row in repository.items("box", snapshot.id))


def only(memory: MemoryStorage, prefix: str) -> str:
    (key,) = (key for key in memory.objects if key.startswith(prefix))
    return key


@pytest.mark.parametrize("prefix", PLACES)
def test_any_flipped_bit_is_found(
    memory: MemoryStorage, reopened: Callable[[], Repository], snapshot: Snapshot, prefix: str
) -> None:
    key = only(memory, prefix)
    good = memory.objects[key]
    assert read_everything(reopened) == snapshot.bytes
    # A pack's header and trailer are repeated in the index, so only V2 reads them: see test_verification.
    start, end = (64, len(good) - 600) if prefix == "data/" else (0, len(good))
    for position in range(start, end, max(1, (end - start) // 97)):
        memory.objects[key] = good[:position] + bytes([good[position] ^ 0x10]) + good[position + 1 :]
        with pytest.raises((IntegrityError, FormatUnsupported, KeyUnavailable)):
            read_everything(reopened)


@pytest.mark.parametrize("prefix", PLACES)
@pytest.mark.parametrize("length", [0, 10, 64, 100])
def test_a_truncated_object_is_found(
    memory: MemoryStorage, reopened: Callable[[], Repository], snapshot: Snapshot, prefix: str, length: int
) -> None:
    key = only(memory, prefix)
    memory.objects[key] = memory.objects[key][:length]
    with pytest.raises(IntegrityError) as caught:
        read_everything(reopened)
    assert caught.value.key == key


@pytest.mark.parametrize("prefix", ["data/", "manifests/"])
def test_a_missing_object_is_damage_not_absence(
    memory: MemoryStorage, reopened: Callable[[], Repository], snapshot: Snapshot, prefix: str
) -> None:
    key = only(memory, prefix)
    del memory.objects[key]
    with pytest.raises(IntegrityError, match="missing") as caught:
        read_everything(reopened)
    assert caught.value.key == key


def test_a_flipped_bit_in_a_checkpoint_stops_the_adopter(
    repository: Repository, memory: MemoryStorage, mail: Mail, ulid: Ulid
) -> None:
    dead = repository.open_session("box", ulid(1), parent=None)
    dead.put_item(NewItem("m", "mail", "1", "inbox"), mail(1))
    dead.checkpoint(b"1")
    dead.abort()
    key = only(memory, "sessions/01ARZ3NDEKTSV4RRFFQ0000001/ckpt")
    body = memory.objects[key]
    memory.objects[key] = body[:-1] + bytes([body[-1] ^ 1])
    with pytest.raises(IntegrityError):
        repository.open_session("box", ulid(2), parent=None, adopt=ulid(1))


def test_an_object_moved_to_another_name_does_not_open(
    memory: MemoryStorage, reopened: Callable[[], Repository], snapshot: Snapshot
) -> None:
    moved = memory.objects[only(memory, "snapshots/")]
    memory.objects["snapshots/other/01ARZ3NDEKTSV4RRFFQ0000001"] = moved
    with pytest.raises(IntegrityError):
        reopened().snapshots("other")


def test_another_tenants_key_opens_nothing(memory: MemoryStorage, wrapper: LocalKeyWrapper, snapshot: Snapshot) -> None:
    with pytest.raises(KeyUnavailable):
        Repository.open(memory, LocalKeyWrapper())
    other = MemoryStorage()
    Repository.create(other, wrapper, tenant="fabrikam")
    memory.objects["keys/1"] = other.objects["keys/1"]  # a valid key, of the wrong tenant
    with pytest.raises(IntegrityError):
        Repository.open(memory, wrapper)


def test_another_tenants_pack_does_not_open(
    memory: MemoryStorage, wrapper: LocalKeyWrapper, mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    packs = {}
    for tenant in ("contoso", "fabrikam"):
        storage = MemoryStorage()
        repository = Repository.create(storage, wrapper, tenant=tenant)
        with repository.open_session("box", ulid(1), parent=None) as session:
            session.put_item(NewItem("m", "mail", "1", ""), mail(1))
            snapshot = commit(session)
        packs[tenant] = (repository, storage, only(storage, "data/"), snapshot.id)
    repository, storage, pack, snapshot_id = packs["contoso"]
    _, strange, strange_pack, _ = packs["fabrikam"]
    assert pack != strange_pack
    storage.objects[pack] = strange.objects[strange_pack]
    (row,) = repository.items("box", snapshot_id)
    with pytest.raises(IntegrityError):
        repository.read(row)


def test_the_same_file_of_two_tenants_has_two_ids(
    wrapper: LocalKeyWrapper, mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    ids = set()
    for tenant in ("contoso", "fabrikam"):
        repository = Repository.create(MemoryStorage(), wrapper, tenant=tenant)
        with repository.open_session("box", ulid(1), parent=None) as session:
            session.put_item(NewItem("m", "mail", "1", ""), mail(1))
            snapshot = commit(session)
        (row,) = repository.items("box", snapshot.id)
        ids.add(row.recipe[0].id)
    assert len(ids) == 2


@pytest.mark.parametrize(("offset", "value"), [(8, 1), (9, 2), (10, 2), (11, 2), (12, 9), (13, 7), (14, 99)])
def test_what_a_newer_release_wrote_is_left_to_it(
    memory: MemoryStorage, wrapper: LocalKeyWrapper, snapshot: Snapshot, offset: int, value: int
) -> None:
    body = bytearray(memory.objects["config"])
    body[offset] = value
    memory.objects["config"] = bytes(body)
    wrapper.available = False  # it is recognised before any key is asked for
    with pytest.raises(FormatUnsupported, match="newer release"):
        Repository.open(memory, wrapper)


def test_the_preview_is_refused_with_its_remedy(
    memory: MemoryStorage, wrapper: LocalKeyWrapper, snapshot: Snapshot
) -> None:
    body = bytearray(memory.objects["config"])
    body[9] = 0
    memory.objects["config"] = bytes(body)
    with pytest.raises(FormatUnsupported, match=r"format 0, a preview.*start a new repository under another prefix"):
        Repository.open(memory, wrapper)


@pytest.mark.parametrize(
    ("flags", "error"), [(["sealed-names"], FormatUnsupported), (None, IntegrityError), ("", IntegrityError)]
)
def test_a_repository_that_needs_what_is_unknown_is_refused(
    repository: Repository, memory: MemoryStorage, wrapper: LocalKeyWrapper, flags: object, error: type[Exception]
) -> None:
    objects = repository._backing.objects
    config = objects.get("config", Kind.CONFIG)
    del memory.objects["config"]
    objects.put("config", Kind.CONFIG, {**config, "flags": flags})
    with pytest.raises(error, match=r"sealed-names|no flags"):
        Repository.open(memory, wrapper)


def test_no_plaintext_reaches_the_storage(memory: MemoryStorage, snapshot: Snapshot) -> None:
    clear = [key for key, body in memory.objects.items() for word in (b"anna@", b"mail 1", b"inbox") if word in body]
    assert clear == []


def test_a_row_whose_recipe_lies_is_found(
    repository: Repository, memory: MemoryStorage, mail: Mail, commit: Commit, ulid: Ulid
) -> None:
    """A writer gone wrong, not an attacker: blobs are sound, the item is not what came in."""
    with repository.open_session("box", ulid(1), parent=None) as session:
        session.put_item(NewItem("m1", "mail", "1", ""), mail(1))
        session.put_item(NewItem("m2", "mail", "1", ""), mail(2))
        snapshot = commit(session)
    one, two = repository.items("box", snapshot.id)
    with pytest.raises(RepositoryError):
        repository.read(one._replace(recipe=two.recipe))


def test_a_record_that_opens_to_another_blob_is_found(repository: Repository) -> None:
    """AES-GCM alone does not commit to what it encrypts; the keyed id does."""
    ring = repository._backing.ring
    builder = PackBuilder(ring.writing)
    builder.add(b"i" * 32, 5, Codec.RAW, b"other")
    body, _ = builder.close()
    (entry,) = builder.entries
    opener = PackOpener(ring, body[:64], "data/x")
    with pytest.raises(IntegrityError, match="another blob"):
        opener.blob(entry, body[entry.offset : entry.offset + entry.stored])
