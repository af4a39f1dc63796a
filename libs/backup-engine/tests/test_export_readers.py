"""Programs nobody here wrote open the exports: unzip, git (mboxrd), notmuch. Counts, dates and attachments agree."""

import base64
import hashlib
import json
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from backup_engine import NewItem, Repository, Snapshot
from backup_engine.exporting import ARCHIVES, zip_chunks
from backup_engine.exporting.letters import Letter
from backup_engine.model import ItemRow

SHARD, SESSION = "c1/anna", "01ARZ3NDEKTSV4RRFFQ0000001"
START = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
SUBJECTS = ["Angebot", "Grüße aus Köln", "From here on", "", "Re: CON", "a/b\\c:d*e?", "x" * 200]
FILES = {"Plan Köln.pdf": b"%PDF-1.7 plan" * 500, "leer.txt": b"", "From line.bin": b"From x\n>From y\n" * 200}


class Sent:
    """A mail, and what a reader must find in it."""

    def __init__(self, number: int) -> None:
        self.id = f"mail-{number}@contoso.example"
        self.at = START + timedelta(hours=number)
        self.subject = SUBJECTS[number % len(SUBJECTS)]
        self.files = dict(list(FILES.items())[: number % 4])

    @property
    def mime(self) -> bytes:
        subject = f"=?utf-8?b?{base64.b64encode(self.subject.encode()).decode()}?="
        head = (
            f"Message-ID: <{self.id}>\r\nDate: {format_datetime(self.at)}\r\nFrom: Anna <anna@contoso.example>\r\n"
            f"To: ben@x.example\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n"
            'Content-Type: multipart/mixed; boundary="=_b"\r\n\r\n--=_b\r\nContent-Type: text/plain\r\n\r\n'
            "From the start of a line\r\n>From quoted\r\nend\r\n"
        )
        return (head + "".join(map(self._part, self.files)) + "--=_b--\r\n").encode()

    def _part(self, name: str) -> str:
        encoded = base64.encodebytes(self.files[name]).decode().replace("\n", "\r\n")
        word = f"=?utf-8?b?{base64.b64encode(name.encode()).decode()}?="
        return (
            f'--=_b\r\nContent-Type: application/octet-stream; name="{word}"\r\n'
            f'Content-Disposition: attachment; filename="{word}"\r\nContent-Transfer-Encoding: base64\r\n\r\n{encoded}'
        )

    @property
    def expected(self) -> tuple[str, int, str, dict[str, str]]:
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in self.files.items()}
        return (self.id, int(self.at.timestamp()), self.subject, digests)


SENT = [Sent(number) for number in range(15)]


def program(name: str, package: str) -> str:
    found = shutil.which(name)
    assert found is not None, f"{name} is needed to read what we export: apt-get install {package}"
    return found


@pytest.fixture
def snapshot(repository: Repository, commit: Callable[..., Snapshot]) -> Snapshot:
    with repository.open_session(SHARD, SESSION, parent=None) as session:
        for key, name, parent in (("in", "Posteingang", ""), ("con", "CON", "in"), ("deep", "Büro. ", "con")):
            session.put_record(key, "folder", "1", parent, {"name": name})
        for number, sent in enumerate(SENT):
            meta = {"receivedDateTime": sent.at.isoformat(), "isRead": bool(number % 2)}
            session.put_item(NewItem(sent.id, "mail", "1", ("in", "con", "deep")[number % 3], meta), sent.mime)
        return commit(session)


@pytest.fixture
def unzipped(repository: Repository, snapshot: Snapshot, tmp_path: Path) -> Callable[[str], Path]:
    def make(kind: str) -> Path:
        archive, target = tmp_path / f"{kind}.zip", tmp_path / kind
        archive.write_bytes(b"".join(ARCHIVES[kind](repository, SHARD, snapshot.id, None)))
        subprocess.run([program("unzip", "unzip"), "-q", str(archive), "-d", str(target)], check=True)
        return target

    return make


