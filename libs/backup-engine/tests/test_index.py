"""The index against a model: dictionaries that keep every place of every blob."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backup_engine import IntegrityError, Repository, Tuning, index_objects
from backup_engine.header import Header, Kind
from backup_engine.index import BlobIndex
from backup_engine.pack import BlobEntry, PackEntry
from backup_engine.storage import MeasuredStorage, MemoryStorage, Meter
from backup_engine.testing.keys import LocalKeyWrapper

SESSION = "01ARZ3NDEKTSV4RRFFQ0000001"


def pack_name(n: int) -> str:
    return f"data/{SESSION}/{n:06d}-{n:064x}"


def pack(n: int, *idents: bytes) -> PackEntry:
    """Pack number n that holds these blobs, 100 bytes each."""
    blobs = tuple(BlobEntry(ident, i, 64 + 100 * i, 100, 84, i % 2) for i, ident in enumerate(idents))
    header = Header(Kind.PACK, key=1, salt=n.to_bytes(32, "big")).encode()
    return PackEntry(pack_name(n), 1000 + n, 200, header, blobs)


def delta_name(n: int) -> str:
    return f"index/{SESSION}/{n:06d}"


@pytest.fixture
def index(repository: Repository) -> BlobIndex:
    return repository._backing.index


@dataclass
class Model:
    packs: dict[str, PackEntry] = field(default_factory=dict)
    avoided: set[str] = field(default_factory=set)

    def places(self, ident: bytes) -> set[tuple[str, BlobEntry]]:
        return {(name, e) for name, one in self.packs.items() for e in one.blobs if e.id == ident}

    def check(self, index: BlobIndex, idents: set[bytes]) -> None:
        assert [info.name for info in index.packs()] == sorted(self.packs)
        assert index.avoided == self.avoided
        for name, one in self.packs.items():
            info = index.pack(name)
            assert info is not None
            assert (info.size, info.trailer, info.header) == (one.size, one.trailer, one.header)
            assert index.entries(name) == one.blobs
        for ident in idents:
            expected = self.places(ident)
            assert {(place.pack.name, place.entry) for place in index.places(ident)} == expected
            usable = {place for place in expected if place[0] not in self.avoided}
            assert (ident in index) == bool(usable)
            found = index.find(ident)
            assert (None if found is None else (found.pack.name, found.entry)) in (usable or expected or {None})
        idents = sorted(idents)
        assert [place is None for place in index.find_many(idents)] == [index.find(one) is None for one in idents]
        for ident, place in zip(idents, index.find_many(idents), strict=True):
            assert place is None or place in index.places(ident)
            assert place is None or place.pack.name not in self.avoided or ident not in index
        assert index.missing(idents) == [ident for ident in idents if ident not in index]


# Few first bytes, so that ids that begin alike are common; the prefix an index may sort by is 8 bytes.
IDENTS = st.builds(lambda head, tail: bytes([head]) * 20 + bytes([tail]) * 12, st.integers(0, 3), st.integers(0, 5))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.lists(st.lists(IDENTS, min_size=1, max_size=6, unique=True), max_size=3)),
        st.tuples(st.sampled_from(["avoid", "forget"]), st.lists(st.integers(0, 12), max_size=3)),
        st.tuples(st.sampled_from(["again", "reopen"]), st.none()),
    ),
    max_size=12,
)


@settings(max_examples=200, deadline=None)
@given(STEPS, st.sampled_from([0, 4, 1000]), st.sampled_from([0, 10, 1000]), st.booleans())
def test_any_history_ends_in_what_the_model_says(
    steps: list[tuple[str, list]],
    recent: int,
    mapped: int,
    cached: bool,  # noqa: FBT001 - drawn by hypothesis
) -> None:
    storage, wrapper = MemoryStorage(), LocalKeyWrapper()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory())) if cached else None
        tuning = Tuning(index_recent=recent, index_mapped=mapped, folder=folder)
        _compare_with_model(storage, wrapper, tuning, steps)


def _compare_with_model(storage: MemoryStorage, wrapper: LocalKeyWrapper, tuning: Tuning, steps: list) -> None:
    repository = Repository.create(storage, wrapper, tenant="contoso", tuning=tuning)
    index = repository._backing.index
    model = Model()
    seen: set[bytes] = {b"\0" * 32}
    deltas = packs = 0
    for step, argument in steps:
        if step == "add":
            new = [pack(packs + n, *idents) for n, idents in enumerate(argument)]
            index.publish(delta_name(deltas), new)
            deltas, packs = deltas + 1, packs + len(new)
            model.packs |= {one.name: one for one in new}
            seen |= {entry.id for one in new for entry in one.blobs}
        elif step == "avoid":
            chosen = [pack_name(n) for n in argument]
            index.avoid(chosen)
            model.avoided |= set(chosen)
        elif step == "forget":
            chosen = [pack_name(n) for n in argument]
            index.forget(chosen)
            model.packs = {name: one for name, one in model.packs.items() if name not in chosen}
            model.avoided -= set(chosen)
        elif step == "again":
            index.refresh()
        model.check(index, seen)
    # What the storage says, without what only this process was told.
    for n in range(packs):
        model.packs.setdefault(pack_name(n), next(e for e in _stored(repository, deltas) if e.name == pack_name(n)))
    model.avoided.clear()
    model.check(Repository.open(storage, wrapper, tuning=tuning)._backing.index, seen)


def _stored(repository: Repository, deltas: int) -> list[PackEntry]:
    objects = repository._backing.objects
    found = []
    for n in range(deltas):
        found += index_objects.decode(*objects.get_any(delta_name(n)), delta_name(n)).packs
    return found


def test_a_writer_relies_on_no_avoided_pack_a_reader_still_finds_it(index: BlobIndex) -> None:
    ident = b"i" * 32
    index.publish(delta_name(0), [pack(0, ident)])
    index.avoid([pack_name(0)])
    assert ident not in index
    found = index.find(ident)
    assert found is not None
    assert found.pack.name == pack_name(0)
    index.publish(delta_name(1), [pack(1, ident)])
    assert ident in index
    found = index.find(ident)
    assert found is not None
    assert found.pack.name == pack_name(1)
    index.forget([pack_name(0), pack_name(1)])
    assert (index.find(ident), index.places(ident)) == (None, [])


def test_a_merged_file_stands_for_what_it_replaces(
    repository: Repository, reopened: Callable[[], Repository], memory: MemoryStorage
) -> None:
    backing = repository._backing
    packs = [pack(n, bytes([n]) * 32, b"shared" * 5 + b"!!") for n in range(4)]
    for n, one in enumerate(packs):
        backing.index.publish(delta_name(n), [one])
    merged = index_objects.encode(packs[:3], replaces=[delta_name(n) for n in range(3)])
    backing.objects.put("index/merged/00000001/000000", Kind.MERGED_INDEX, merged)
    backing.index.refresh()
    before = Model({one.name: one for one in packs})
    idents = {bytes([n]) * 32 for n in range(5)} | {b"shared" * 5 + b"!!"}
    before.check(backing.index, idents)
    before.check(reopened()._backing.index, idents)
    for n in range(3):
        del memory.objects[delta_name(n)]
    before.check(reopened()._backing.index, idents)


def test_a_refresh_that_meets_maintenance_looks_again(
    wrapper: LocalKeyWrapper, repository: Repository, memory: MemoryStorage
) -> None:
    class Replaced(MemoryStorage):
        """Between listing and reading, a delta makes way for a merged file."""

        def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
            if key == delta_name(0) and key in self.objects:
                payload = index_objects.encode([pack(0, b"i" * 32)], replaces=[key])
                repository._backing.objects.put("index/merged/00000001/000000", Kind.MERGED_INDEX, payload)
                del self.objects[key]
            return super().get(key, offset, length)

    repository._backing.index.publish(delta_name(0), [pack(0, b"i" * 32)])
    replaced = Replaced()
    replaced.objects = memory.objects
    assert b"i" * 32 in Repository.open(replaced, wrapper)._backing.index


def test_a_listed_part_of_the_index_that_cannot_be_read_is_damage(
    wrapper: LocalKeyWrapper, repository: Repository, memory: MemoryStorage
) -> None:
    class Ghost(MemoryStorage):
        def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
            return super().get("none" if key == delta_name(0) else key, offset, length)

    repository._backing.index.publish(delta_name(0), [pack(0, b"i" * 32)])
    ghost = Ghost()
    ghost.objects = memory.objects
    with pytest.raises(IntegrityError, match="cannot be read"):
        Repository.open(ghost, wrapper)


def test_what_is_no_index_object_is_named_and_closes_nothing(
    repository: Repository, reopened: Callable[[], Repository]
) -> None:
    repository._backing.objects.put(delta_name(0), Kind.INTENT, {"shard": "box", "segments": []})
    assert "intent" in reopened()._backing.index.damaged[delta_name(0)]


def test_the_source_of_a_pack_is_the_merged_file_once_there_is_one(index: BlobIndex) -> None:
    first, second = pack(1, b"a" * 32), pack(2, b"b" * 32)
    index.publish(delta_name(1), [first])
    index.publish(delta_name(2), [second])
    assert index.sources([first.name, pack_name(9)]) == {delta_name(1)}
    index.add("index/merged/00000001/000000", [first])
    assert index.sources([first.name, second.name]) == {"index/merged/00000001/000000", delta_name(2)}
    index.forget([first.name])
    assert index.sources([first.name]) == set()


def test_what_one_process_kept_the_next_need_not_read(
    memory: MemoryStorage, wrapper: LocalKeyWrapper, tmp_path: Path
) -> None:
    tuning = Tuning(index_recent=2, index_mapped=1, folder=tmp_path, cache=0)
    index = Repository.create(memory, wrapper, tenant="contoso", tuning=tuning)._backing.index
    for n in range(6):
        index.publish(delta_name(n), [pack(n, bytes([n]) * 32)])
    (kept,) = tmp_path.iterdir()
    meter = Meter()
    measured = MeasuredStorage(memory, meter)

    def reads() -> int:
        before = meter.requests.get("get", 0)
        opened = Repository.open(measured, wrapper, tuning=tuning)._backing.index
        assert all(bytes([n]) * 32 in opened for n in range(6))
        return meter.requests["get"] - before

    without = len([name for name in memory.objects if not name.startswith("index/")])
    shared = reads()
    assert shared < without + 6
    for damage in (lambda body: body[:-1], lambda body: body[:100] + b"x" + body[101:], lambda _: b""):
        good = kept.read_bytes()
        kept.write_bytes(damage(good))
        assert reads() > shared
    # A cache that knows more than the storage lists is out of date: maintenance has taken something away.
    del memory.objects[delta_name(0)]
    assert bytes(32) not in Repository.open(memory, wrapper, tuning=tuning)._backing.index


def test_without_a_folder_nothing_is_left_on_this_machine(
    memory: MemoryStorage, wrapper: LocalKeyWrapper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    tuning = Tuning(index_recent=2, index_mapped=1)
    index = Repository.create(memory, wrapper, tenant="contoso", tuning=tuning)._backing.index
    for n in range(6):
        index.publish(delta_name(n), [pack(n, bytes([n]) * 32)])
    assert bytes([3]) * 32 in index
    assert list(tmp_path.iterdir()) == []


def test_a_vanished_index_object_takes_its_packs_with_it(repository: Repository, memory: MemoryStorage) -> None:
    """A collector removes index entries before packs: a writer that looks again does not rely on them."""
    index = repository._backing.index
    for n in range(2):
        index.publish(delta_name(n), [pack(n, bytes([n]) * 32)])
    del memory.objects[delta_name(0)]
    index.refresh()
    assert (bytes(32) in index, bytes([1]) * 32 in index) == (False, True)
