"""Whatever comes in comes out, bit by bit."""

import base64
import random
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from backup_engine import NewItem, Repository, Snapshot, Tuning
from backup_engine.mime_cut import cut
from backup_engine.recipe import divide
from backup_engine.storage import MemoryStorage
from backup_engine.testing.keys import LocalKeyWrapper

NEWLINES = st.sampled_from([b"\r\n", b"\n", b"\r", b"\n\r\n"])
MARKERS = st.sampled_from(
    [b"base64", b"BASE64", b"Content-Transfer-Encoding: base64", b"content-transfer-encoding:base64", b"--", b"--b"]
)
ENCODED = st.builds(
    lambda seed, size: base64.encodebytes(random.Random(seed).randbytes(size)),
    st.integers(0, 3),
    st.sampled_from([10, 4600, 4700, 9000]),
)
# Pieces that meet the scan's words in every order: broken headers, missing boundaries, mixed line ends.
BROKEN_MAIL = st.lists(st.one_of(NEWLINES, NEWLINES, MARKERS, ENCODED, st.binary(max_size=20)), max_size=25).map(
    b"".join
)
BODIES = st.one_of(st.binary(max_size=300), BROKEN_MAIL)


@given(BODIES)
@settings(max_examples=400, deadline=None)
def test_spans_cover_any_bytes_without_gap_or_overlap(body: bytes) -> None:
    spans = cut(body)
    ends = [0, *(span.end for span in spans)]
    assert [span.start for span in spans] == ends[:-1]
    assert ends[-1] == len(body)
    assert all(span.start < span.end for span in spans)


@given(BODIES)
@settings(max_examples=400, deadline=None)
def test_the_recipe_concatenates_to_the_input(body: bytes) -> None:
    division = divide(body)
    joined = b"".join(division.blobs[s.blob][s.offset : s.offset + s.length] for s in division.slices)
    assert joined == body


@given(bodies=st.lists(BODIES, min_size=1, max_size=8), threads=st.sampled_from([0, 2]), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_what_was_committed_is_read_back_identically(
    commit: Callable[..., Snapshot], ulid: Callable[[int], str], bodies: list[bytes], threads: int, seed: int
) -> None:
    storage, wrapper = MemoryStorage(), LocalKeyWrapper()
    tuning = Tuning(pack_size=4096, pack_blobs=3, compressors=threads, uploaders=threads, batch=2048)
    repository = Repository.create(storage, wrapper, tenant="contoso", tuning=tuning)
    with repository.open_session("box", ulid(1), parent=None) as session:
        for n, body in enumerate(bodies):
            session.put_item(NewItem(f"m{n}", "mail", "1", "inbox", {"n": n}), body)
            if (n + seed) % 3 == 0:
                session.checkpoint(b"%d" % n)
        snapshot = commit(session)
    again = Repository.open(storage, wrapper, tuning=tuning)
    rows = list(again.items("box", snapshot.id))
    assert [again.read(row) for row in rows] == [bodies[row.meta["n"]] for row in rows]
    assert {row.key: body for row, body in again.read_many(rows)} == {f"m{n}": b for n, b in enumerate(bodies)}
    assert snapshot.bytes == sum(map(len, bodies))
    assert all(again.verify("box", snapshot.id, level).good for level in (0, 1, 2))
