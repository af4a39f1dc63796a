"""Cursors, names in an export, paths of folders, the state of a run."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_service.domain.cursor import CursorUnreadable, MailCursor
from backup_service.domain.export_names import mail_path, part
from backup_service.domain.jobs import state_of_run
from backup_service.domain.mail import folder_paths
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


DIGITS = "0123456789\u00b9\u00b2\u00b3"
RESERVED = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", *(f"{port}{n}" for port in ("COM", "LPT") for n in DIGITS)}
"""Names that Windows keeps for devices, with any suffix and trailing blanks (learn.microsoft.com, Naming Files)."""

WILD = st.text(st.characters(), max_size=150) | st.sampled_from(
    ["CON", "nul.txt", "..", ".", " ", "a.", "COM1", "a/b", "Con .txt", "lpt\u00b2", "conin$"]
)


@given(text=WILD)
def test_a_path_part_can_be_unpacked_on_any_system(text: str) -> None:
    name = part(text, "default")
    assert name
    assert name == name.strip()
    assert not re.search(r'[\x00-\x1f\x7f<>:"/\\|?*]', name)
    assert not name.endswith(".")
    assert len(name.encode()) <= 101
    assert name.partition(".")[0].rstrip().upper() not in RESERVED


@given(folders=st.lists(WILD, max_size=3), subject=WILD, number=st.integers(1, 10**6))
def test_a_mail_path_stays_inside_the_export(folders: list[str], subject: str, number: int) -> None:
    parts = mail_path(tuple(folders), number, subject).split("/")
    assert len(parts) == len(folders) + 1
    assert not {"", ".", ".."} & set(parts)
    assert parts[-1].startswith(f"{number:06d} ")
    assert parts[-1].endswith(".eml")


def test_names_that_people_gave_stay_readable() -> None:
    assert mail_path(("Posteingang", "Büro"), 42, "Re: Angebot?") == "Posteingang/Büro/000042 Re_ Angebot_.eml"
    assert mail_path((), 1, "") == "000001 no subject.eml"


@given(folders=st.dictionaries(st.sampled_from("abcde"), st.tuples(NAMES, st.sampled_from("abcde")), max_size=5))
def test_folder_paths_end_whatever_the_parents_say(folders: dict[str, tuple[str, str]]) -> None:
    assert folder_paths(folders).keys() == folders.keys()


def test_folder_paths_lead_from_the_top() -> None:
    folders = {"c": ("C", "b"), "b": ("B", "a"), "a": ("A", ""), "lost": ("L", "unknown")}
    assert folder_paths(folders) == {"a": ("A",), "b": ("A", "B"), "c": ("A", "B", "C"), "lost": ("L",)}


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
