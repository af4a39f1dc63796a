"""A collector between any two storage operations of a writer, a writer between any two of a collector.

What the writer stores lies in the packs of an expired restore point, which the collector is about to take away.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from backup_engine import IntegrityError, NewItem, Repository, Session, SessionFenced, Snapshot, Tuning
from backup_engine.storage import MemoryStorage
from backup_engine.testing.keys import LocalKeyWrapper
from backup_engine.testing.scripted import Script, ScriptedStorage

TUNING = Tuning(pack_size=3000, pack_blobs=4, compressors=0, uploaders=0, batch=500)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
NEVER = timedelta(days=100_000)
ITEMS = range(6)

Mail = Callable[..., bytes]
Commit = Callable[..., Snapshot]


class World:
    """One storage; every process has its own way to it."""

    def __init__(self, mail: Mail, commit: Commit, ulid: Callable[[int], str], objects: dict[str, bytes]) -> None:
        self._mail, self._commit, self._ulid = mail, commit, ulid
        self._wrapper = LocalKeyWrapper(bytes(32))
        self.memory = MemoryStorage()
        self.memory.objects = objects
        self._sessions = iter(range(2, 100))
        self.snapshot: Snapshot | None = None
        self.writing = ""  # the session that began last

    def fresh(self) -> "World":
        return World(self._mail, self._commit, self._ulid, dict(self.memory.objects))

    def process(self) -> tuple[ScriptedStorage, Repository]:
        storage = ScriptedStorage(self.memory)
        return storage, Repository.open(storage, self._wrapper, tuning=TUNING)

    def prepare(self) -> None:
        Repository.create(self.memory, self._wrapper, tenant="contoso", tuning=TUNING)
        with self.process()[1].open_session("old", self._ulid(1), parent=None) as session:
            self.put(session)
            self._commit(session, expires_at=NOW - DAY)

    def put(self, session: Session) -> None:
        for n in ITEMS:
            session.put_item(NewItem(f"m{n}", "mail", "1", ""), self._mail(n))

    def write(self, repository: Repository, adopt: str | None = None) -> Iterator[None]:
        """A backup in four stages; each `next` goes through one."""
        self.writing = self._ulid(next(self._sessions))
        with repository.open_session("box", self.writing, parent=None, adopt=adopt) as session:
            yield
            self.put(session)
            yield
            session.checkpoint(b"1")
            yield
            self.snapshot = self._commit(session, expires_at=NOW + 100 * DAY)

    def collect(self, session_grace: timedelta = NEVER) -> None:
        report = self.process()[1].maintain(NOW, grace=timedelta(0), session_grace=session_grace)
        assert report.good, report

    def check(self) -> None:
        """Every restore point is whole, also after another collection."""
        for _ in range(2):
            _, repository = self.process()
            for found in repository.snapshots():
                bodies = {row.key: body for row, body in repository.read_many(repository.items(found.shard, found.id))}
                assert bodies == {f"m{n}": self._mail(n) for n in ITEMS}
            if self.snapshot is not None:
                assert self.snapshot.id in {found.id for found in repository.snapshots()}
            self.collect()

    def written(self, stages: Iterator[None]) -> str | None:
        """Go through all stages; the session when it could not commit."""
        try:
            for _ in stages:
                pass
        except (SessionFenced, IntegrityError):
            return self.writing
        return None

    def retried(self, dead: str | None) -> None:
        """The job's next attempt takes the session over, and succeeds."""
        if dead is not None:
            assert self.written(self.write(self.process()[1], adopt=dead)) is None


@pytest.fixture
def world(mail: Mail, commit: Commit, ulid: Callable[[int], str]) -> World:
    prepared = World(lambda n: mail(n, attachment=n, size=7000), commit, ulid, {})
    prepared.prepare()
    return prepared


def played(world: World, script: Script, action: Callable[[Repository], None]) -> int:
    """Run `action` in a process of its own; how many operations it took."""
    storage, repository = world.process()
    storage.play(script)
    action(repository)
    return len(storage.operations)


@pytest.mark.parametrize("session_grace", [NEVER, timedelta(0)], ids=["spared", "given-up"])
def test_a_collection_between_any_two_operations_of_a_writer(world: World, session_grace: timedelta) -> None:
    def run(at: int) -> int:
        other = world.fresh()
        dead: list[str | None] = []
        script: Script = {at: lambda: other.collect(session_grace)}
        operations = played(other, script, lambda repository: dead.append(other.written(other.write(repository))))
        other.retried(dead[0])
        assert other.snapshot is not None
        other.check()
        return operations

    longest = max(run(at) for at in range(run(10_000) + 1))
    assert longest > 15


@pytest.mark.parametrize("begun", [2, *(pytest.param(n, marks=pytest.mark.soak) for n in (0, 1, 3))])
def test_a_writer_between_any_two_operations_of_a_collector(world: World, begun: int) -> None:
    """It has got to a stage before the collector begins, and goes on to the end in the middle of it."""

    def run(at: int) -> int:
        other = world.fresh()
        stages = other.write(other.process()[1])
        for _ in range(begun):
            next(stages)
        dead: list[str | None] = []
        script: Script = {at: lambda: dead.append(other.written(stages))}
        operations = played(other, script, _maintain)
        other.retried(dead[0] if dead else other.written(stages))
        other.check()
        return operations

    longest = max(run(at) for at in range(run(10_000) + 1))
    assert longest > 15


def test_a_collector_that_stalls_anywhere_does_no_harm_when_it_goes_on(world: World) -> None:
    """Meanwhile another one finishes its run, a backup commits, and a third one collects."""

    def run(at: int) -> int:
        other = world.fresh()
        dead: list[str | None] = []

        def meanwhile() -> None:
            other.collect()
            dead.append(other.written(other.write(other.process()[1])))
            other.collect()

        operations = played(other, {at: meanwhile}, _maintain)
        other.retried(dead[0] if dead else None)
        other.check()
        return operations

    assert max(run(at) for at in range(run(10_000) + 1)) > 15


def test_a_stalled_writer_does_no_harm_when_it_goes_on_after_its_session_was_given_up(world: World) -> None:
    """It uploads, publishes and checkpoints what nobody asked for; the next backup does not lean on it."""
    for begun in (1, 2, 3):
        other = world.fresh()
        zombie = other.write(other.process()[1])
        for _ in range(begun):
            next(zombie)
        other.collect(timedelta(0))
        with suppress(SessionFenced, IntegrityError):
            list(zombie)
        assert other.snapshot is None
        other.retried(other.writing)
        other.check()


def _maintain(repository: Repository) -> None:
    assert repository.maintain(NOW, grace=timedelta(0), session_grace=NEVER).good
