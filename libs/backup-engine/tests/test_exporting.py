"""Restore points as files: names, subjects, ZIP, EML, mboxrd, Maildir; past whatever is damaged."""

import hashlib
import io
import json
import mailbox
import re
import zipfile
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from email.header import Header
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backup_engine import NewItem, Repository, Snapshot
from backup_engine.exporting import ARCHIVES, FORMATS, MANIFEST, Letter, folder_paths, letters, selected, zip_chunks
from backup_engine.exporting.names import mail_path, part
from backup_engine.exporting.subject import subject_of
from backup_engine.storage import MemoryStorage

NAMES = st.text(max_size=8)
SHARD, SESSION = "c1/anna", "01ARZ3NDEKTSV4RRFFQ0000001"
FROM = b"Subject: quoting\r\n\r\nFrom here\r\n>From there\r\nnot From\r\n"
BODIES = {
    "m1": b"Subject: plain\r\n\r\nbody\r\n",
    "m2": FROM,
    "m3": b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n\nno final line end",
    "m4": b"\xff\xfe\x00 \r\r\n no mail at all",
}

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
    assert len(name.encode()) <= 81
    assert name.partition(".")[0].rstrip().upper() not in RESERVED


@given(folders=st.lists(WILD, max_size=12), subject=WILD, number=st.integers(1, 10**6))
def test_a_mail_path_stays_inside_the_export(folders: list[str], subject: str, number: int) -> None:
    parts = mail_path(tuple(folders), number, subject).split("/")
    assert len(parts) <= len(folders) + 1
    assert len("/".join(parts)) <= 212
    assert not any(name.lower().endswith((".eml", ".mbox", ".jsonl")) for name in parts[:-1])
    assert not {"", ".", ".."} & set(parts)
    assert parts[-1].startswith(f"{number:06d} ")
    assert parts[-1].endswith(".eml")


def test_names_that_people_gave_stay_readable() -> None:
    assert mail_path(("Posteingang", "Büro"), 42, "Re: Angebot?") == "Posteingang/Büro/000042 Re_ Angebot_.eml"
    assert mail_path((), 1, "") == "000001 no subject.eml"


def test_folders_too_deep_for_windows_end_in_a_digest_of_their_own() -> None:
    deep = tuple(f"Ordner Nummer {n}" for n in range(30))
    one, other = mail_path(deep, 1, "x"), mail_path((*deep[:-1], "anders"), 1, "x")
    assert one.startswith("Ordner Nummer 0/Ordner Nummer 1/")
    assert re.search(r"/~[0-9a-f]{12}/000001 x\.eml$", one)
    assert one != other


@given(folders=st.dictionaries(st.sampled_from("abcde"), st.tuples(NAMES, st.sampled_from("abcde")), max_size=5))
def test_folder_paths_end_whatever_the_parents_say(folders: dict[str, tuple[str, str]]) -> None:
    assert folder_paths(folders).keys() == folders.keys()


def test_folder_paths_lead_from_the_top() -> None:
    folders = {"c": ("C", "b"), "b": ("B", "a"), "a": ("A", ""), "lost": ("L", "unknown")}
    assert folder_paths(folders) == {"a": ("A",), "b": ("A", "B"), "c": ("A", "B", "C"), "lost": ("L",)}


@pytest.fixture
def snapshot(repository: Repository, commit: Callable[..., Snapshot]) -> Snapshot:
    received = {"receivedDateTime": "2026-03-02T08:00:00Z", "isRead": True}
    with repository.open_session(SHARD, SESSION, parent=None) as session:
        session.put_record("inbox", "folder", "", "", {"name": "Inbox"})
        session.put_record("con", "folder", "", "inbox", {"name": "CON/..: x"})
        for key, body in BODIES.items():
            flags = {"flag": {"flagStatus": "flagged"}, "isDraft": True} if key == "m2" else {}
            folder = "con" if key == "m3" else "inbox"
            session.put_item(NewItem(key, "mail", "1", folder, {**received, **flags}), body)
            session.checkpoint(b"")  # a pack each, so that damage hits one
        return commit(session)


def whole(repository: Repository, snapshot: Snapshot) -> list[Letter]:
    return list(letters(repository, SHARD, snapshot.id))


def test_every_mail_comes_with_its_place_and_exact_bytes(repository: Repository, snapshot: Snapshot) -> None:
    found = whole(repository, snapshot)
    assert {letter.row.key: letter.body for letter in found} == BODIES
    assert sorted(letter.number for letter in found) == [1, 2, 3, 4]
    assert {letter.folder for letter in found} == {("Inbox",), ("Inbox", "CON/..: x")}


