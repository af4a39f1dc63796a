"""Cursors, the state of a run."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_service.domain.cursor import CursorUnreadable, MailCursor
from backup_service.domain.jobs import state_of_run
from contracts.names import JobState

NAMES = st.text(max_size=8)
CURSORS = st.builds(
    MailCursor,
    links=st.dictionaries(NAMES, NAMES, max_size=3),
    done=st.sets(NAMES, max_size=3),
    moved_out=st.dictionaries(NAMES, NAMES, max_size=3),
    retry=st.dictionaries(NAMES, NAMES, max_size=3),
    tally=st.dictionaries(NAMES, st.integers(), max_size=3),
    job=NAMES,
)


@given(cursor=CURSORS)
def test_cursor_comes_back_as_it_was_stored(cursor: MailCursor) -> None:
    assert MailCursor.load(cursor.dump()) == cursor


@pytest.mark.parametrize("raw", [None, b""])
def test_no_bytes_are_a_fresh_cursor(raw: bytes | None) -> None:
    assert MailCursor.load(raw) == MailCursor()


@given(
    raw=st.one_of(
        st.binary(min_size=1),
        st.recursive(st.none() | st.integers() | NAMES, st.lists).map(lambda value: json.dumps(value).encode()),
    )
)
def test_what_is_no_cursor_is_refused_as_such(raw: bytes) -> None:
    with pytest.raises(CursorUnreadable):
        MailCursor.load(raw)


def test_cursor_of_a_newer_release_is_refused() -> None:
    document = json.loads(MailCursor().dump()) | {"version": MailCursor.VERSION + 1}
    with pytest.raises(CursorUnreadable):
        MailCursor.load(json.dumps(document).encode())


def test_cursor_forgets_another_jobs_progress_and_keeps_links_and_unread_items() -> None:
    cursor = MailCursor({"f": "link"}, {"f"}, {"m": "f"}, {"bad": "s"}, {"stored": 3}, "j1")
    cursor.belongs_to("j1")
    assert cursor.tally == {"stored": 3}
    cursor.belongs_to("j2")
    assert cursor == MailCursor({"f": "link"}, set(), {}, {"bad": "s"}, {}, "j2")


@pytest.mark.parametrize(
    ("succeeded", "partial", "failures", "state"),
    [
        (0, 0, 0, JobState.SUCCEEDED),
        (2, 0, 0, JobState.SUCCEEDED),
        (0, 0, 2, JobState.FAILED),
        (1, 0, 1, JobState.PARTIAL),
        (0, 1, 1, JobState.PARTIAL),
        (1, 1, 0, JobState.PARTIAL),
    ],
)
def test_state_of_a_run(succeeded: int, partial: int, failures: int, state: JobState) -> None:
    assert state_of_run(succeeded, partial, failures) is state
