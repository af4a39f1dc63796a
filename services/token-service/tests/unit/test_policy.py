import random

from hypothesis import given
from hypothesis import strategies as st

from token_service.domain.connection import RenewalPolicy


@given(st.floats(min_value=2, max_value=200_000), st.integers())
def test_renewal_always_leaves_a_quarter_of_the_life_and_beats_the_vault(lifetime: float, seed: int) -> None:
    after = RenewalPolicy().due_after(lifetime, random.Random(seed))
    assert 0 < after <= 0.75 * lifetime
    assert after <= 5400


@given(st.integers(min_value=1, max_value=10_000), st.integers())
def test_retries_are_jittered_and_bounded(failures: int, seed: int) -> None:
    pause = RenewalPolicy().retry_after(failures, random.Random(seed))
    assert 2.5 <= pause <= 300


def test_a_token_born_expired_is_not_asked_for_without_a_pause() -> None:
    assert RenewalPolicy().due_after(-5.0, random.Random(1)) == 1.0
