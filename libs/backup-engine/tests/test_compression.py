"""Frames: as short as they get, the same one by one and many at once."""

import random

import pytest

from backup_engine.compression import compress, compress_all, decompress
from backup_engine.header import Codec

NOISE = random.Random(7).randbytes(4 << 20)
PLAINS = [b"", b"a", b"hello " * 500, NOISE[:100], NOISE, b"\0" * (4 << 20)]


@pytest.mark.parametrize("plain", PLAINS, ids=lambda plain: f"{len(plain)} bytes")
def test_what_was_compressed_comes_back(plain: bytes) -> None:
    codec, coded = compress(plain)
    assert decompress(codec, coded) == plain
    assert len(coded) <= len(plain)


def test_what_gets_no_shorter_stays_as_it_is() -> None:
    assert compress(NOISE) == (Codec.RAW, NOISE)


def test_many_at_once_are_what_each_alone_is() -> None:
    assert compress_all(PLAINS) == [compress(plain) for plain in PLAINS]
    assert compress_all([]) == []
