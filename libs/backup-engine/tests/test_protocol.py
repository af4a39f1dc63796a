"""The commit and collection protocol, every interleaving of it; and that the engine takes exactly these steps.

The model knows no clock. Storage offers put-if-absent, reads, deletes and listings that see every finished put. Anybody
may stop for ever or go on late after any step, and a collector may give up any session at any time.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any, NamedTuple

import pytest

from backup_engine import NewItem, Repository, Session, Snapshot, Tuning
from backup_engine.header import Kind, decode
from backup_engine.steps import Step
from backup_engine.storage import MemoryStorage, ObjectInfo
from backup_engine.testing.keys import LocalKeyWrapper

Names = frozenset[str]
NONE: Names = frozenset()
TOMBSTONE: Names = frozenset({"tombstone"})

WRITER = (
    Step.OPEN, Step.READ_CONDEMNED, Step.UPLOAD_PACK, Step.PUBLISH_INDEX, Step.INTENT, Step.READ_CONDEMNED,
    Step.UPLOAD_PACK, Step.PUBLISH_INDEX, Step.COMMIT, Step.CLEAR_SESSION,
)  # fmt: skip
SURVEY = (Step.LIST_PACKS, Step.LIST_SESSIONS, Step.FENCE, Step.LIST_SNAPSHOTS)
COLLECTOR = (
    *SURVEY, Step.CONDEMN,
    *SURVEY, Step.REMOVE_SNAPSHOT, Step.REMOVE_SEGMENT, Step.REMOVE_PACK, Step.DONE,
)  # fmt: skip


NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
TUNING = Tuning(compressors=0, uploaders=0)


@dataclass(frozen=True)
class Rules:
    """What the protocol demands; the model finds what goes wrong without any one of them."""

    intent: bool = True  # a writer says what it relies on
    recheck: bool = True  # and then looks again at what is condemned
    tombstone: bool = True  # a session is ignored only when it cannot commit any more
    sessions_first: bool = True  # a collector lists sessions, then snapshots
    look_after_open: bool = True  # a writer looks at what is condemned after it has said where it starts from
    spare_parents: bool = True  # a collector looks for sessions again before it removes a snapshot
    for_ever: bool = True  # what is condemned stays so when the run is done
    own_packs: bool = True  # the packs of open sessions are nobody else's


class Writer(NamedTuple):
    at: int = 0  # the next step of WRITER
    known: Names = NONE  # condemned, as far as it has looked
    uses: str = ""  # the pack it relies on
    parent: bool = False  # whether it builds on the expired snapshot's segment
    over: bool = False


class Collector(NamedTuple):
    at: int = 0  # the next step of COLLECTOR
    passes: int = 1
    listed: Names = NONE  # packs
    open: tuple[tuple[int, bool], ...] = ()  # sessions it spares, and whether their intent says they need the blob
    given_up: Names = NONE
    needed: bool = False  # somebody needs the blob
    parent: bool = False  # a session builds on the expired snapshot, or it is still there
    mine: Names = NONE  # what it has condemned


class State(NamedTuple):
    """The blob lies in the pack `old`, and in `own<n>` when writer n stores it; `rewritten` is a collector's copy."""

    packs: Names
    condemned: Names  # packs, and "expired": the snapshot
    opened: Names
    intents: Names
    commits: tuple[tuple[str, Names], ...]  # by session: what the snapshot relies on, or the tombstone
    objects: Names  # "expired": a snapshot, "segment": what it and its children need
    writers: tuple[Writer, ...]
    collectors: tuple[Collector, ...]


@dataclass(frozen=True)
class Outcome:
    states: int
    trace: list[str] | None  # how a restore point lost what it needs; None: it never does

    def __str__(self) -> str:
        return f"{self.states} states, " + ("safe" if self.trace is None else " | ".join(self.trace))


