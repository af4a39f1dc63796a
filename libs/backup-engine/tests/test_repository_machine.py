"""Any order of backups, expiries, holds, collections, crashes and take-overs: what is listed restores byte for byte.

Everything happens in one thread. Processes share one storage in memory, each through a script that lets it die, lose
answers or be overtaken by others at any of its storage operations, in the middle of listings, too. Names and salts are
the same each time a history is played: hypothesis can play it again, and shorten it.
"""

import random
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, currently_in_test_context, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from backup_engine import (
    AlreadyCommitted,
    IntegrityError,
    NewItem,
    NotFound,
    Repository,
    Session,
    SessionFenced,
    StorageUnreachable,
    Tuning,
)
from backup_engine.holds import Hold, Release, Scope
from backup_engine.storage import LockMode, MemoryStorage, RetryingStorage, RetryPolicy
from backup_engine.testing.faulty import SimulatedCrash
from backup_engine.testing.keys import LocalKeyWrapper
from backup_engine.testing.scripted import Event, Script, ScriptedStorage

TUNING = Tuning(pack_size=1500, pack_blobs=4, compressors=0, uploaders=0, batch=400, merge_above=3)
WRAPPER = LocalKeyWrapper(bytes(range(32)))
SHARDS = ("anna", "ben")
KEYS = ("a", "b", "c", "d")
START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
NEVER = timedelta(days=1_000_000)

Content = dict[str, int]  # item key: number of its body

shards = st.sampled_from(SHARDS)
changes = st.dictionaries(st.sampled_from(KEYS), st.none() | st.integers(0, 5), max_size=4)
events = st.sampled_from(list(Event))


def throttled(at: int, times: int) -> dict[int, Event]:
    """A burst of refusals; a process tries three times."""
    return dict.fromkeys(range(at, at + times), Event.UNREACHABLE)


faults = st.one_of(
    st.dictionaries(st.integers(0, 60), events, max_size=3),
    st.builds(throttled, st.integers(0, 60), st.integers(1, 6)),
)
policies = st.tuples(
    st.sampled_from([timedelta(0), timedelta(0), DAY]),
    st.sampled_from([NEVER, NEVER, timedelta(0), 7 * DAY]),
    st.sampled_from([0.5, 1.1, 0.0]),
)  # grace, session grace, share below which packs are rewritten


def body(number: int) -> bytes:
    return random.Random(number).randbytes(300)


def say(text: str) -> None:
    if currently_in_test_context():  # a history that was found once is told without hypothesis
        note(text)


@dataclass
class Process:
    storage: ScriptedStorage
    repository: Repository

    @classmethod
    def start(cls, memory: MemoryStorage) -> "Process":
        storage = ScriptedStorage(memory)
        retrying = RetryingStorage(storage, RetryPolicy(attempts=3), wait=lambda _: None)
        return cls(storage, Repository.open(retrying, WRAPPER, tuning=TUNING))


@dataclass
class Writer:
    process: Process
    session: Session
    shard: str
    content: Content


@dataclass
class World:
    """What the rules share, and what they know to be true."""

    lock: LockMode | None = None
    memory: MemoryStorage = field(init=False)
    time: datetime = START  # as it is, and as the storage's clock has it
    now: datetime = START  # as a collector's clock has it
    numbers: Any = field(default_factory=lambda: count(1))
    processes: list[Process] = field(default_factory=list)
    writers: dict[str, Writer] = field(default_factory=dict)  # by shard
    zombies: list[Writer] = field(default_factory=list)
    dead: dict[str, str] = field(default_factory=dict)  # shard: the session its next writer takes over
    contents: dict[bytes, Content] = field(default_factory=dict)  # by cursor
    promised: dict[str, datetime] = field(default_factory=dict)  # commit names that were reported, with their expiry
    removable: set[str] = field(default_factory=set)
    holds: dict[str, str] = field(default_factory=dict)  # id: commit name, placed and not released

    def __post_init__(self) -> None:
        self.memory = MemoryStorage(lock=self.lock, clock=lambda: self.time)

    def pass_time(self, time: timedelta) -> None:
        self.time += time
        self.now += time

    def ulid(self) -> str:
        milliseconds = int(self.time.timestamp() * 1000)
        return "".join(CROCKFORD[milliseconds >> shift & 31] for shift in range(45, -1, -5)) + (
            f"{next(self.numbers):016d}"
        )

    def cursor(self, content: Content) -> bytes:
        cursor = b"%d" % len(self.contents)
        self.contents[cursor] = dict(content)
        return cursor


