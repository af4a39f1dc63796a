"""The floor under every commit, and holds above every expiry."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backup_engine import IntegrityError, NotFound, Repository, Snapshot
from backup_engine.holds import Hold, Release, Scope, is_expired, is_held
from backup_engine.retention import Period, Retained, Scheme
from backup_engine.storage import MemoryStorage

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=4000)


@pytest.fixture
def snapshot(repository: Repository, ulid: Callable[[int], str], commit: Callable[..., Snapshot]) -> Callable[..., Any]:
    def make(n: int, shard: str = "mail/anna", **facts: object) -> Snapshot:
        return commit(repository.open_session(shard, ulid(n), parent=None), **facts)

    return make


@pytest.fixture
def hold(ulid: Callable[[int], str]) -> Callable[..., Hold]:
    return lambda n, *scope: Hold(ulid(n), Scope(*scope), "lawsuit 4711", "admin@contoso.example", NOW)


def test_the_class_is_part_of_the_restore_point(
    snapshot: Callable[..., Snapshot], reopened: Callable[[], Repository]
) -> None:
    made = snapshot(1, retention_class="monthly=1y")
    assert reopened().snapshot("mail/anna", made.id).retention_class == "monthly=1y"


def test_without_a_floor_the_caller_decides(repository: Repository, snapshot: Callable[..., Snapshot]) -> None:
    made = snapshot(1, taken_at=NOW, expires_at=NOW + timedelta(days=1))
    assert repository.custody.current_floor() is None
    assert made.expires_at == NOW + timedelta(days=1)


def test_no_caller_gets_below_the_floor(
    repository: Repository, snapshot: Callable[..., Snapshot], reopened: Callable[[], Repository]
) -> None:
    repository.custody.set_floor(Period.parse("1y"), by="operator", at=NOW)
    made = snapshot(1, taken_at=NOW, expires_at=NOW + timedelta(days=1), retention_class="1d")
    assert (made.expires_at, made.retention_class) == (datetime(2027, 3, 1, 12, tzinfo=UTC), "floor=1y")
    assert reopened().snapshot("mail/anna", made.id) == made
    longer = snapshot(2, taken_at=NOW, expires_at=LATER, retention_class="10y")
    assert (longer.expires_at, longer.retention_class) == (LATER, "10y")


def test_a_changed_floor_leaves_existing_restore_points_alone_and_stays_on_record(
    repository: Repository, snapshot: Callable[..., Snapshot], reopened: Callable[[], Repository]
) -> None:
    custody = repository.custody
    custody.set_floor(Period.parse("1y"), by="anna", at=NOW)
    first = snapshot(1, taken_at=NOW, expires_at=NOW)
    custody.set_floor(Period.parse("3y"), by="bert", at=NOW)
    custody.set_floor(Period.parse("3y"), by="nobody", at=NOW)  # in force already
    second = snapshot(2, taken_at=NOW, expires_at=NOW)
    custody.set_floor(Period.parse("90d"), by="carl", at=NOW)
    third = snapshot(3, taken_at=NOW, expires_at=NOW)
    assert [(str(one.period), one.set_by, one.n) for one in custody.floors()] == [
        ("1y", "anna", 1),
        ("3y", "bert", 2),
        ("90d", "carl", 3),
    ]
    kept = {one.id: one.retention_class for one in reopened().snapshots()}
    assert kept == {first.id: "floor=1y", second.id: "floor=3y", third.id: "floor=90d"}


def test_two_who_change_the_floor_at_once_both_stay_on_record(
    repository: Repository, reopened: Callable[[], Repository], memory: MemoryStorage
) -> None:
    other = reopened().custody
    put = memory.put

    def slow(key: str, body: bytes, **options: Any) -> None:
        if key == "policies/00000001":
            memory.put = put  # type: ignore[method-assign] # the other one comes in between, once
            other.set_floor(Period.parse("3y"), by="other", at=NOW)
        put(key, body, **options)

    memory.put = slow  # type: ignore[method-assign] # see above
    floor = repository.custody.set_floor(Period.parse("1y"), by="me", at=NOW)
    assert floor.n == 2
    assert [one.set_by for one in repository.custody.floors()] == ["other", "me"]


def test_a_floor_that_was_tampered_with_stops_the_commit(
    repository: Repository, snapshot: Callable[..., Snapshot], memory: MemoryStorage
) -> None:
    repository.custody.set_floor(Period.parse("1y"), by="anna", at=NOW)
    memory.objects["policies/00000002"] = memory.objects["policies/00000001"]  # moved to another name
    with pytest.raises(IntegrityError, match="policies/00000002"):
        snapshot(1)
    assert repository.snapshots() == []


def test_the_decision_knows_shard_and_floor(repository: Repository, snapshot: Callable[..., Snapshot]) -> None:
    scheme = Scheme.parse("30d,monthly=1y")
    decided = repository.custody.decide("mail/anna", scheme, NOW, complete=True)
    assert decided == Retained("monthly=1y", datetime(2027, 3, 1, 12, tzinfo=UTC))
    snapshot(1, taken_at=NOW, expires_at=decided.expires_at, retention_class=decided.name)
    snapshot(2, "mail/anna/archive", taken_at=NOW, expires_at=decided.expires_at)  # a shard below is another shard
    day_later = NOW + timedelta(days=1)
    assert repository.custody.decide("mail/anna", scheme, day_later, complete=True).name == "30d"
    assert repository.custody.decide("mail/bert", scheme, day_later, complete=True).name == "monthly=1y"
    repository.custody.set_floor(Period.parse("90d"), by="anna", at=NOW)
    assert repository.custody.decide("mail/anna", scheme, day_later, complete=True).name == "floor=90d"


@pytest.mark.parametrize("scope", [(), ("mail/anna",), ("mail/anna", 1)])
def test_what_a_hold_covers_does_not_expire(
    scope: tuple[Any, ...],
    repository: Repository,
    snapshot: Callable[..., Snapshot],
    hold: Callable[..., Hold],
    reopened: Callable[[], Repository],
) -> None:
    held, other = snapshot(1), snapshot(2, "mail/bert")
    placed = hold(9, *[held.id if part == 1 else part for part in scope])
    repository.custody.place_hold(placed)
    repository.custody.place_hold(placed)  # a repeat after a crash
    holds = reopened().custody.holds()
    assert holds == [placed]
    assert not is_expired(held, LATER, holds)
    assert is_held(other, holds) == (scope == ())
    assert is_expired(other, LATER, holds) == (scope != ())
    assert is_expired(held, LATER, [])
    assert not is_expired(held, held.taken_at, [])

    end = Release("judge", LATER, "settled")
    released = repository.custody.release_hold(placed.id, end)
    repository.custody.release_hold(placed.id, Release("late", LATER, "again"))  # the first one counts
    assert released == replace(placed, released=end)
    assert reopened().custody.holds() == [released]
    assert is_expired(held, LATER, [released])


def test_a_hold_covers_what_is_made_while_it_lasts(
    repository: Repository, snapshot: Callable[..., Snapshot], hold: Callable[..., Hold]
) -> None:
    repository.custody.place_hold(hold(9, "mail/anna"))
    assert is_held(snapshot(10), repository.custody.holds())


def test_holds_are_placed_on_what_exists_and_released_once_placed(
    repository: Repository, hold: Callable[..., Hold], ulid: Callable[[int], str]
) -> None:
    with pytest.raises(NotFound):
        repository.custody.place_hold(hold(9, "mail/anna", ulid(1)))
    with pytest.raises(NotFound):
        repository.custody.release_hold(ulid(8), Release("judge", NOW, "settled"))
    with pytest.raises(ValueError, match="shard"):
        Scope(None, ulid(1))


def test_a_hold_nobody_can_read_is_not_taken_for_none(
    repository: Repository, hold: Callable[..., Hold], memory: MemoryStorage, ulid: Callable[[int], str]
) -> None:
    repository.custody.place_hold(hold(8))
    repository.custody.release_hold(ulid(8), Release("judge", NOW, "settled"))
    intact = dict(memory.objects)
    for name in (f"holds/{ulid(8)}", f"holds/{ulid(8)}-released"):
        memory.objects = intact | {name: intact[name][:-1]}
        with pytest.raises(IntegrityError, match=ulid(8)):
            repository.custody.holds()
    memory.objects = {name: body for name, body in intact.items() if name != f"holds/{ulid(8)}"}
    with pytest.raises(IntegrityError, match="missing"):
        repository.custody.holds()
    memory.objects = intact | {"holds/rubbish": b""}
    with pytest.raises(IntegrityError, match="rubbish"):
        repository.custody.holds()
