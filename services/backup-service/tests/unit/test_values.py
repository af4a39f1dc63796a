"""Cursors, the state of a run."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_service.domain.cursor import Cursor, CursorUnreadable, Section
from backup_service.domain.jobs import state_of_run
from contracts.names import JobState

NAMES = st.text(max_size=8)
NUMBERS = st.dictionaries(NAMES, st.integers(), max_size=3)
SECTIONS = st.builds(
    Section,
    cursor=st.dictionaries(NAMES, st.dictionaries(NAMES, NAMES, max_size=3), max_size=3),
    progress=st.dictionaries(NAMES, st.lists(NAMES, max_size=3), max_size=3),
    retry=st.dictionaries(NAMES, NAMES, max_size=3),
    tally=NUMBERS,
)
CURSORS = st.builds(Cursor, sections=st.dictionaries(NAMES, SECTIONS, max_size=3), tally=NUMBERS, job=NAMES)


@given(cursor=CURSORS)
def test_cursor_comes_back_as_it_was_stored(cursor: Cursor) -> None:
    assert Cursor.load(cursor.dump()) == cursor


@pytest.mark.parametrize("raw", [None, b""])
def test_no_bytes_are_a_fresh_cursor(raw: bytes | None) -> None:
    assert Cursor.load(raw) == Cursor()


@given(
    raw=st.one_of(
        st.binary(min_size=1),
        st.recursive(st.none() | st.integers() | NAMES, st.lists).map(lambda value: json.dumps(value).encode()),
    )
)
def test_what_is_no_cursor_is_refused_as_such(raw: bytes) -> None:
    with pytest.raises(CursorUnreadable):
        Cursor.load(raw)


def test_cursor_of_a_newer_release_is_refused() -> None:
    document = json.loads(Cursor().dump()) | {"version": Cursor.VERSION + 1}
    with pytest.raises(CursorUnreadable):
        Cursor.load(json.dumps(document).encode())


def test_cursor_of_the_release_that_read_mail_alone_is_gone_on_from() -> None:
    stored = {
        "version": 1,
        "links": {"f": "link"},
        "done": ["f"],
        "moved_out": {"m": "f"},
        "retry": {"bad": "s"},
        "tally": {"stored": 3, "requests": 7, "bytes_stored": 9},
        "job": "j1",
    }
    mail = Section({"links": {"f": "link"}}, {"done": {"f": 1}, "moved_out": {"m": "f"}}, {"bad": "s"}, {"stored": 3})
    assert Cursor.load(json.dumps(stored).encode()) == Cursor({"mail": mail}, {"requests": 7, "bytes_stored": 9}, "j1")


def test_cursor_forgets_another_jobs_progress_and_keeps_links_and_unread_items() -> None:
    mail = Section({"links": {"f": "link"}}, {"done": {"f": 1}}, {"bad": "s"}, {"stored": 3})
    cursor = Cursor({"mail": mail}, {"requests": 4}, "j1")
    cursor.belongs_to("j1")
    assert (mail.tally, cursor.tally) == ({"stored": 3}, {"requests": 4})
    cursor.belongs_to("j2")
    assert cursor == Cursor({"mail": Section({"links": {"f": "link"}}, {}, {"bad": "s"}, {})}, {}, "j2")


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