class Actions:
    """What processes do; every action may be cut short or overtaken."""

    def __init__(self, world: World) -> None:
        self.world = world

    def attempt(self, process: Process, script: Script, action: Callable[[], None]) -> None:
        """Run in `process`; when it dies, so do its sessions."""
        process.storage.play(script)
        try:
            action()
        except SimulatedCrash:
            self._bury(process)
        except StorageUnreachable:
            pass  # more lost answers than it tries again: the caller has left things as they are
        finally:
            process.storage.play({})

    def _bury(self, process: Process) -> None:
        world = self.world
        if process in world.processes:
            world.processes[world.processes.index(process)] = Process.start(world.memory)
        for shard, writer in list(world.writers.items()):
            if writer.process is process:
                world.dead[shard] = world.writers.pop(shard).session.id
        world.zombies = [zombie for zombie in world.zombies if zombie.process is not process]

    def open(self, shard: str, process: Process, script: Script) -> None:
        if shard not in self.world.writers:
            self.attempt(process, script, lambda: self._open(shard, process))

    def _open(self, shard: str, process: Process) -> None:
        world, repository = self.world, process.repository
        adopt, ident = world.dead.get(shard), world.ulid()
        world.dead[shard] = ident  # until it is known to have begun, the next one takes over from here
        if adopt is None:
            del world.dead[shard]
        try:
            snapshots = repository.snapshots(shard)
            parent = snapshots[0].id if snapshots else None
            session = repository.open_session(shard, ident, parent=parent, adopt=adopt)
        except AlreadyCommitted:
            world.dead.pop(shard, None)
            return
        except (NotFound, SessionFenced):
            world.dead[shard] = ident
            return  # the parent went between the listing and the opening, or the session was taken for dead: again
        except (SimulatedCrash, StorageUnreachable):
            world.dead[shard] = ident
            raise
        world.dead.pop(shard, None)
        content = dict(world.contents[session.cursor]) if session.cursor is not None else {}
        found = {row.key: row.sha256 for row in session.keys("mail")}
        assert found.keys() == content.keys(), "the cursor covers what the session knows"
        world.writers[shard] = Writer(process, session, shard, content)

    def put(self, writer: Writer, change: dict[str, int | None], *, checkpoint: bool, script: Script) -> None:
        def action() -> None:
            for key, number in change.items():
                if number is None:
                    writer.session.remove(key)
                    writer.content.pop(key, None)
                else:
                    writer.session.put_item(NewItem(key, "mail", str(number), ""), body(number))
                    writer.content[key] = number
            if checkpoint:
                writer.session.checkpoint(self.world.cursor(writer.content))

        self._write(writer, script, action)

    def commit(self, writer: Writer, days: int, script: Script) -> None:
        world = self.world

        def action() -> None:
            # A worker's clock stands still, which ends a restore point no later than it should; a collector's jumps.
            snapshot = writer.session.commit(
                world.cursor(writer.content), listed=0, skipped=[], failed=[],
                taken_at=START, expires_at=START + days * DAY,
            )  # fmt: skip
            name = f"snapshots/{writer.shard}/{snapshot.id}"
            world.promised[name] = snapshot.expires_at
            if snapshot.expires_at <= world.time:
                world.removable.add(name)  # a collector may have been faster than this answer
            if world.writers.get(writer.shard) is writer:
                del world.writers[writer.shard]
            else:
                world.zombies.remove(writer)

        self._write(writer, script, action)

    def _write(self, writer: Writer, script: Script, action: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                action()
            except (SessionFenced, IntegrityError, StorageUnreachable):
                self._end(writer)

        self.attempt(writer.process, script, guarded)

    def _end(self, writer: Writer) -> None:
        """Its session cannot go on; the job's next attempt takes it over."""
        writer.session.abort()
        if self.world.writers.get(writer.shard) is writer:
            self.world.dead[writer.shard] = self.world.writers.pop(writer.shard).session.id
        elif writer in self.world.zombies:
            self.world.zombies.remove(writer)

    def maintain(
        self, process: Process, script: Script, grace: timedelta, session_grace: timedelta, rewrite_below: float = 0.5
    ) -> None:
        world = self.world

        def action() -> None:
            report = process.repository.maintain(
                world.now, grace=grace, session_grace=session_grace, rewrite_below=rewrite_below
            )
            assert not [problem for problem in report.problems if problem.kind != "clock"], report

        self._allow_removal()
        self.attempt(process, script, action)
        self._allow_removal()  # of what was committed while it ran

    def _allow_removal(self) -> None:
        """Of what has truly expired, whatever a collector's clock says."""
        world = self.world
        held = set(world.holds.values())
        world.removable |= {name for name, end in world.promised.items() if end <= world.time and name not in held}


class RepositoryMachine(RuleBasedStateMachine):
    lock: LockMode | None = None
    world: World
    actions: Actions

    def __init__(self) -> None:
        super().__init__()
        # Not our code: the chance in names and salts, which decide the order of packs.
        self.chance = pytest.MonkeyPatch()
        self.chance.setattr(secrets, "token_bytes", random.Random(1).randbytes)

    @initialize()
    def create(self) -> None:
        self.world = World(self.lock)
        self.actions = Actions(self.world)
        Repository.create(self.world.memory, WRAPPER, tenant="contoso", tuning=TUNING)
        self.world.processes = [Process.start(self.world.memory) for _ in range(3)]
        # Every body is in the repository, and nobody needs it much longer: what is put next leans on garbage.
        self.actions.open("ben", self.world.processes[2], {})
        writer = self.world.writers["ben"]
        self.actions.put(writer, {str(n): n for n in range(6)}, checkpoint=True, script={})
        self.actions.commit(writer, -1, {})
        self.witness = Process.start(self.world.memory)  # reads for ever with what it once knew

    def script(self, faults: dict[int, Event], overtaken: dict[int, int], process: Process) -> Script:
        """Faults at some operations; at others, somebody goes first."""
        others = self.others(process)
        return {**faults, **{at: others[who % len(others)] for at, who in overtaken.items()}}

    def others(self, process: Process) -> list[Callable[[], None]]:
        """What happens in other processes."""
        return [
            lambda: self._maintain_in_another(process, timedelta(0), NEVER),
            lambda: self._maintain_in_another(process, timedelta(0), timedelta(0)),
            lambda: self._maintain_in_another(process, DAY, NEVER),
            *(lambda shard=shard: self._go_on(shard, process) for shard in SHARDS),  # type: ignore[misc]  # bound now
        ]

    def _maintain_in_another(self, process: Process, grace: timedelta, session_grace: timedelta) -> None:
        other = next(one for one in self.world.processes if one is not process)
        say("  overtaken by a collector")
        self.actions.maintain(other, {}, grace, session_grace)

    def _go_on(self, shard: str, process: Process) -> None:
        """The shard's writer, if it is in another process, commits; if there is none, one begins."""
        say(f"  overtaken by the writer of {shard}")
        other = next(one for one in reversed(self.world.processes) if one is not process)
        writer = self.world.writers.get(shard)
        if writer is None:
            self.actions.open(shard, other, {})
        elif writer.process is not process:
            self.actions.commit(writer, 10, {})

    @rule(
        shard=shards,
        n=st.integers(0, 2),
        faults=faults,
        overtaken=st.dictionaries(st.integers(0, 15), st.integers(0, 6), max_size=2),
    )
    def open(self, shard: str, n: int, faults: dict[int, Event], overtaken: dict[int, int]) -> None:
        process = self.world.processes[n]
        self.actions.open(shard, process, self.script(faults, overtaken, process))

    @precondition(lambda self: self.world.writers)
    @rule(shard=shards, change=changes, checkpoint=st.booleans(), faults=faults)
    def put(self, shard: str, change: dict[str, int | None], checkpoint: bool, faults: dict[int, Event]) -> None:  # noqa: FBT001 - drawn
        writer = self.world.writers.get(shard)
        if writer is not None:
            self.actions.put(writer, change, checkpoint=checkpoint, script=faults)

    @rule(
        shard=shards,
        days=st.sampled_from([5, 30, 400]),
        faults=faults,
        overtaken=st.dictionaries(st.integers(0, 25), st.integers(0, 6), max_size=2),
    )
    def commit(self, shard: str, days: int, faults: dict[int, Event], overtaken: dict[int, int]) -> None:
        writer = self.world.writers.get(shard)
        if writer is not None:
            self.actions.commit(writer, days, self.script(faults, overtaken, writer.process))

    @precondition(lambda self: self.world.writers)
    @rule(shard=shards)
    def take_over(self, shard: str) -> None:
        """The writer is believed dead; it goes on later as a zombie."""
        writer = self.world.writers.pop(shard, None)
        if writer is not None:
            self.world.dead[shard] = writer.session.id
            self.world.zombies.append(writer)

    @precondition(lambda self: self.world.zombies)
    @rule(n=st.integers(0, 5), commit=st.booleans(), change=changes)
    def zombie(self, n: int, commit: bool, change: dict[str, int | None]) -> None:  # noqa: FBT001 - drawn
        writer = self.world.zombies[n % len(self.world.zombies)]
        if commit:
            self.actions.commit(writer, 30, {})
        else:
            self.actions.put(writer, change, checkpoint=True, script={})

    @rule(
        n=st.integers(0, 2), faults=faults, policy=policies,
        overtaken=st.dictionaries(st.integers(0, 50), st.integers(0, 6), max_size=3),
    )  # fmt: skip
    def maintain(
        self, n: int, faults: dict[int, Event], policy: tuple[timedelta, timedelta, float], overtaken: dict[int, int]
    ) -> None:  # fmt: skip
        process = self.world.processes[n]
        script = self.script(faults, overtaken, process)
        self.actions.maintain(process, script, *policy)

    @rule(days=st.sampled_from([1, 3, 20, 366]))
    def time_passes(self, days: int) -> None:
        self.world.pass_time(days * DAY)

    @rule(days=st.sampled_from([20, 366, 3660, -10, -366]))
    def clock_jumps(self, days: int) -> None:
        self.world.now += days * DAY

    @precondition(lambda self: self.world.promised)
    @rule(n=st.integers(0, 10))
    def place_hold(self, n: int) -> None:
        listed = sorted(info.key for info in self.world.memory.list("snapshots/") if info.key in self.world.promised)
        if listed:
            name = listed[n % len(listed)]
            shard, _, snapshot = name.removeprefix("snapshots/").rpartition("/")
            ident = self.world.ulid()
            with suppress(NotFound):  # it has expired and is being removed
                hold = Hold(ident, Scope(shard, snapshot), "lawsuit", "counsel", START)
                self.world.processes[0].repository.custody.place_hold(hold)
                self.world.holds[ident] = name

    @precondition(lambda self: self.world.holds)
    @rule()
    def release_hold(self) -> None:
        ident, _ = self.world.holds.popitem()
        self.world.processes[0].repository.custody.release_hold(ident, Release("counsel", START, "settled"))

    @invariant()
    def what_is_listed_restores(self) -> None:
        if hasattr(self, "world"):
            self.check(Process.start(self.world.memory).repository)

    def check(self, repository: Repository) -> None:
        found = repository.snapshots()
        for snapshot in found:
            content = self.world.contents[snapshot.cursor]
            items = repository.items(snapshot.shard, snapshot.id)
            assert {row.key: stored for row, stored in repository.read_many(items)} == {
                key: body(number) for key, number in content.items()
            }
        listed = {f"snapshots/{one.shard}/{one.id}" for one in found}
        missing = self.world.promised.keys() - listed - self.world.removable
        assert not missing, "a restore point that nobody may remove is gone"

    def teardown(self) -> None:
        try:
            if hasattr(self, "world"):
                self.check(self.witness.repository)
                self.live_on()
                self.leave_no_waste()
        finally:
            self.chance.undo()

    def live_on(self) -> None:
        """Whatever happened, the next attempts of every shard's job succeed."""
        world = self.world
        for shard in SHARDS:
            for _ in range(4):
                process = Process.start(world.memory)
                self.actions.open(shard, process, {})
                writer = world.writers.get(shard)
                if writer is not None:
                    self.actions.put(writer, dict.fromkeys(KEYS, 3), checkpoint=True, script={})
                    ident = writer.session.id
                    self.actions.commit(writer, 10_000, {})
                    if f"snapshots/{shard}/{ident}" in world.promised:
                        break
            else:
                raise AssertionError(f"{shard} cannot be backed up any more")
        self.check(Process.start(world.memory).repository)

    def leave_no_waste(self) -> None:
        """Once nobody works, a few calls leave what restore points need and nothing else."""
        world = self.world
        world.time += 2 * 366 * DAY
        world.now = world.time
        process = Process.start(world.memory)
        for _ in range(4):  # what one call removes may be the last that kept something else
            self.actions.maintain(process, {}, timedelta(0), timedelta(0), 1.1)
        self.check(process.repository)
        assert not list(world.memory.list("sessions/"))
        report = process.repository.maintain(world.now, grace=timedelta(0), session_grace=timedelta(0))
        # A condemned pack that a held restore point turned out to need stays as long as that one.
        assert (report.waste.waiting, report.deleted) == (0, 0)
        assert report.waste.total == 0 or self.lock is not None  # what is locked stays, needed or not


def test_a_shard_whose_packs_were_collected_under_a_writer_believed_dead_is_backed_up_again() -> None:
    """The history in which the snapshot would have named, for ever, a pack that nobody needed any more."""
    grace, none = DAY, timedelta(0)
    machine = RepositoryMachine()
    machine.create()
    faults = {9: Event.LOST, 50: Event.DIES_BEFORE}
    machine.maintain(n=2, faults=faults, overtaken={22: 3, 44: 4, 48: 3}, policy=(grace, none, 0.5))
    machine.take_over(shard="anna")
    machine.maintain(n=0, faults={}, overtaken={}, policy=(none, none, 0.0))
    machine.zombie(n=3, change={"b": 2, "d": 0, "c": 0, "a": 1}, commit=False)
    machine.maintain(n=2, faults={}, overtaken={33: 4, 8: 3, 15: 4}, policy=(none, none, 1.1))
    machine.teardown()


def test_a_session_that_is_taken_for_dead_while_it_opens_says_so() -> None:
    """Whichever operation of its own the collector comes before; at one of them its parent was found and then goes."""
    ended = []
    for at in range(14):
        machine = RepositoryMachine()
        machine.create()
        machine.world.pass_time(DAY)
        machine.open(shard="ben", n=0, faults={}, overtaken={at: 1})
        ended += machine.world.dead
        machine.teardown()
    assert "ben" in ended


@pytest.mark.parametrize("first", [0, 4])
def test_a_session_that_is_taken_for_dead_while_it_takes_over_says_so(first: int) -> None:
    """The checkpoint it was to start from, or a segment of it, was collected after it had been listed."""
    ended = []
    for at in range(5, 18):
        machine = RepositoryMachine()
        machine.create()
        machine.open(shard="anna", n=0, faults={}, overtaken={})
        machine.put(shard="anna", change={"a": 1}, checkpoint=True, faults={})
        machine.put(shard="anna", change={"b": 1}, checkpoint=True, faults={0: Event.DIES_BEFORE})
        machine.world.pass_time(DAY)
        machine.open(shard="anna", n=0, faults={}, overtaken={4: first, at: 1})
        ended += machine.world.dead
        machine.teardown()
    assert "anna" in ended


def test_what_a_stalled_writer_says_of_collected_segments_stops_no_collector() -> None:
    """It wrote a checkpoint while another took it over and committed, and its intent when all of that was gone."""
    machine = RepositoryMachine()
    machine.create()
    machine.open(shard="anna", n=1, faults={}, overtaken={})
    machine.take_over(shard="anna")
    machine.open(shard="anna", n=0, faults={}, overtaken={})
    machine.zombie(n=1, change={"a": 1, "d": None}, commit=False)
    machine.commit(shard="anna", days=30, faults={}, overtaken={})
    machine.maintain(n=1, faults={}, overtaken={}, policy=(DAY, timedelta(0), 0.0))
    machine.zombie(n=3, change={"d": None, "c": None, "a": 3, "b": None}, commit=True)
    machine.teardown()


def test_what_a_stalled_writer_says_beside_the_next_one_stops_no_collector() -> None:
    """Fenced long ago, it named segments that were collected, while another session of its shard was at work."""
    machine = RepositoryMachine()
    machine.create()
    for shard in ("anna", "ben"):
        machine.open(shard=shard, n=0, faults={}, overtaken={})
    machine.take_over(shard="ben")
    machine.world.pass_time(366 * DAY)
    machine.take_over(shard="anna")
    machine.open(shard="ben", n=1, faults={}, overtaken={})
    machine.commit(shard="ben", days=30, faults={}, overtaken={})
    machine.open(shard="anna", n=2, faults={10: Event.DIES_AFTER}, overtaken={1: 1})
    machine.zombie(n=5, change={}, commit=True)
    machine.open(shard="ben", n=2, faults={}, overtaken={})
    machine.zombie(n=3, change={}, commit=False)
    machine.open(shard="anna", n=2, faults={}, overtaken={5: 2})
    machine.teardown()


class ThiefMachine(RepositoryMachine):
    """The same on storage with object lock, while a thief of its credentials hides and covers whatever he likes."""

    lock = LockMode.COMPLIANCE

    def others(self, process: Process) -> list[Callable[[], None]]:
        newest: Callable[[], None] = lambda: self._newest(process)  # noqa: E731 - as the others
        return [*super().others(process), newest]

    def _newest(self, process: Process) -> None:
        """What the process has written or read last is hidden before its next operation."""
        for _, key in reversed(process.storage.operations):
            if key in self.world.memory.objects:
                say(f"  somebody hides {key}")
                self.world.memory.hide(key)
                return

    @rule(n=st.integers(0, 1000))
    def hide(self, n: int) -> None:
        self._put_on_top(n, None)

    @rule(n=st.integers(0, 1000), other=st.none() | st.integers(0, 1000))
    def cover(self, n: int, other: int | None) -> None:
        """With bytes that are nothing, or an object of the repository that belongs elsewhere."""
        self._put_on_top(n, b"nothing" if other is None else self.world.memory.get(self._one(other)))

    def _put_on_top(self, n: int, body: bytes | None) -> None:
        memory, key = self.world.memory, self._one(n)
        if key in memory.objects:  # otherwise hidden already
            memory.hide(key)
        if body is not None:
            memory.objects[key] = body

    def _one(self, n: int) -> str:
        found = [info.key for info in self.world.memory.list("")]
        return found[n % len(found)]


def test_a_pack_that_somebody_covered_is_rewritten_from_the_version_below() -> None:
    machine = ThiefMachine()
    machine.create()
    machine.open(shard="anna", n=0, faults={}, overtaken={})
    machine.cover(n=1, other=None)
    assert machine.world.memory.objects[machine._one(1)] == b"nothing"
    assert machine._one(1).startswith("data/")
    machine.put(shard="anna", change={"a": 0}, checkpoint=True, faults={})
    machine.maintain(n=0, faults={}, overtaken={}, policy=(timedelta(0), NEVER, 0.5))
    machine.teardown()


REDUCED = settings(max_examples=20, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
FULL = settings(REDUCED, max_examples=3000, stateful_step_count=60)


class TestRepository(RepositoryMachine.TestCase):
    settings = REDUCED


class TestThief(ThiefMachine.TestCase):
    settings = REDUCED


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
class TestRepositoryAtLength(RepositoryMachine.TestCase):
    settings = FULL


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
class TestThiefAtLength(ThiefMachine.TestCase):
    settings = FULL