class Model:
    def __init__(
        self, rules: Rules, *, writers: int = 1, collectors: int = 1, passes: int = 1, parent: bool = False,
        rewriting: bool = False,
    ) -> None:  # fmt: skip
        self.rules, self.rewriting, self.with_parent = rules, rewriting, parent
        commits = (("kept", frozenset({"blob"})),) if rewriting else ()
        self.start = State(
            frozenset({"old"}), NONE, NONE, NONE, commits, frozenset({"expired", "segment"}) if parent else NONE,
            (Writer(),) * writers, (Collector(passes=passes),) * collectors,
        )  # fmt: skip

    def explore(self) -> Outcome:
        seen: dict[State, tuple[State, str] | None] = {self.start: None}
        queue = deque([self.start])
        while queue:
            state = queue.popleft()
            if self.is_broken(state):
                return Outcome(len(seen), _trace(seen, state))
            for following, label in self.following(state):
                if following not in seen:
                    seen[following] = (state, label)
                    queue.append(following)
        return Outcome(len(seen), None)

    def is_broken(self, state: State) -> bool:
        for _, relies in state.commits:
            if relies != TOMBSTONE and (
                ("blob" in relies and not state.packs) or ("segment" in relies and "segment" not in state.objects)
            ):
                return True
        return False

    def following(self, state: State) -> Iterator[tuple[State, str]]:
        for n, writer in enumerate(state.writers):
            if not writer.over:
                for changed, after in self.write(state, n, writer):
                    yield _with_writer(changed, n, self.past_quiet(n, after)), f"writer {n}: {WRITER[writer.at].name}"
        for n, collector in enumerate(state.collectors):
            if collector.passes:
                for changed, then in self.collect(state, collector):
                    yield (
                        _with_collector(changed, n, self.past_still(then)),
                        f"collector {n}: {COLLECTOR[collector.at].name}",
                    )

    def past_quiet(self, n: int, writer: Writer) -> Writer:
        """Skip steps nobody else can notice: it does not matter when they happen."""
        while not writer.over and (
            WRITER[writer.at] is Step.PUBLISH_INDEX
            or (WRITER[writer.at] is Step.UPLOAD_PACK and writer.uses != f"own{n}")
            or (WRITER[writer.at] is Step.INTENT and not self.rules.intent)
        ):
            writer = writer._replace(at=writer.at + 1)
        return writer

    def past_still(self, collector: Collector) -> Collector:
        while (COLLECTOR[collector.at] is Step.FENCE and not collector.given_up) or (
            COLLECTOR[collector.at] in {Step.REMOVE_SNAPSHOT, Step.REMOVE_SEGMENT} and not self.with_parent
        ):
            collector = collector._replace(at=collector.at + 1)
        return collector

    def write(self, state: State, n: int, writer: Writer) -> Iterator[tuple[State, Writer]]:
        own, step, session = f"own{n}", WRITER[writer.at], f"w{n}"
        later = writer._replace(at=writer.at + 1)
        if step is Step.OPEN:
            yield state._replace(opened=state.opened | {session}), later
        elif step is Step.READ_CONDEMNED and writer.at == 1:
            known = state.condemned if self.rules.look_after_open else NONE
            parent = self.with_parent and "expired" in state.objects and "expired" not in known
            usable = sorted(state.packs - known)
            yield state, later._replace(known=known, parent=parent, uses=usable[0] if usable else own)
        elif step is Step.READ_CONDEMNED:
            doubtful = self.rules.recheck and writer.uses in state.condemned and writer.uses != own
            yield state, later._replace(known=state.condemned, over=doubtful and writer.uses not in state.packs,
                                        uses=own if doubtful else writer.uses)  # fmt: skip
        elif step is Step.UPLOAD_PACK:
            yield state._replace(packs=state.packs | {own} if writer.uses == own else state.packs), later
        elif step is Step.INTENT:
            yield state._replace(intents=state.intents | {session} if self.rules.intent else state.intents), later
        elif step is Step.COMMIT:
            relies = frozenset({"blob", "segment"} if writer.parent else {"blob"})
            yield _claimed(state, session, relies), later._replace(over=session in dict(state.commits))
        elif step is Step.CLEAR_SESSION:
            cleared = state._replace(opened=state.opened - {session}, intents=state.intents - {session})
            yield cleared, later._replace(over=True)

    def collect(self, state: State, collector: Collector) -> Iterator[tuple[State, Collector]]:
        step = self.reordered(COLLECTOR[collector.at])
        later = collector._replace(at=collector.at + 1)
        if step is Step.LIST_PACKS:
            rewritten = (
                frozenset({"rewritten"}) if self.rewriting and collector.at == 0 and "old" in state.packs else NONE
            )
            packs = state.packs | (rewritten - state.condemned)
            yield (
                state._replace(packs=packs),
                later._replace(listed=packs, open=(), given_up=NONE, needed=False, parent=False),
            )
        elif step is Step.LIST_SESSIONS:
            live = sorted(state.opened)
            for size in range(len(live) + 1):
                for ignored in combinations(live, size):
                    spared = tuple((int(s[1:]), s in state.intents) for s in live if s not in ignored)
                    yield state, later._replace(open=spared, given_up=frozenset(ignored))
        elif step is Step.FENCE:
            fenced = state
            for session in sorted(collector.given_up) if self.rules.tombstone else ():
                fenced = _claimed(fenced, session, TOMBSTONE)
            yield fenced, later
        elif step is Step.LIST_SNAPSHOTS:
            needed = any("blob" in relies for _, relies in state.commits)
            yield state, later._replace(needed=needed, parent="expired" in state.objects)
        else:
            yield from self.take_away(state, collector, later, step)

    def take_away(
        self, state: State, collector: Collector, later: Collector, step: Step
    ) -> Iterator[tuple[State, Collector]]:
        commits = dict(state.commits)
        # A session in `open` that has an object at its commit name when the snapshots are listed is judged by that.
        building = (
            any(state.writers[n].parent or state.writers[n].at == 1 for n, _ in collector.open) and self.with_parent
        )
        if step is Step.CONDEMN:
            needed = collector.needed or any(says for _, says in collector.open)
            owned = {f"own{n}" for n, _ in collector.open} if self.rules.own_packs else set()
            kept = (
                sorted(collector.listed - state.condemned, key=("rewritten", "own0", "own1", "old").index)[:1]
                if needed
                else []
            )
            unneeded = collector.listed - owned - set(kept)
            expired = {"expired"} if collector.parent and not building else set()
            yield state._replace(condemned=state.condemned | unneeded | expired), later._replace(mine=unneeded)
        elif step is Step.REMOVE_SNAPSHOT:
            spared = building and self.rules.spare_parents
            removed = "expired" in state.condemned and not spared
            objects = state.objects - {"expired"} if removed else state.objects
            yield state._replace(objects=objects), later._replace(parent="expired" in objects)
        elif step is Step.REMOVE_SEGMENT:
            spared = building and self.rules.spare_parents
            named = collector.parent or spared or any("segment" in relies for relies in commits.values())
            yield state._replace(objects=state.objects if named else state.objects - {"segment"}), later
        elif step is Step.REMOVE_PACK:
            needed = collector.needed or collector.parent or any(says for _, says in collector.open)
            doomed = (state.condemned if self.rules.for_ever else collector.mine) & collector.listed
            doomed -= {f"own{n}" for n, _ in collector.open} if self.rules.own_packs else set()
            held_elsewhere = bool(collector.listed - state.condemned)
            yield state._replace(packs=state.packs - (NONE if needed and not held_elsewhere else doomed)), later
        elif step is Step.DONE:
            condemned = state.condemned if self.rules.for_ever else state.condemned - collector.mine
            again = Collector(passes=collector.passes - 1)
            opened = state.opened - collector.given_up if self.rules.tombstone else state.opened
            yield state._replace(condemned=condemned, opened=opened, intents=state.intents & opened), again

    def reordered(self, step: Step) -> Step:
        if self.rules.sessions_first:
            return step
        return {Step.LIST_SESSIONS: Step.LIST_SNAPSHOTS, Step.LIST_SNAPSHOTS: Step.LIST_SESSIONS}.get(step, step)


