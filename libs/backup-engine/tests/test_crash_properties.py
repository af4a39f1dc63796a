"""The promise of the engine: whatever dies wherever, the restore point is that of an undisturbed run.

A history is a list of steps; the cursor of a checkpoint is the number of steps it covers, as a delta token is.
A run is disturbed by crashes at given storage operations, before or after their effect; after each of them
a new process adopts the dead session and goes on at the adopted cursor.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backup_engine import AlreadyCommitted, NewItem, Repository, Session, Snapshot, Tuning
from backup_engine.pack import open_trailer
from backup_engine.storage import MemoryStorage
from backup_engine.testing.faulty import CrashingStorage, SimulatedCrash
from backup_engine.testing.keys import LocalKeyWrapper

TUNING = Tuning(pack_size=12_000, pack_blobs=4, compressors=0, uploaders=0, batch=8_000, merge_above=3)
KEYS = ("a", "b", "c", "d")
Mail = Callable[..., bytes]
Commit = Callable[..., Snapshot]
Ulid = Callable[[int], str]


@dataclass(frozen=True)
class Put:
    key: str
    number: int
    attachment: int | None


@dataclass(frozen=True)
class UpdateMeta:
    key: str
    flag: int


@dataclass(frozen=True)
class Remove:
    key: str


@dataclass(frozen=True)
class Checkpoint:
    pass


Step = Put | UpdateMeta | Remove | Checkpoint
History = list[list[Step]]  # one list of steps per backup

STEPS = st.one_of(
    st.builds(Put, st.sampled_from(KEYS), st.integers(0, 5), st.sampled_from([None, 0, 1, 2])),
    st.builds(UpdateMeta, st.sampled_from(KEYS), st.integers(0, 3)),
    st.builds(Remove, st.sampled_from(KEYS)),
    st.just(Checkpoint()),
)
HISTORIES = st.lists(st.lists(STEPS, max_size=10), min_size=1, max_size=3)
CRASHES = st.lists(st.tuples(st.integers(0, 25), st.booleans()), max_size=8)


class Laboratory:
    """Runs histories against one storage, with a crash plan."""

    def __init__(self, mail: Mail, commit: Commit, ulid: Ulid) -> None:
        self._mail, self._commit, self._ulid = mail, commit, ulid
        self._numbers = count(1)
        self.memory = MemoryStorage()
        self.wrapper = LocalKeyWrapper()
        self.crashes = 0

    def run(self, history: History, plan: list[tuple[int, bool]]) -> str:
        """The content digest of the last restore point."""
        pending = list(plan)
        parent: str | None = None
        for steps in history:
            parent = self._backup(steps, parent, pending)
        assert parent is not None
        return self.reader().content_digest("box", parent)

    def reader(self) -> Repository:
        return Repository.open(self.memory, self.wrapper, tuning=TUNING)

    def _backup(self, steps: list[Step], parent: str | None, pending: list[tuple[int, bool]]) -> str:
        """One backup, by as many processes as it takes; the id of its snapshot."""
        dead: str | None = None
        while True:
            storage = CrashingStorage(self.memory)
            if pending:
                operations, applied = pending.pop(0)
                storage.crash_in(operations, applied=applied)
            session_id = self._ulid(next(self._numbers))
            try:
                return self._process(storage, session_id, steps, parent, dead)
            except AlreadyCommitted as committed:
                return committed.snapshot_id
            except SimulatedCrash:
                self.crashes += 1
                dead = session_id

    def _process(
        self, storage: CrashingStorage, session_id: str, steps: list[Step], parent: str | None, dead: str | None
    ) -> str:
        repository = Repository.open_or_create(storage, self.wrapper, tenant="contoso", tuning=TUNING)
        session = repository.open_session("box", session_id, parent=parent, adopt=dead)
        # A cursor of the backup before says nothing about this one's steps, so it names whose it is.
        backup, _, done = (session.cursor or b"").decode().partition(":")
        for n in range(int(done) if backup == str(parent) else 0, len(steps)):
            self._apply(session, steps[n], n, parent)
        return self._commit(session, f"{parent}:{len(steps)}".encode()).id

    def _apply(self, session: Session, step: Step, n: int, parent: str | None) -> None:
        match step:
            case Put(key, number, attachment):
                item = NewItem(key, "mail", f"v{n}", "inbox", {"number": number})
                session.put_item(item, self._mail(number, attachment=attachment, size=5000))
            case UpdateMeta(key, flag):
                if session.known(key) is not None:
                    session.update_meta(key, f"v{n}", "archive", {"flag": flag})
            case Remove(key):
                session.remove(key)
            case Checkpoint():
                session.checkpoint(f"{parent}:{n + 1}".encode())

    def blobs_stored_twice(self) -> list[bytes]:
        ring = self.reader()._backing.ring
        stored = Counter(
            entry.id
            for key, body in self.memory.objects.items()
            if key.startswith("data/")
            for entry in open_trailer(ring, key, len(body), body).blobs
        )
        return [ident for ident, times in stored.items() if times > 1]


@pytest.fixture
def laboratory(mail: Mail, commit: Commit, ulid: Ulid) -> Callable[[], Laboratory]:
    return lambda: Laboratory(mail, commit, ulid)


def check(laboratory: Callable[[], Laboratory], history: History, plan: list[tuple[int, bool]]) -> int:
    undisturbed, disturbed = laboratory(), laboratory()
    assert disturbed.run(history, plan) == undisturbed.run(history, [])
    assert disturbed.blobs_stored_twice() == []
    repository = disturbed.reader()
    snapshots = repository.snapshots("box")
    # One more may appear, equal to its parent, when a process dies before its first write on the heels of a commit.
    assert len(snapshots) >= len(history)
    packs = {pack.key for snapshot in snapshots for pack in snapshot.packs}
    assert packs == {key for key in disturbed.memory.objects if key.startswith("data/")}, "every pack has its snapshot"
    for snapshot in snapshots:
        assert snapshot.stored_bytes == sum(pack.size for pack in snapshot.packs)
        assert repository.verify("box", snapshot.id, 2).good
        assert repository.verify("box", snapshot.id, 1).good
    assert not [key for key in disturbed.memory.objects if key.startswith("sessions/") and disturbed.crashes == 0]
    return disturbed.crashes


FIXED: History = [
    [Put("a", 0, 0), Put("b", 1, 1), Checkpoint(), Put("c", 2, 2), Remove("a"), Put("d", 3, 1)],
    [Put("a", 4, 2), UpdateMeta("b", 1), Checkpoint(), Remove("c"), Checkpoint(), Put("b", 5, None)],
]


@pytest.mark.parametrize("applied", [False, True])
def test_a_crash_at_every_single_storage_operation(
    laboratory: Callable[[], Laboratory],
    applied: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Also of the second backup: the plan lets the first one pass, then counts on."""
    for backup in (0, 1):
        for operation in count():
            plan = [(10_000, False)] * backup + [(operation, applied)]
            if check(laboratory, FIXED, plan) == 0:
                break
        assert operation > 20


@pytest.mark.parametrize("first", [14, 22])
def test_crashes_while_adopting_the_crashed(laboratory: Callable[[], Laboratory], first: int) -> None:
    for operation in count():
        # The first process dies somewhere in its backup, the next three at the same place of taking over.
        plan = [(first, True), (operation, True), (operation, False), (operation, True)]
        if check(laboratory, FIXED, plan) == 1:
            break
    assert operation > 20


@given(history=HISTORIES, plan=CRASHES)
@settings(max_examples=80, deadline=None)
def test_any_history_with_any_crashes_ends_as_if_undisturbed(
    mail: Mail, commit: Commit, ulid: Ulid, history: History, plan: list[tuple[int, bool]]
) -> None:
    check(lambda: Laboratory(mail, commit, ulid), history, plan)
