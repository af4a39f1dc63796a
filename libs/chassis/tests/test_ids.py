from datetime import datetime, timedelta
from random import Random

import pytest

from chassis.ids import derived, drawn_at, is_ulid, new_ulid
from chassis.testing.clock import START, ManualClock


class Wandering(ManualClock):
    """A wall clock that somebody sets back."""

    def __init__(self) -> None:
        super().__init__()
        self.offset = timedelta()

    def now(self) -> datetime:
        return super().now() + self.offset


def test_ulids_grow_within_a_millisecond_and_when_the_clock_is_set_back() -> None:
    clock, rng = Wandering(), Random(1)
    drawn = [new_ulid(clock, rng) for _ in range(500)]
    clock.offset = timedelta(hours=-1)
    drawn += [new_ulid(clock, rng) for _ in range(500)]
    assert drawn == sorted(set(drawn))
    assert all(map(is_ulid, drawn))


async def test_a_later_millisecond_sorts_later_and_shows_its_time(clock: ManualClock) -> None:
    rng = Random(2)
    first = new_ulid(clock, rng)
    await clock.advance(0.001)
    assert new_ulid(clock, rng) > first
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    stamp = 0
    for letter in first[:10]:
        stamp = stamp * 32 + alphabet.index(letter)
    assert stamp == int(START.timestamp() * 1000)
    assert drawn_at(first) == START.replace(microsecond=START.microsecond // 1000 * 1000)
    with pytest.raises(ValueError, match="no ULID"):
        drawn_at(derived("x"))


def test_the_same_seed_and_time_draw_the_same_ulid() -> None:
    assert new_ulid(ManualClock(), Random(7)) == new_ulid(ManualClock(), Random(7))


def test_is_ulid_refuses_what_only_looks_like_one() -> None:
    assert is_ulid("01ARZ3NDEKTSV4RRFFQ69G5FAV")
    for wrong in ("", "01arz3ndektsv4rrffq69g5fav", "01ARZ3NDEKTSV4RRFFQ69G5FAI", "81ARZ3NDEKTSV4RRFFQ69G5FAV"):
        assert not is_ulid(wrong)
    assert not is_ulid("01ARZ3NDEKTSV4RRFFQ69G5FAV\n")


def test_derived_ids_never_change_and_keep_their_parts_apart() -> None:
    # Written down: another value here means that de-duplication forgets everything published before.
    assert derived("job", 7, "succeeded") == "81a84460-1a1c-5d2c-b1b5-e9510cba6868"
    assert derived("ab", "c") != derived("a", "bc")
    assert derived("a") != derived("a", "")
