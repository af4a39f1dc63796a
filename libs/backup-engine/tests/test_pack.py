"""A pack is what was put into it, whatever its buffer held before."""

import random

import pytest

from backup_engine import Repository
from backup_engine.header import Codec
from backup_engine.pack import PackBuilder, PackOpener, blob_id


def _filled(repository: Repository, blobs: list[bytes], before: PackBuilder | None = None) -> PackBuilder:
    ring = repository._backing.ring
    builder = PackBuilder(ring.writing, before.buffer if before else None)
    for blob in blobs:
        builder.add(blob_id(ring.blob_id, blob), len(blob), Codec.RAW, blob)
    return builder


def _read(repository: Repository, builder: PackBuilder, body: bytes, trailer: int) -> list[bytes]:
    ring = repository._backing.ring
    opener = PackOpener(ring, body[:64], "data/x")
    assert len(body) == builder.size + trailer
    return [opener.blob(one, body[one.offset : one.offset + one.stored]) for one in builder.entries]


@pytest.mark.parametrize("sizes", [(50_000, 300), (300, 50_000), (50_000, 40_000)])
def test_a_buffer_that_is_used_again_leaves_no_trace(repository: Repository, sizes: tuple[int, int]) -> None:
    """Neither of the old pack in the new one, nor of the new one in the old one while somebody still reads that."""
    old, new = ([random.Random(size).randbytes(size)] * 3 for size in sizes)
    first = _filled(repository, old)
    first_body, first_trailer = first.close()
    second = _filled(repository, new, first)
    assert _read(repository, second, *second.close()) == new
    assert _read(repository, first, first_body, first_trailer) == old