def unpacked(repository: Repository, snapshot: Snapshot, kind: str, target: Path) -> list[dict[str, object]]:
    """Unpack an archive of this kind; its manifest."""
    with zipfile.ZipFile(io.BytesIO(b"".join(ARCHIVES[kind](repository, SHARD, snapshot.id, None)))) as archive:
        assert archive.testzip() is None
        assert archive.namelist()[-1] == MANIFEST
        assert len(set(archive.namelist())) == len(archive.namelist())
        archive.extractall(target)
        return [json.loads(line) for line in archive.read(MANIFEST).splitlines()]


@pytest.mark.parametrize(
    ("items", "folders", "kept"),
    [({"m1"}, (), 1), ((), {"con"}, 1), ((), {"inbox"}, 4), ({"m1"}, {"con"}, 2), ({"unknown"}, {"unknown"}, 0)],
)
def test_a_selection_takes_items_and_folders_with_all_below(
    repository: Repository, snapshot: Snapshot, items: set[str], folders: set[str], kept: int
) -> None:
    wanted = selected(repository, SHARD, snapshot.id, items, folders)
    for kind in ("eml", "mbox", "maildir"):
        with zipfile.ZipFile(io.BytesIO(b"".join(ARCHIVES[kind](repository, SHARD, snapshot.id, wanted)))) as archive:
            assert len(archive.read(MANIFEST).splitlines()) == kept


def test_without_a_selection_everything_is_wanted(repository: Repository, snapshot: Snapshot) -> None:
    assert selected(repository, SHARD, snapshot.id, (), ()) is None


@pytest.mark.parametrize("kind", ["eml", "mbox", "maildir"])
def test_an_archive_holds_what_the_writer_of_its_kind_writes(
    repository: Repository, snapshot: Snapshot, tmp_path: Path, kind: str
) -> None:
    entries = unpacked(repository, snapshot, kind, tmp_path / "archive")
    FORMATS[kind](letters(repository, SHARD, snapshot.id), tmp_path / "written")

    def files(root: Path) -> dict[str, bytes]:
        names = (path for path in root.rglob("*") if path.is_file() and path.name != MANIFEST)
        return {str(path.relative_to(root)): path.read_bytes() for path in names}

    assert files(tmp_path / "archive") == files(tmp_path / "written")
    assert {entry["sha256"] for entry in entries} == {hashlib.sha256(body).hexdigest() for body in BODIES.values()}
    assert all((tmp_path / "archive" / str(entry["path"])).is_file() for entry in entries)
    if kind == "maildir":
        with closing(mailbox.Maildir(tmp_path / "archive" / "Inbox", create=False)) as inbox:
            assert len(inbox) == 3


def test_one_mail_or_one_folder_can_be_asked_for(repository: Repository, snapshot: Snapshot) -> None:
    one = letters(repository, SHARD, snapshot.id, lambda row, _: row.key == "m3")
    assert [letter.body for letter in one] == [BODIES["m3"]]
    folder = letters(repository, SHARD, snapshot.id, lambda _, folder: len(folder) > 1)
    assert [letter.row.key for letter in folder] == ["m3"]


def test_a_damaged_mail_costs_only_itself(
    repository: Repository,
    memory: MemoryStorage,
    snapshot: Snapshot,
    reopened: Callable[[], Repository],
    tmp_path: Path,
) -> None:
    pack = next(name for name in memory.objects if name.startswith("data/"))
    memory.objects[pack] = memory.objects[pack][:100] + bytes(len(memory.objects[pack]) - 100)
    found = whole(reopened(), snapshot)
    (damaged,) = [letter for letter in found if letter.body is None]
    assert {letter.row.key for letter in found} == set(BODIES)
    assert damaged.problem
    for name, write in FORMATS.items():
        write(found, tmp_path / name)
    archive = zipfile.ZipFile(tmp_path / "zip")
    entries = [json.loads(line) for line in archive.read(MANIFEST).splitlines()]
    assert [(e["key"], e["damaged"]) for e in entries if "damaged" in e] == [(damaged.row.key, damaged.problem)]
    assert len(archive.namelist()) == len(BODIES)  # three mails and the manifest


def test_a_zip_and_a_folder_hold_the_same(repository: Repository, snapshot: Snapshot, tmp_path: Path) -> None:
    found = whole(repository, snapshot)
    FORMATS["eml"](found, tmp_path / "eml")
    archive = zipfile.ZipFile(io.BytesIO(b"".join(zip_chunks(found))))
    entries = [json.loads(line) for line in archive.read(MANIFEST).splitlines()]
    assert archive.read(MANIFEST) == (tmp_path / "eml" / MANIFEST).read_bytes()
    for entry in entries:
        body = archive.read(entry["path"])
        assert body == (tmp_path / "eml" / entry["path"]).read_bytes()
        assert (entry["sha256"], entry["size"]) == (hashlib.sha256(body).hexdigest(), len(body))
    assert sorted(archive.read(entry["path"]) for entry in entries) == sorted(BODIES.values())
    assert entries[0]["sidecar"]["receivedDateTime"] == "2026-03-02T08:00:00Z"


