"""`tenantkeep recover`: storage and key alone bring everything back, and say plainly when they cannot."""

import json
import mailbox
import subprocess
import sys
import zipfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backup_engine import RecoveryKey
from backup_engine.recovery import ScryptParameters
from backup_engine.testing.seaweed import SeaweedServer
from backup_engine.testing.sftp import READ_ONLY, KeyPair, write_private
from backup_engine.testing.sftp_server import SFTPTestServer

PASSPHRASE = "correct horse battery staple"
BODIES = {f"m{n}": f"Subject: mail {n}\r\n\r\nbody {n}\r\n".encode() for n in range(5)}


def mails(archive: Path) -> list[bytes]:
    with zipfile.ZipFile(archive) as opened:
        return sorted(opened.read(name) for name in opened.namelist() if name.endswith(".eml"))


def test_mailboxes_are_listed_by_their_addresses(recover: Any, lost: Any) -> None:
    done = recover("list", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["tenant"] == "contoso"
    assert [(box["mailbox"], box["points"]) for box in found["mailboxes"]] == [
        ("anna@contoso.example", 2), ("bert@contoso.example", 1),
    ]  # fmt: skip
    assert found["mailboxes"][0]["newest"]["id"] == lost.points["anna"][-1]
    assert "anna@contoso.example" in recover("list").output


def test_restore_points_are_listed_newest_first(recover: Any, lost: Any) -> None:
    everything = json.loads(recover("restore-points", "--json").stdout)["items"]
    assert [item["items"] for item in everything] == [5, 4, 3]
    annas = json.loads(recover("restore-points", "Anna@Contoso.example", "--json").stdout)["items"]
    assert [item["id"] for item in annas] == lost.points["anna"][::-1]


@pytest.mark.parametrize("older", [False, True])
def test_a_mailbox_comes_back_byte_for_byte(recover: Any, lost: Any, tmp_path: Path, *, older: bool) -> None:
    point = lost.points["anna"][0] if older else "anna@contoso.example"
    done = recover("export", point, "--out", str(tmp_path / "anna.zip"))
    assert done.exit_code == 0, done.output
    assert mails(tmp_path / "anna.zip") == sorted(BODIES.values())[: 3 if older else 5]
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []


def test_every_mailbox_at_once_as_maildir(recover: Any, tmp_path: Path) -> None:
    done = recover("export", "--all", "--format", "maildir", "--out", str(tmp_path / "all"), "--json")
    assert done.exit_code == 0, done.output
    exports = json.loads(done.stdout)["exports"]
    assert [entry["mails"] for entry in exports] == [5, 4]
    for entry in exports:
        with closing(mailbox.Maildir(Path(entry["place"]) / "Inbox", create=False)) as opened:
            assert len(opened) == entry["mails"] - 1


def test_one_folder_or_one_mail_can_be_asked_for(recover: Any, tmp_path: Path) -> None:
    recover("export", "anna@contoso.example", "--folder", "inbox/offers", "--out", str(tmp_path / "folder.zip"))
    assert mails(tmp_path / "folder.zip") == [BODIES["m1"]]
    found = json.loads(recover("items", "anna@contoso.example", "--subject", "MAIL 3", "--json").stdout)["items"]
    assert [(item["key"], item["subject"], item["folder"]) for item in found] == [("m3", "mail 3", "Inbox")]
    recover("export", "anna@contoso.example", "--item", found[0]["key"], "--out", str(tmp_path / "one.zip"))
    assert mails(tmp_path / "one.zip") == [BODIES["m3"]]
    every = json.loads(recover("items", "anna@contoso.example", "--json").stdout)["items"]
    assert sorted(item["key"] for item in every) == sorted(BODIES)


def test_a_damaged_mail_is_left_out_and_named(recover: Any, lost: Any, tmp_path: Path) -> None:
    pack = max((lost.folder / "contoso" / "data").rglob("*-*"), key=lambda file: file.stat().st_size)
    pack.write_bytes(pack.read_bytes()[:64] + bytes(pack.stat().st_size - 64))
    done = recover("export", "--all", "--out", str(tmp_path / "all"), "--json")
    assert done.exit_code == 3, done.output
    exports = json.loads(done.stdout)["exports"]
    damaged = [entry["key"] for export in exports for entry in export["damaged"]]
    assert damaged
    assert sum(export["mails"] for export in exports) == 9 - len(damaged)


def test_nothing_is_written_over(recover: Any, tmp_path: Path) -> None:
    (tmp_path / "anna.zip").write_text("precious")
    assert recover("export", "anna@contoso.example", "--out", str(tmp_path / "anna.zip")).exit_code == 2
    assert (tmp_path / "anna.zip").read_text() == "precious"


def test_the_storage_is_not_written_to(recover: Any, lost: Any, tmp_path: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in lost.folder.rglob("*") if file.is_file()}
    recover("list")
    recover("export", "--all", "--out", str(tmp_path / "all"))
    recover("keys")
    assert {file: file.stat().st_mtime_ns for file in lost.folder.rglob("*") if file.is_file()} == before


def test_the_keys_are_shown_without_any_key(recover: Any, lost: Any, recovery: RecoveryKey) -> None:
    done = recover("keys", "--json", options=("--storage", f"{lost.url}/contoso"), passphrase=None)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["transit_keys"], found["recovery_keys"]) == (["tenant-contoso"], [recovery.public.fingerprint])
    words = recover("keys", "--lang", "de").output
    assert f"recovery key {recovery.public.fingerprint}, transit key tenant-contoso" in words


