"""A mailbox goes to an SFTP server through an account that may only add files, and comes back."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from main_job import MainJob
from stack_fixture import RunningStack, tenantkeep

from backup_engine.testing.openssh import OpenSSHServer
from backup_engine.testing.sftp import ADMIN, APPEND_ONLY, KeyPair, SFTPAddress, write_private

pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(300)]

TENANT = "northwind"


@pytest.fixture
def address() -> Iterator[SFTPAddress]:
    with OpenSSHServer() as server:
        yield server.address


@pytest.fixture
def job(stack: RunningStack, tmp_path: Path) -> MainJob:
    made = MainJob(stack, tmp_path, tenant=TENANT)
    made.onboard("--generate", "60", "--mailboxes", "2", "--seed", "11")
    return made


def options(address: SFTPAddress, account: str, folder: Path, *, host_key: str = "") -> list[str]:
    key = write_private(folder / f"{account}.key", address.keys[account].private)
    return [
        "--sftp", f"127.0.0.1:{address.port}", "--user", address.users[account], "--folder", address.folder,
        "--host-key", f"{host_key or address.host_key} from-ssh-keyscan", "--key-file", str(key),
    ]  # fmt: skip


def refused(job: MainJob, *arguments: str) -> str:
    done = tenantkeep({**job.stack.environment, "TENANTKEEP_TENANT": TENANT}, "storage", "add", *arguments)
    assert done.returncode == 1, done.stdout
    return done.stderr


def test_backup_restore_and_export_through_an_append_only_account(
    job: MainJob, address: SFTPAddress, tmp_path: Path
) -> None:
    other = options(address, APPEND_ONLY, tmp_path, host_key=KeyPair.fresh().public)
    assert "another host key" in refused(job, "wrong", *other)
    unprepared = refused(job, "early", *options(address, APPEND_ONLY, tmp_path), "--lang", "de")
    assert "Die Ordner fehlen" in unprepared
    assert "PRIVATE" not in unprepared

    made = job.command("storage", "add", "admin", *options(address, ADMIN, tmp_path))  # makes the folders
    assert {step["name"] for step in made["steps"]} >= {"folders", "write", "overwrite_refused", "delete", "clock"}
    made = job.command("storage", "add", "offsite", *options(address, APPEND_ONLY, tmp_path))
    assert {step["name"]: step.get("finding") for step in made["steps"]}["delete"] == "append_only"
    assert made["target"]["host_keys"] == [address.host_key]

    configuration = job.command("backup", "configure", "offsite", "--target", "offsite", "--source", "mail", "--manual")
    first = job.backup("offsite")
    assert first["run"]["state"] == "succeeded", first
    job.change(seed=3, fraction=0.1)
    assert job.backup("offsite")["run"]["state"] == "succeeded"
    job.configure("embedded")
    assert job.backup("embedded")["run"]["state"] == "succeeded"

    points = job.restore_points()
    newest = {(p["configuration"], p["resource_name"]): p["content_digest"] for p in reversed(points)}
    offsite = {name: digest for (of, name), digest in newest.items() if of == configuration["id"]}
    embedded = {name: digest for (of, name), digest in newest.items() if of != configuration["id"]}
    assert offsite == embedded
    assert len(offsite) == 3

    point = next(p for p in points if p["configuration"] == configuration["id"] and p["items"])
    archive = tmp_path / "mails.zip"
    job.command("backup", "export", point["id"], "--out", str(archive))
    assert len([name for name in zipfile.ZipFile(archive).namelist() if name.endswith(".eml")]) == point["items"]
    restored = job.command(
        "backup", "restore", point["id"], "--to", f"restore-target@{TENANT}.onmicrosoft.com", "--wait"
    )
    assert restored["run"]["state"] == "succeeded", restored
