"""Every fault of every object of the repository that is kept for ever: all kinds but exports and derived files.

`test_damage.py` has more faults, repairs and the product's way of backing up; this has more names.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backup_engine import Repository, RepositoryError, Tuning
from backup_engine.storage import MemoryStorage
from backup_engine.testing.keys import LocalKeyWrapper

VECTOR = Path(__file__).parent / "vectors" / "format-1"
AT = datetime(2026, 3, 1, tzinfo=UTC)  # before any of its restore points expires
UNFINISHED = "01ARZ3NDEKTSV4RRFFQ0000027"  # a session whose worker died: nobody was told that it has stored anything

NOT_MISSED = {
    # A collector ends that run once more.
    "gc/00000001/done": "what it says is done again",
    # Its job begins anew from the restore point before.
    f"sessions/{UNFINISHED}/open": "progress",
    f"sessions/{UNFINISHED}/ckpt-000000": "progress",
    f"manifests/mail/ben/{UNFINISHED}-000000-000000": "progress",
    f"index/{UNFINISHED}/000000": "progress",
    # Only who remembers the newest receipt can miss it (format, section 15).
    "receipts/newest": "end of the chain",
}

Objects = dict[str, bytes]


@pytest.fixture(scope="module")
def wrapper() -> LocalKeyWrapper:
    expected = json.loads((VECTOR / "expected.json").read_text(encoding="utf-8"))
    return LocalKeyWrapper(bytes.fromhex(expected["wrapping_key"]))


@pytest.fixture(scope="module")
def sound(wrapper: LocalKeyWrapper) -> Objects:
    """The vector, each restore point attested as the product does it, verified once."""
    files = [path for path in (VECTOR / "objects").rglob("*") if path.is_file()]
    storage = MemoryStorage()
    storage.objects = {path.relative_to(VECTOR / "objects").as_posix(): path.read_bytes() for path in files}
    repository = Repository.open(storage, wrapper)
    for point in repository.snapshots():
        repository.checks.attest(point, [repository.verify(point.shard, point.id, 0)], at=AT)
    assert look(storage.objects, wrapper, session=1) == set()
    return storage.objects


@pytest.fixture(scope="module")
def stranger() -> Objects:
    """Another tenant's repository."""
    storage = MemoryStorage()
    Repository.create(storage, LocalKeyWrapper(), tenant="fabrikam", tuning=Tuning(compressors=0, uploaders=0))
    return storage.objects


def look(objects: Mapping[str, bytes], wrapper: LocalKeyWrapper, *, session: int = 2) -> set[str]:
    """The names that opening or verification complains about."""
    storage = MemoryStorage()
    storage.objects = dict(objects) if session > 1 else objects  # type: ignore[assignment]  # the first one is kept
    try:
        repository = Repository.open(storage, wrapper)
        report = repository.checks.rolling(at=AT, session=f"01KRZ3NDEKTSV4RRFFQ{session:07d}").report
    except RepositoryError as error:
        return {getattr(error, "key", "") or str(error)}
    return {problem.key for problem in report.problems}


def altered(body: bytes, foreign: bytes) -> Iterator[bytes]:
    for place in {8, len(body) // 2, len(body) - 1}:
        yield body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
    for length in (0, len(body) - 1):
        yield body[:length]
    yield foreign


def test_no_object_can_be_altered_unseen(sound: Objects, stranger: Objects, wrapper: LocalKeyWrapper) -> None:
    assert len({name.partition("/")[0] for name in sound}) == 12, "every kind of object"
    unseen = {
        (name, n)
        for name, body in sound.items()
        for n, other in enumerate(altered(body, stranger["config"]))
        if not look({**sound, name: other}, wrapper)
    }
    assert unseen == set()


def test_what_is_removed_is_missed_but_for_what_nobody_needs(sound: Objects, wrapper: LocalKeyWrapper) -> None:
    newest = max(name for name in sound if name.startswith("receipts/"))
    unseen = {
        "receipts/newest" if gone == newest else gone
        for gone in sound
        if not look({name: body for name, body in sound.items() if name != gone}, wrapper)
    }
    tombstones = {name for name in unseen if name.startswith("snapshots/") and is_tombstone(sound[name])}
    assert unseen - tombstones == NOT_MISSED.keys()


def is_tombstone(body: bytes) -> bool:
    """Kind 5: without one, a session that was taken over could commit; that changes no restore point there is."""
    return body[14] == 5
