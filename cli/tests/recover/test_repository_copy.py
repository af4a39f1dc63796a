"""`tenantkeep repository copy`: with nothing running, to a folder, to S3 and to SFTP, and on again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from backup_engine.storage import LocalStorage
from backup_engine.testing.seaweed import BUCKET, SeaweedServer
from backup_engine.testing.sftp import ADMIN, write_private
from backup_engine.testing.sftp_server import SFTPTestServer
from tenantkeep.main import app

PASSPHRASE = "correct horse battery staple"
Run = Callable[..., Result]


@pytest.fixture
def copy(tmp_path: Path) -> Run:
    def run(*arguments: str, **environment: str) -> Result:
        given = {"TENANTKEEP_HOME": str(tmp_path / "nothing"), "TENANTKEEP_RECOVERY_PASSPHRASE": PASSPHRASE}
        return CliRunner().invoke(app, ["repository", "copy", *arguments], env={**given, **environment})

    return run


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_copy_is_checked_to_the_last_byte_and_can_be_recovered_from(
    copy: Run, recover: Any, lost: Any, tmp_path: Path
) -> None:
    target = tmp_path / "copy" / "contoso"
    done = copy("--from", f"{lost.url}/contoso", "--to", f"file://{target}", "--key", str(lost.key), "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert files(target) == files(lost.folder / "contoso")
    assert report["copied"] == report["checked"]["covered"] == report["checked"]["of"] == len(files(target))
    assert report["problems"] == []
    listed = recover("list", "--json", options=("--storage", f"file://{target}", "--key", str(lost.key)))
    assert [box["points"] for box in json.loads(listed.stdout)["mailboxes"]] == [2, 1]


def test_it_goes_on_and_needs_no_key(copy: Run, lost: Any, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    assert copy("--from", f"{lost.url}/contoso", "--to", f"file://{target}").exit_code == 0
    removed = next(path for path in (target / "data").rglob("*") if path.is_file())
    removed.unlink()
    again = copy("--from", f"{lost.url}/contoso", "--to", f"file://{target}", "--lang", "de")
    assert again.exit_code == 0, again.output
    assert "1 Objekte" in again.output
    assert removed.is_file()


def test_damage_is_named_and_the_exit_code(copy: Run, lost: Any, tmp_path: Path) -> None:
    pack = next(path for path in (lost.folder / "contoso" / "data").rglob("*") if path.is_file())
    pack.write_bytes(pack.read_bytes()[:-1] + b"?")
    done = copy("--from", f"{lost.url}/contoso", "--to", f"file://{tmp_path / 'copy'}", "--json")
    assert done.exit_code == 1
    (problem,) = json.loads(done.stdout)["problems"]
    assert (problem["kind"], problem["key"].rpartition("/")[2]) == ("damaged_pack", pack.name)


def test_another_repository_at_the_target_is_left_alone(
    copy: Run, lost: Any, tmp_path: Path, fill_storage: Any, recovery: Any
) -> None:
    fill_storage(LocalStorage(tmp_path / "other"), recovery)
    before = files(tmp_path / "other")
    done = copy("--from", f"{lost.url}/contoso", "--to", f"file://{tmp_path / 'other'}")
    assert done.exit_code == 1
    assert "another" in done.output
    assert files(tmp_path / "other") == before


def test_a_date_needs_a_lock(copy: Run, lost: Any, tmp_path: Path) -> None:
    done = copy("--from", lost.url, "--to", f"file://{tmp_path / 'copy'}", "--retain-until", "2036-01-01")
    assert done.exit_code == 2
    assert "--to-lock" in done.output


@pytest.mark.soak
def test_to_s3_to_sftp_and_back(copy: Run, lost: Any, tmp_path: Path) -> None:
    key = ("--key", str(lost.key))
    with SeaweedServer(tmp_path / "seaweed") as s3, SFTPTestServer(tmp_path / "sftp") as sftp:
        access_key, secret = s3.credentials("contoso")
        bucket = f"s3://{s3.endpoint}/{BUCKET}/contoso/copy"
        trust = ("--ca-file", str(s3.ca_file))
        s3_secret = tmp_path / "s3.secret"
        s3_secret.write_text(secret)
        address = sftp.address
        remote = f"sftp://{address.users[ADMIN]}@127.0.0.1:{address.port}{address.folder}/copy"
        ssh = write_private(tmp_path / "ssh.key", address.keys[ADMIN].private)
        to_s3 = copy("--from", f"{lost.url}/contoso", "--to", bucket, "--to-access-key", access_key,
                     "--to-secret-key-file", str(s3_secret), *trust, *key)  # fmt: skip
        assert to_s3.exit_code == 0, to_s3.output
        to_sftp = copy("--from", bucket, "--from-access-key", access_key, "--to", remote, "--to-host-key",
                       address.host_key, "--to-ssh-key-file", str(ssh), *trust, *key,
                       TENANTKEEP_COPY_FROM_SECRET_KEY=secret)  # fmt: skip
        assert to_sftp.exit_code == 0, to_sftp.output
        back = copy("--from", remote, "--from-host-key", address.host_key, "--from-ssh-key-file", str(ssh),
                    "--to", f"file://{tmp_path / 'back'}", *key)  # fmt: skip
        assert back.exit_code == 0, back.output
    assert files(tmp_path / "back") == files(lost.folder / "contoso")
    assert secret not in to_s3.output + to_sftp.output