def test_the_newest_documents_of_each_service_are_printed(recover: Any) -> None:
    done = recover("documents")
    assert done.exit_code == 0, done.output
    expected = {"tenant": "contoso", "documents": {"token-service": {"tenant": "contoso", "version": 2}}}
    assert json.loads(done.stdout) == expected


class TestErrors:
    def test_a_wrong_passphrase(self, recover: Any) -> None:
        done = recover("list", passphrase="wrong horse battery staple")
        assert done.exit_code == 1
        assert "passphrase is wrong" in done.output
        assert "horse" not in done.output

    def test_nobody_to_ask(self, recover: Any) -> None:
        done = recover("list", passphrase=None)
        assert (done.exit_code, "--passphrase-file" in done.output) == (2, True)

    def test_a_passphrase_file(self, recover: Any, lost: Any, tmp_path: Path) -> None:
        (tmp_path / "pass").write_text(PASSPHRASE + "\n")
        options = ("--storage", lost.url, "--key", str(lost.key), "--passphrase-file", str(tmp_path / "pass"))
        assert recover("list", options=options, passphrase=None).exit_code == 0

    def test_another_address_names_what_lies_there(self, recover: Any, lost: Any) -> None:
        (lost.folder / "contoso").rename(lost.folder / "renamed")
        done = recover("list")
        assert done.exit_code == 1
        assert "There is no repository" in done.output
        assert "renamed" in done.output

    def test_a_key_of_somebody_else(self, recover: Any, lost: Any) -> None:
        cheap = ScryptParameters(n=1 << 14)
        other = RecoveryKey.generate().seal(PASSPHRASE, tenant="contoso", created=datetime.now(UTC), parameters=cheap)
        lost.key.write_text(other)
        done = recover("list")
        assert done.exit_code == 1
        assert "does not open" in done.output
        assert "keys" in done.output

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ((), "--key"),
            (("--key", "{key}"), "--storage"),
            (("--key", "{key}", "--storage", "ftp://x/y"), "ftp"),
            (("--key", "{key}", "--storage", "file://tmp/y"), "three slashes"),
            (("--key", "{key}", "--storage", "s3://host/bucket"), "--access-key"),
            (("--key", "/nonexistent", "--storage", "file:///tmp"), "recovery key"),
        ],
    )
    def test_what_is_missing_is_said(self, recover: Any, lost: Any, options: tuple[str, ...], words: str) -> None:
        done = recover("list", options=tuple(option.format(key=lost.key) for option in options))
        assert done.exit_code in {1, 2}
        assert words in done.output

    def test_no_such_mailbox(self, recover: Any, tmp_path: Path) -> None:
        done = recover("export", "carl@contoso.example", "--out", str(tmp_path / "x.zip"))
        assert (done.exit_code, "anna@contoso.example" in done.output) == (2, True)
        assert recover("export", "--out", str(tmp_path / "x.zip")).exit_code == 2
        assert recover("export", "anna@contoso.example", "--all", "--out", str(tmp_path / "x")).exit_code == 2
        nothing = recover("export", "anna@contoso.example", "--item", "zz", "--out", str(tmp_path / "x.zip"))
        assert nothing.exit_code == 2

    def test_errors_are_json_too(self, recover: Any) -> None:
        done = recover("list", "--json", passphrase="wrong horse battery staple")
        assert json.loads(done.stderr)["code"] == "passphrase"


