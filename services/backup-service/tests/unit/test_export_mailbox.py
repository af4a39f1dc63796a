"""An export is a ZIP of the stored bytes, readable on every system, with a manifest."""

import hashlib
import io
import json
import zipfile
from typing import Any

import pytest
from backup_fakes.exchange import ANNA, Exchange

from backup_engine.exporting import letters, zip_chunks

SUBJECTS = ["plain", "../../etc/passwd", "CON", 'a<b>:"|?*', "Grüße", "", "x" * 300, "same", "same"]


@pytest.fixture
async def archive(worker: Any, exchange: Exchange) -> zipfile.ZipFile:
    inbox = exchange.add_folder(ANNA, "Inbox")
    odd = exchange.add_folder(ANNA, "nul", inbox)
    for number, subject in enumerate(SUBJECTS):
        raw = f"Subject: {subject}\r\n\r\nbody {number}\r\n".encode()
        exchange.add(ANNA, odd if number % 2 else inbox, raw, isRead=True)
    # Not valid in any encoding, and without a header: exported as it is.
    exchange.add(ANNA, inbox, b"\xff\xfe\x00 \r\r\n no mail at all")
    await worker.backup()
    repository = await worker.repositories.open("contoso", "t1")
    found = letters(repository, f"c1/{ANNA}", (await worker.snapshot()).id)
    return zipfile.ZipFile(io.BytesIO(b"".join(zip_chunks(found))))


def mails(archive: zipfile.ZipFile) -> list[str]:
    return [name for name in archive.namelist() if name != "manifest.jsonl"]


def test_every_mail_comes_out_byte_for_byte(archive: zipfile.ZipFile, exchange: Exchange) -> None:
    assert archive.testzip() is None
    stored = sorted(letter.mime for letter in exchange.letters[ANNA].values())
    assert sorted(archive.read(name) for name in mails(archive)) == stored


def test_names_are_unique_and_safe_everywhere(archive: zipfile.ZipFile) -> None:
    names = archive.namelist()
    assert len({name.casefold() for name in names}) == len(names)
    for name in names:
        assert not name.startswith("/")
        assert not {"..", ".", ""} & set(name.split("/"))
        assert not {"CON", "NUL"} & {part.partition(".")[0].upper() for part in name.split("/")}
        assert not set(name) & set('<>:"\\|?*')


def test_manifest_names_every_mail_with_its_digest_and_properties(archive: zipfile.ZipFile) -> None:
    assert archive.namelist()[-1] == "manifest.jsonl"
    entries = [json.loads(line) for line in archive.read("manifest.jsonl").splitlines()]
    assert {entry["path"] for entry in entries} == set(mails(archive))
    for entry in entries:
        body = archive.read(entry["path"])
        assert (entry["sha256"], entry["size"]) == (hashlib.sha256(body).hexdigest(), len(body))
    assert {tuple(entry["folder"]) for entry in entries} == {("Inbox",), ("Inbox", "nul")}
    assert entries[0]["sidecar"]["receivedDateTime"] == "2026-03-02T08:00:00Z"


async def test_export_of_an_empty_mailbox_is_an_archive(worker: Any) -> None:
    await worker.backup()
    repository = await worker.repositories.open("contoso", "t1")
    chunks = zip_chunks(letters(repository, f"c1/{ANNA}", (await worker.snapshot()).id))
    assert zipfile.ZipFile(io.BytesIO(b"".join(chunks))).namelist() == ["manifest.jsonl"]