class Notmuch:
    """A database of its own over a folder of mails."""

    def __init__(self, folder: Path, home: Path) -> None:
        self._program = program("notmuch", "notmuch")
        config = home / "notmuch-config"
        config.write_text(f"[database]\npath={folder}\n[user]\nname=x\nprimary_email=x@x.example\n[new]\ntags=new\n")
        self._environment = {"NOTMUCH_CONFIG": str(config), "HOME": str(home), "PATH": "/usr/bin:/bin"}
        self._ask("new", "--quiet")

    def _ask(self, *arguments: str) -> bytes:
        command = [self._program, *arguments]
        return subprocess.run(command, env=self._environment, check=True, capture_output=True).stdout

    def everything(self) -> list[tuple[str, int, str, dict[str, str]]]:
        """Id, date, subject and the digests of the attachments of every mail."""
        found = json.loads(self._ask("search", "--format=json", "--output=messages", "*"))
        return sorted((self._one(ident) for ident in found), key=lambda one: one[1])

    def _one(self, ident: str) -> tuple[str, int, str, dict[str, str]]:
        shown = self._ask("show", "--format=json", "--entire-thread=false", f"id:{ident}")
        message = _message(json.loads(shown))
        parts = [part for part in _parts(message["body"]) if "filename" in part]
        digests = {part["filename"]: self._digest(ident, part["id"]) for part in parts}
        return ident, message["timestamp"], message["headers"]["Subject"], digests

    def _digest(self, ident: str, part: int) -> str:
        return hashlib.sha256(self._ask("show", "--format=raw", f"--part={part}", f"id:{ident}")).hexdigest()


def _message(shown: Any) -> Any:
    """The one message in the nested lists of a thread."""
    while isinstance(shown, list):
        shown = next(one for one in shown if one)
    return shown


def _parts(parts: list[Any]) -> list[Any]:
    return [inner for part in parts for inner in (part, *_parts(part["content"] if _nested(part) else []))]


def _nested(part: Any) -> bool:
    return isinstance(part.get("content"), list)


@pytest.mark.parametrize("kind", ["eml", "maildir"])
def test_notmuch_finds_every_mail_with_date_and_attachments(
    unzipped: Callable[[str], Path], tmp_path: Path, kind: str
) -> None:
    assert Notmuch(unzipped(kind), tmp_path).everything() == [sent.expected for sent in SENT]


def test_git_splits_mboxrd_and_notmuch_reads_it(unzipped: Callable[[str], Path], tmp_path: Path) -> None:
    split = tmp_path / "split"
    boxes = sorted(unzipped("mbox").rglob("*.mbox"))
    assert len(boxes) == 3
    for number, box in enumerate(boxes):
        (split / str(number)).mkdir(parents=True)
        command = [program("git", "git"), "mailsplit", "--mboxrd", "--keep-cr", f"-o{split / str(number)}", str(box)]
        subprocess.run(command, check=True, capture_output=True)
    mails = tmp_path / "mails"
    mails.mkdir()
    for number, path in enumerate(path for path in split.rglob("*") if path.is_file()):
        begin, _, mail = path.read_bytes().removesuffix(b"\n").partition(b"\n")
        assert begin.startswith(b"From MAILER-DAEMON Sun Mar 01 ")
        assert mail in [sent.mime for sent in SENT]
        (mails / str(number)).write_bytes(mail)
    assert Notmuch(mails, tmp_path).everything() == [sent.expected for sent in SENT]


def test_unzip_finds_no_fault_and_every_name(repository: Repository, snapshot: Snapshot, tmp_path: Path) -> None:
    archive = tmp_path / "eml.zip"
    archive.write_bytes(b"".join(ARCHIVES["eml"](repository, SHARD, snapshot.id, None)))
    subprocess.run([program("unzip", "unzip"), "-tqq", str(archive)], check=True)
    listed = subprocess.run([program("unzip", "unzip"), "-Z1", str(archive)], check=True, capture_output=True)
    names = listed.stdout.decode().splitlines()
    assert "Posteingang/_CON/Büro" in {name.rpartition("/")[0] for name in names}
    with zipfile.ZipFile(archive) as opened:
        assert all(entry.flag_bits & 0x800 for entry in opened.infolist() if not entry.filename.isascii())
        assert len({name.casefold() for name in names}) == len(SENT) + 1


@pytest.mark.soak
def test_an_archive_of_more_than_4_gib_and_65535_mails_opens(tmp_path: Path) -> None:
    """ZIP64: the body of a few mails is large, the others are many."""
    large = b"Subject: large\r\n\r\n" + bytes(64 << 20)

    def mails() -> Any:
        for number in range(66_000):
            body = large if number % 1000 == 0 else b"Subject: small\r\n\r\ntext\r\n"
            row = ItemRow(f"m{number}", "mail", "1", "", {}, len(body), hashlib.sha256(body).digest())
            yield Letter(row, ("Inbox",), number, body)

    archive = tmp_path / "large.zip"
    with archive.open("wb") as file:
        for chunk in zip_chunks(mails()):
            file.write(chunk)
    assert archive.stat().st_size > 1 << 32
    subprocess.run([program("unzip", "unzip"), "-tqq", str(archive)], check=True)
