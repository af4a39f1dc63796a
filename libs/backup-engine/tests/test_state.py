"""The item table of a session against a dictionary."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backup_engine import IntegrityError, ItemRow, Repository, key_map, manifest, rows
from backup_engine.blocks import Blocks
from backup_engine.header import Kind
from backup_engine.key_map import KeyMap
from backup_engine.model import BlobSlice, Recipe
from backup_engine.scratch import Scratch
from backup_engine.sealed import SealedObjects
from backup_engine.state import State
from backup_engine.storage import MemoryStorage
from backup_engine.testing.keys import LocalKeyWrapper

SESSION = "01ARZ3NDEKTSV4RRFFQ0000001"
KEYS = [f"key-{n}" for n in range(12)]


def row(key: str, number: int) -> ItemRow:
    recipe = (BlobSlice(bytes([number % 256]) * 32, number, 7),)
    return ItemRow(key, "mail", str(number), "inbox", {"n": number, "a": "ä"}, number, b"d" * 32, recipe)


@pytest.fixture
def objects(repository: Repository) -> SealedObjects:
    return repository._backing.objects


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from(KEYS)),
        st.tuples(st.just("remove"), st.sampled_from(KEYS)),
        st.tuples(st.sampled_from(["checkpoint", "reload"]), st.just("")),
    ),
    max_size=60,
)


class History:
    """A state and the dictionary it must read like."""

    def __init__(self, memory: int, above: int) -> None:
        self.objects = Repository.create(MemoryStorage(), LocalKeyWrapper(), tenant="contoso")._backing.objects
        self.memory, self.above = memory, above
        self.state = State(memory)
        self.model: dict[str, ItemRow] = {}
        self._written = 0

    def take(self, step: str, key: str, number: int) -> None:
        if step == "put":
            self.model[key] = row(key, number)
            self.state.put(self.model[key])
        elif step == "remove":
            self.model.pop(key, None)
            self.state.remove(key)
        else:
            self.checkpoint()
        if step == "reload":
            self.state = State.load(self.objects, self.state.segments, memory=self.memory)

    def checkpoint(self) -> None:
        if changes := self.state.take_changes():
            self.state.written(self._write(changes))
        if count := self.state.mergeable(self.above):
            self.state.replace_newest(count, self._write(self.state.newest(count)))
        assert self.state.runs <= max(self.above, 1)

    def _write(self, changes: manifest.Changes) -> tuple[str, ...]:
        self._written += 1
        return manifest.write_run(self.objects, "box", SESSION, self._written, changes)


@settings(max_examples=150, deadline=None)
@given(STEPS, st.sampled_from([0, 200, 1 << 20]), st.integers(1, 4))
def test_any_history_reads_like_a_dictionary(steps: list[tuple[str, str]], memory: int, above: int) -> None:
    history = History(memory, above)
    for number, (step, key) in enumerate(steps):
        before = sorted(history.model.values(), key=lambda one: one.key)
        listing = history.state.rows()
        history.take(step, key, number)
        assert list(listing) == before
        state, model = history.state, history.model
        for one in KEYS:
            assert (state.get(one), one in state) == (model.get(one), one in model)
        assert state.bodies() == Counter(row.kind for row in model.values())
    history.checkpoint()
    items = manifest.items(history.objects, history.state.segments)
    assert list(items) == [history.model[key] for key in sorted(history.model)]


def test_a_row_is_stored_and_read_as_it_was() -> None:
    one = row("k", 5)
    read = rows.unpack("k", rows.pack(one))
    assert read == one
    assert (dict(read.meta), read.recipe[0], len(read.recipe)) == ({"n": 5, "a": "ä"}, one.recipe[0], 1)
    assert rows.pack(read) == rows.pack(one)
    folder = ItemRow("f", "folder", "1", "", {}, 0, None)
    assert rows.unpack("f", rows.pack(folder)) == folder
    assert Recipe.of(one.recipe).ids() == [one.recipe[0].id]


LOOKS_EMPTY = (BlobSlice(bytes(32), 0, 0xC0C0),)  # its packed form ends like that of a row without a body


@pytest.mark.parametrize("kind", ["mail", "", "k" * 31, "k" * 32, "ä" * 16])
@pytest.mark.parametrize("recipe", [(), LOOKS_EMPTY])
def test_the_kind_of_a_body_is_that_of_the_row(kind: str, recipe: tuple[BlobSlice, ...]) -> None:
    body = ItemRow("k", kind, "1", "", {}, 5, b"d" * 32, recipe)
    assert rows.kind_of_body(rows.pack(body)) == kind
    assert rows.kind_of_body(rows.pack(body._replace(size=0, sha256=None, recipe=()))) is None
    with pytest.raises((ValueError, TypeError)):
        rows.kind_of_body(b"\xc0\xc0")


@pytest.mark.parametrize("memory", [0, 100_000, 1 << 30])
def test_changes_are_given_back_from_their_blocks(memory: int, tmp_path: Path) -> None:
    """Longer than a block, too: a file of a terabyte has a row of 40 MB."""
    blocks = Blocks(Scratch(memory, tmp_path))
    changes = [(f"{n:04d}", None if n % 7 == 0 else bytes(n * 13 % 3000)) for n in range(300)]
    changes.insert(150, ("0149+", bytes(3 << 20)))
    middle, addresses = 0, list[int]()
    for part in (changes[:100], changes[100:]):
        middle = blocks.end
        addresses += blocks.append(part).tolist()
    assert addresses == sorted(addresses)
    assert [blocks.read(address) for address in addresses] == changes
    assert list(blocks.scan(0, middle)) == changes[:100]
    assert list(blocks.scan(middle, blocks.end)) == changes[100:]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(st.integers(0, 40).map(str), st.one_of(st.none(), st.binary(max_size=3))), max_size=5))
def test_of_several_runs_the_newest_word_counts(runs: list[dict[str, bytes | None]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest, "_PORTION", 3)
        merged = list(manifest.merge([sorted(run.items()) for run in runs]))
    expected: dict[str, bytes | None] = {}
    for run in reversed(runs):
        expected |= run
    assert merged == sorted(expected.items())


def test_a_long_run_is_read_segment_by_segment(objects: SealedObjects) -> None:
    """No more than about one segment of each run is in memory, so a segment may not be large."""
    changes = [(f"{n:06d}", rows.pack(row("k", n)) + bytes(1000)) for n in range(3000)]
    segments = manifest.write_run(objects, "box", SESSION, 0, iter(changes))
    assert segments == tuple(f"manifests/box/{SESSION}-000000-{part:06d}" for part in range(4))
    assert manifest.runs([f"manifests/box/{SESSION}-000001-000000", *segments])[1] == segments
    assert list(manifest.read_run(objects, segments)) == changes


@pytest.mark.parametrize("content", [[["b", None], ["a", None]], [["a", None], ["a", None]], [["a"]], "x", [1]])
def test_a_segment_with_rows_in_disorder_is_damage(objects: SealedObjects, content: object) -> None:
    name = f"manifests/box/{SESSION}-000000-000000"
    objects.put(name, Kind.SEGMENT, {"shard": "box", "session": SESSION, "rows": content})
    with pytest.raises(IntegrityError):
        list(manifest.items(objects, [name]))


class Alike(str):
    """A key whose hash is that of all others."""

    __slots__ = ()

    def __hash__(self) -> int:
        return 7


def test_keys_that_hash_alike_are_told_apart() -> None:
    state = State(1 << 20)
    for number, key in enumerate(KEYS):
        state.put(row(Alike(key), number))
    state.take_changes()
    state.put(row(Alike(KEYS[0]), 99))
    state.take_changes()
    assert len(list(state._map.candidates(Alike("any")))) == len(KEYS) + 1
    numbers = [99, *range(1, len(KEYS))]
    assert [state.get(Alike(key)) for key in KEYS] == [row(key, n) for key, n in zip(KEYS, numbers, strict=True)]
    assert Alike("nobody") not in state


def test_candidates_are_those_of_the_hash_newest_first() -> None:
    found = KeyMap()
    found.add(key_map.hashes(["a", "b", "a"]), np.array([1, 2, 3]))
    found.add(key_map.hashes(["c", "a"]), np.array([4, 5]))
    assert list(found.candidates("a")) == [5, 3, 1]
    assert list(found.candidates("x")) == []
    found.drop(2, 4)
    assert (list(found.candidates("a")), len(found)) == ([5, 1], 3)


@pytest.mark.parametrize("memory", [0, 300_000, 1 << 30])
def test_scratch_gives_back_what_was_appended(memory: int, tmp_path: Path) -> None:
    scratch = Scratch(memory, tmp_path)
    records = [bytes([n % 256]) * (n * 37 % 3000) for n in range(1000)] + [b"long" * 200_000, b""]
    addresses = scratch.append(records[:700]) + scratch.append(records[700:])
    assert list(scratch.scan(0, scratch.end)) == records
    assert list(scratch.scan(addresses[500], addresses[900])) == records[500:900]
    assert [scratch.read(address) for address in addresses] == records
    assert list(tmp_path.iterdir()) == []


def test_scratch_on_disk_is_encrypted_and_noticed_when_damaged(tmp_path: Path) -> None:
    scratch = Scratch(0, tmp_path)
    (address,) = scratch.append([b"subject: salary" * 10])
    assert scratch._file is not None
    raw = os.pread(scratch._file, 1000, 0)
    assert b"salary" not in raw
    os.pwrite(scratch._file, bytes([raw[50] ^ 1]), 50)
    with pytest.raises(OSError, match="damaged"):
        scratch.read(address)