def _claimed(state: State, session: str, what: Names) -> State:
    """Put-if-absent at the commit name."""
    taken = dict(state.commits)
    if session in taken:
        return state
    return state._replace(commits=tuple(sorted({**taken, session: what}.items())))


def _with_writer(state: State, n: int, writer: Writer) -> State:
    writers = list(state.writers)
    writers[n] = writer
    return state._replace(writers=tuple(writers))


def _with_collector(state: State, n: int, collector: Collector) -> State:
    collectors = list(state.collectors)
    collectors[n] = collector
    return state._replace(collectors=tuple(collectors))


def _trace(seen: dict[State, tuple[State, str] | None], state: State) -> list[str]:
    labels = []
    while (came := seen[state]) is not None:
        state, label = came
        labels.append(label)
    return labels[::-1]


SETTINGS: dict[str, dict[str, Any]] = {
    "one writer": {},
    "one writer, two collections": {"passes": 2},
    "one writer on an expired restore point": {"parent": True},
    "two writers": {"writers": 2},
    "one writer, a pack is rewritten": {"rewriting": True},
}
LARGE: dict[str, dict[str, Any]] = {
    "one writer, two collectors at once": {"collectors": 2},
    "one writer, a pack is rewritten, two collectors": {"rewriting": True, "collectors": 2},
    "two writers, two collections": {"writers": 2, "passes": 2},
    "two writers, a pack is rewritten": {"writers": 2, "rewriting": True},
    "two writers on an expired restore point": {"writers": 2, "parent": True},
    "one writer on an expired restore point, two collectors": {"parent": True, "collectors": 2},
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_no_interleaving_loses_anything(setting: str) -> None:
    outcome = Model(Rules(), **SETTINGS[setting]).explore()
    assert outcome.trace is None, str(outcome)


@pytest.mark.soak
@pytest.mark.parametrize("setting", LARGE)
def test_no_interleaving_of_more_of_them_loses_anything(setting: str) -> None:
    outcome = Model(Rules(), **LARGE[setting]).explore()
    assert outcome.trace is None, str(outcome)


@pytest.mark.parametrize(
    ("rule", "setting"),
    [
        ("intent", {}),
        ("recheck", {}),
        ("tombstone", {}),
        ("sessions_first", {}),
        ("own_packs", {"passes": 2}),
        ("look_after_open", {"parent": True}),
        ("spare_parents", {"parent": True}),
        ("for_ever", {"collectors": 2}),
    ],
)
def test_without_any_one_rule_something_is_lost(rule: str, setting: dict[str, int]) -> None:
    outcome = Model(Rules(**{rule: False}), **setting).explore()
    assert outcome.trace is not None


class Recorder(MemoryStorage):
    """Names the steps of the protocol that pass through."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        super().__init__()
        self.objects = objects
        self.steps: list[Step] = []

    def put(self, key: str, body: bytes, *, retain_until: datetime | None = None) -> None:
        tombstone = key.startswith("snapshots/") and decode(body, key).kind is Kind.TOMBSTONE
        self._note("fence" if tombstone else "put", key)
        super().put(key, body, retain_until=retain_until)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        self._note("list", prefix)
        return super().list(prefix)

    def delete(self, key: str) -> None:
        self._note("delete", key)
        super().delete(key)

    def _note(self, operation: str, key: str) -> None:
        step = Step.of(operation, key)
        if step is not None and self.steps[-1:] != [step]:
            self.steps.append(step)


class Engine:
    """A repository with an expired restore point, and recordings of what is done to it."""

    def __init__(self, ulid: Callable[[int], str], commit: Callable[..., Snapshot]) -> None:
        self._ulid, self._commit, self._wrapper = ulid, commit, LocalKeyWrapper()
        self.objects: dict[str, bytes] = {}
        Repository.create(Recorder(self.objects), self._wrapper, tenant="contoso", tuning=TUNING)
        with self.open()[0].open_session("box", ulid(1), parent=None) as session:
            put(session, 1, 2, 3)
            commit(session, expires_at=NOW - DAY)

    def open(self) -> tuple[Repository, list[Step]]:
        recorder = Recorder(self.objects)
        repository = Repository.open(recorder, self._wrapper, tuning=TUNING)
        recorder.steps.clear()
        return repository, recorder.steps

    def write(self, between: Callable[[], None]) -> list[Step]:
        """A backup of another shard with the same mails and one more; `between` happens before its commit."""
        repository, steps = self.open()
        with repository.open_session("other", self._ulid(2), parent=None) as session:
            put(session, 1, 2, 3, 4)
            session.checkpoint(b"1")
            between()
            self._commit(session, expires_at=NOW + 100 * DAY)
        return steps

    def collect(self) -> list[Step]:
        repository, steps = self.open()
        assert repository.maintain(NOW, grace=timedelta(0), session_grace=timedelta(0)).good
        return steps


def put(session: Session, *numbers: int) -> None:
    for n in numbers:
        session.put_item(NewItem(f"m{n}", "mail", "1", ""), b"mail %d" % n)


@pytest.fixture
def engine(ulid: Callable[[int], str], commit: Callable[..., Snapshot]) -> Engine:
    return Engine(ulid, commit)


def only(steps: list[Step], model: tuple[Step, ...]) -> list[Step]:
    """The steps the model knows; the same one twice in a row counts once."""
    known = [step for step in steps if step in model]
    return [step for n, step in enumerate(known) if n == 0 or known[n - 1] is not step]


def test_the_engine_writes_in_the_steps_of_the_model(engine: Engine) -> None:
    def condemn() -> None:
        repository, _ = engine.open()
        repository._backing.objects.put(
            "gc/00000001/condemned", Kind.CONDEMNED,
            {"at": NOW.isoformat(), "full": False, "sessions": [], "snapshots": [],
             "packs": [key for key in engine.objects if key.startswith(f"data/{engine._ulid(1)}")]},
        )  # fmt: skip

    steps = engine.write(condemn)
    assert only(steps, WRITER) == list(WRITER)
    assert set(steps) - set(WRITER) == {Step.WRITE_SEGMENT, Step.CHECKPOINT, Step.LIST_INDEX}


def test_the_engine_collects_in_the_steps_of_the_model(engine: Engine) -> None:
    repository, _ = engine.open()
    repository.open_session("dead", engine._ulid(3), parent=None).abort()
    steps = only(engine.collect(), COLLECTOR)
    assert steps == list(COLLECTOR)
