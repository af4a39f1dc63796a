from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_client import parse_retry_after

NOW = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("2.128", 2.128),
        (" 1 ", 1.0),
        ("0", 0.0),
        ("0.124", 0.124),
        ("999999999", 86_400.0),
        ("Sun, 22 Nov 2026 07:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 06:00:00 GMT", 0.0),
        ("", None),
        ("-5", None),
        ("soon", None),
        ("1e9", None),
        ("nan", None),
        ("inf", None),
        ("٣", None),
        ("Sun, 99 Nov 2026 07:00:30 GMT", None),
    ],
)
def test_each_known_form_is_read(value: str, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW) == seconds


@given(st.text(max_size=60))
def test_any_text_gives_nothing_or_a_sane_wait(value: str) -> None:
    seconds = parse_retry_after(value, NOW)
    assert seconds is None or 0.0 <= seconds <= 86_400.0


@given(st.floats(min_value=0, max_value=86_400, allow_nan=False))
def test_a_decimal_is_read_to_the_millisecond(seconds: float) -> None:
    parsed = parse_retry_after(f"{seconds:.3f}", NOW)
    assert parsed is not None
    assert abs(parsed - seconds) <= 0.001


@given(st.integers(min_value=0, max_value=86_400))
def test_a_date_means_the_seconds_until_then(seconds: int) -> None:
    assert parse_retry_after(format_datetime(NOW + timedelta(seconds=seconds), usegmt=True), NOW) == seconds
