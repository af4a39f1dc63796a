"""Chunks depend on content and key alone, so that what moved is stored once."""

import random
from collections.abc import Iterator

import pytest

from backup_engine import chunking
from backup_engine.chunking import USUAL, chunks

KEY = b"k" * 32


@pytest.fixture(scope="module")
def body() -> bytes:
    return random.Random(1).randbytes(24 << 20)


def pieces(body: bytes, size: int) -> Iterator[bytes]:
    return (body[at : at + size] for at in range(0, len(body), size))


@pytest.mark.parametrize("size", [70_001, 1 << 20, 30 << 20])
def test_chunks_concatenate_and_do_not_depend_on_how_the_bytes_arrive(body: bytes, size: int) -> None:
    expected = list(chunks(KEY, [body]))
    found = list(chunks(KEY, pieces(body, size)))
    assert b"".join(found) == body
    assert found == expected
    assert all(USUAL.least <= len(chunk) <= USUAL.most for chunk in found[:-1])
    assert len(found) > 8


@pytest.mark.parametrize("unit", [300_007, 2_000_003])
def test_where_a_window_ends_moves_no_cut(body: bytes, unit: int) -> None:
    """Repeated bytes make cuts early, late and not at all, so that windows end at any distance from one."""
    repeated = (body[:unit] * (20_000_000 // unit + 1))[:20_000_000]
    whole = list(_cut_at_once(repeated))
    assert [len(chunk) for chunk in chunks(KEY, pieces(repeated, 1_000_003))] == whole
    assert [len(chunk) for chunk in chunks(KEY, [repeated])] == whole


def _cut_at_once(body: bytes) -> Iterator[int]:
    """Lengths of the chunks when every cut sees all that is left."""
    cutter = chunking._cutter(KEY, USUAL)
    start = 0
    while start < len(body):
        length = next(iter(cutter.cut_buf(body[start:]))).length
        yield length
        start += length


def test_an_insertion_changes_the_chunks_around_it_only(body: bytes) -> None:
    before = set(chunks(KEY, [body]))
    after = set(chunks(KEY, [body[: 9 << 20], b"one more sentence", body[9 << 20 :]]))
    assert len(after - before) <= 2


def test_another_key_cuts_elsewhere(body: bytes) -> None:
    assert not set(chunks(KEY, [body])) & set(chunks(b"o" * 32, [body]))


def test_far_into_a_stream_chunks_are_larger(body: bytes) -> None:
    usual = [len(chunk) for chunk in chunks(KEY, [body])]
    mixed = [len(chunk) for chunk in chunks(KEY, [body], large_from=8 << 20)]
    early = next(n for n in range(len(usual)) if sum(usual[: n + 1]) > 8 << 20)
    assert mixed[:early] == usual[:early]
    assert min(mixed[early + 1 : -1]) >= chunking.LARGE.least
    assert len(mixed) < len(usual)


def test_equal_bytes_make_the_longest_chunks() -> None:
    assert [len(chunk) for chunk in chunks(KEY, [bytes(20 << 20)])] == [8 << 20, 8 << 20, 4 << 20]


def test_nothing_is_cut_into_nothing() -> None:
    assert list(chunks(KEY, [])) == []
    assert list(chunks(KEY, [b"", b""])) == []