def test_it_works_from_an_sftp_server(
    recovery: RecoveryKey, lost: Any, recover: Any, tmp_path: Path, fill_storage: Any
) -> None:
    """Through an account that may only read."""
    with SFTPTestServer(tmp_path / "sftp") as server:
        address = server.address
        storage = address.storage("backups/contoso")
        fill_storage(storage, recovery)
        storage.close()
        key = write_private(tmp_path / "id_ed25519", address.keys[READ_ONLY].private)
        options = (
            "--storage", f"sftp://{address.users[READ_ONLY]}@127.0.0.1:{address.port}{address.folder}/backups",
            "--key", str(lost.key), "--host-key", address.host_key, "--ssh-key-file", str(key),
        )  # fmt: skip
        done = recover("export", "--all", "--format", "eml", "--out", str(tmp_path / "out"), options=options)
        elsewhere = recover("list", options=(*options[:1], options[1] + "/none", *options[2:]))
        stranger = recover("list", options=(*options[:5], KeyPair.fresh().public, *options[6:]))
        hostless = recover("list", options=(*options[:4], *options[6:]))
    assert done.exit_code == 0, done.output
    assert sorted(file.read_bytes() for file in (tmp_path / "out").rglob("*.eml")) == sorted(
        [*BODIES.values(), *list(BODIES.values())[:4]]
    )
    assert (elsewhere.exit_code, "storage refuses" in elsewhere.stderr) == (1, True), elsewhere.stderr
    assert (stranger.exit_code, "another host key" in stranger.stderr) == (1, True), stranger.stderr
    assert (hostless.exit_code, "--host-key" in hostless.stderr) == (2, True), hostless.stderr


def test_it_works_on_a_machine_with_nothing_else(
    recovery: RecoveryKey, key_file: Path, tmp_path: Path, fill_storage: Any
) -> None:
    """A process of its own, an empty environment, S3 over TLS; no stack has ever been here."""
    with SeaweedServer(tmp_path / "seaweed") as server:
        fill_storage(server.storage("contoso", "contoso"), recovery)
        access_key, secret_key = server.credentials("contoso")
        (tmp_path / "secret").write_text(secret_key)
        (tmp_path / "pass").write_text(PASSPHRASE)
        command = [
            sys.executable, "-m", "tenantkeep.main", "recover",
            "--storage", f"s3://{server.endpoint}/tenantkeep", "--access-key", access_key,
            "--secret-key-file", str(tmp_path / "secret"), "--ca-file", str(server.ca_file),
            "--key", str(key_file), "--passphrase-file", str(tmp_path / "pass"),
            "export", "--all", "--format", "eml", "--out", str(tmp_path / "out"),
        ]  # fmt: skip
        here = tmp_path / "empty"
        here.mkdir()
        done = subprocess.run(
            command, env={"HOME": str(here)}, cwd=here, capture_output=True, text=True, timeout=60, check=False
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(file.read_bytes() for file in (tmp_path / "out").rglob("*.eml")) == sorted(
        [*BODIES.values(), *list(BODIES.values())[:4]]
    )
    assert list(here.iterdir()) == []