def test_mboxrd_gives_the_stored_bytes_back(repository: Repository, snapshot: Snapshot, tmp_path: Path) -> None:
    FORMATS["mbox"](whole(repository, snapshot), tmp_path / "out")
    assert sorted(str(file.relative_to(tmp_path / "out")) for file in (tmp_path / "out").rglob("*.mbox")) == [
        "Inbox.mbox", "Inbox/CON_.._ x.mbox",
    ]  # fmt: skip
    found = []
    for file in (tmp_path / "out").rglob("*.mbox"):
        first, *mails = re.split(rb"(?:^|(?<=\n)\n)From MAILER-DAEMON Mon Mar 02 08:00:00 2026\n", file.read_bytes())
        assert first == b""
        found += [re.sub(rb"(?m)^>(>*From )", rb"\1", mail) for mail in mails]
    # The blank line before the next separator belongs to it, except the last one's.
    assert sorted(mail.rstrip(b"\r\n") for mail in found) == sorted(body.rstrip(b"\r\n") for body in BODIES.values())
    assert FROM in [mail.removesuffix(b"\n") if mail.endswith(b"\n\n") else mail for mail in found]
    with closing(mailbox.mbox(tmp_path / "out" / "Inbox.mbox")) as opened:
        assert {"plain", "quoting"} <= {str(mail["Subject"]) for mail in opened}


def test_a_maildir_is_one_that_mail_programs_read(repository: Repository, snapshot: Snapshot, tmp_path: Path) -> None:
    FORMATS["maildir"](whole(repository, snapshot), tmp_path / "out")
    with closing(mailbox.Maildir(tmp_path / "out" / "Inbox", create=False)) as opened:
        by_subject = {str(mail["Subject"]): mail for mail in opened}
        assert by_subject["plain"].get_flags() == "S"
        assert by_subject["quoting"].get_flags() == "DFS"
        assert by_subject["plain"].get_date() == datetime(2026, 3, 2, 8, tzinfo=UTC).timestamp()
    stored = [file.read_bytes() for file in (tmp_path / "out").rglob("cur/*")]
    assert sorted(stored) == sorted(BODIES.values())


@pytest.mark.parametrize("name", ["zip", "eml", "maildir"])
def test_nothing_is_written_over(name: str, repository: Repository, snapshot: Snapshot, tmp_path: Path) -> None:
    FORMATS[name](whole(repository, snapshot), tmp_path / "out")
    with pytest.raises(FileExistsError):
        FORMATS[name](whole(repository, snapshot), tmp_path / "out")


@pytest.mark.parametrize("name", FORMATS)
def test_an_empty_mailbox_is_an_export_too(
    name: str, repository: Repository, commit: Callable[..., Snapshot], tmp_path: Path
) -> None:
    with repository.open_session(SHARD, SESSION, parent=None) as session:
        empty = commit(session)
    FORMATS[name](letters(repository, SHARD, empty.id), tmp_path / "out")
    assert (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("raw", "subject"),
    [
        (b"Subject: =?utf-8?b?R3LDvMOfZQ==?=\r\n\r\n", "Grüße"),
        (b"Subject: Gr\xc3\xbc\xc3\x9fe\r\n\r\n", "Grüße"),
        (b"Subject: Gr\xfc\xdfe\r\n\r\n", "Grüße"),
        (b"Subject: \xe2\x82\xac 5 =?utf-8?q?f=C3=BCr?= alle\r\n\r\n", "€ 5 für alle"),
        (b"Subject: two\r\n lines\r\n\r\n", "two lines"),
        (b"From: x\r\nsubject: =?utf-8?q?one?=\r\n =?utf-8?q?_word?=\r\n\r\n", "one word"),
        (b"From: x\n\nSubject: in the body\n", ""),
        (b"\r\nSubject: no header at all", ""),
        (b"", ""),
    ],
)
def test_subject_as_people_see_it(raw: bytes, subject: str) -> None:
    assert subject_of(raw) == subject


@settings(max_examples=200, deadline=None)
@given(raw=st.binary(max_size=60), charset=st.sampled_from(["utf-8", "utf-16", "utf-7", "shift_jis", "nonsense"]))
def test_any_subject_can_be_written_as_text(raw: bytes, charset: str) -> None:
    word = b"=?" + charset.encode() + b"?q?" + raw + b"?="
    for mail in (b"Subject: " + raw, b"Subject: " + word + b"\r\n\r\n", raw):
        subject_of(mail).encode()


@given(text=st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=40))
def test_a_subject_survives_its_encoding(text: str) -> None:
    words = " ".join(text.split())
    encoded = Header(words, "utf-8", maxlinelen=60).encode(linesep="\r\n").encode()
    assert subject_of(b"Subject: " + encoded + b"\r\n\r\n").strip() == words.strip()
