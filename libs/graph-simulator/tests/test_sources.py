import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_simulator.seed import maildir, mbox
from graph_simulator.seed.mail import SourceInvalidError

LINE = st.sampled_from([b"\n", b"\r\n", b"text\n", b"From x\n", b">From y\r\n", b">>From z\n", b"Subject: a\n"])


def quoted(raw: bytes) -> bytes:
    lines = raw.splitlines(keepends=True)
    return b"".join(b">" + line if line.lstrip(b">").startswith(b"From ") else line for line in lines)


@given(st.lists(st.lists(LINE, min_size=1).map(b"".join), min_size=1))
def test_what_is_written_as_mboxrd_is_read_back_exactly(messages: list[bytes]) -> None:
    file = b"".join(b"From a Thu Jan  1 00:00:00 2026\n" + quoted(raw) + b"\n" for raw in messages)
    assert [entry.raw for entry in mbox.split(io.BytesIO(file))] == messages


def test_a_last_message_without_its_blank_line_is_kept_whole() -> None:
    file = b"From a\nSubject: x\n\nno end"
    assert [entry.raw for entry in mbox.split(io.BytesIO(file))] == [b"Subject: x\n\nno end"]


def test_from_in_the_middle_of_a_text_separates_nothing() -> None:
    file = b"From a\nSubject: x\n\nline\nFrom here on\n\n"
    assert len(list(mbox.split(io.BytesIO(file)))) == 1


def test_an_empty_file_holds_no_mail_and_another_file_is_refused() -> None:
    assert list(mbox.split(io.BytesIO(b""))) == []
    with pytest.raises(SourceInvalidError):
        list(mbox.split(io.BytesIO(b"Subject: x\n")))


@pytest.mark.parametrize(
    ("separator", "expected"),
    [
        (b"From 1@xxx Thu Apr 09 15:14:37 +0200 2015\n", datetime(2015, 4, 9, 13, 14, 37, tzinfo=UTC)),
        (b"From a@b Thu Jan  1 00:00:00 1970\r\n", datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_the_separator_dates_mail_that_has_no_date(tmp_path: Path, separator: bytes, expected: datetime) -> None:
    (tmp_path / "x").write_bytes(separator + b"Subject: x\n\n\n")
    assert [mail.arrival.received for mail in mbox.read(tmp_path / "x", "owner")] == [expected]


def test_a_maildir_gives_folders_and_flags(tmp_path: Path) -> None:
    raw = b"Date: Fri, 02 Jan 2026 10:00:00 +0000\r\n\r\n\xff exact\n"
    for folder, name in (
        ("cur", "1:2,FS"),
        ("new", "2"),
        (".Projekte.Entw&APw-rfe/cur", "3:2,D"),
        (".Leer &- voll/cur", "4:2,"),
    ):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / name).write_bytes(raw)
    mails = list(maildir.read(tmp_path, "owner"))
    assert {mail.raw for mail in mails} == {raw}
    assert {mail.arrival.received for mail in mails} == {datetime(2026, 1, 2, 10, tzinfo=UTC)}
    states = [(mail.folder, mail.arrival.is_read, mail.arrival.flag, mail.arrival.is_draft) for mail in mails]
    assert states == [
        (("inbox",), True, "flagged", False),
        (("inbox",), False, "notFlagged", False),
        (("Leer & voll",), False, "notFlagged", False),
        (("Projekte", "Entwürfe"), False, "notFlagged", True),
    ]


def test_a_folder_that_is_no_maildir_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceInvalidError):
        list(maildir.read(tmp_path, "owner"))
