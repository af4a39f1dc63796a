"""`tenantkeep recover maintain`: what has expired goes with an account that may delete, and stays with any other."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import SecretStr

from backup_engine import RecoveryKey
from backup_engine.storage import Storage
from backup_engine.testing.sftp import ADMIN, APPEND_ONLY, SFTPAddress, write_private
from backup_engine.testing.sftp_server import SFTPTestServer
from tenantkeep.commands.output import Screen
from tenantkeep.exit_codes import ExitCode
from tenantkeep.recover.access import Access
from tenantkeep.recover.maintaining import maintain

LATER = datetime(2027, 1, 1, tzinfo=UTC)
"""When every restore point of the fixture has expired."""
Fill = Callable[[Storage, RecoveryKey], dict[str, list[str]]]


@pytest.fixture
def sftp(tmp_path: Path, recovery: RecoveryKey, fill_storage: Fill) -> Iterator[SFTPTestServer]:
    """An SFTP server with a repository that the append-only account has written."""
    with SFTPTestServer(tmp_path / "sftp") as running:
        storage = running.address.storage("backups/contoso", APPEND_ONLY)
        fill_storage(storage, recovery)
        storage.close()
        yield running


@pytest.fixture
def server(sftp: SFTPTestServer) -> SFTPAddress:
    return sftp.address


@pytest.fixture
def access(server: SFTPAddress, key_file: Path, tmp_path: Path, passphrase: str) -> Callable[[str], Access]:
    """What `tenantkeep recover` is given for an account of the server."""

    def of(account: str) -> Access:
        return Access(
            storage=f"sftp://{server.users[account]}@127.0.0.1:{server.port}{server.folder}/backups",
            key=key_file,
            passphrase=SecretStr(passphrase),
            host_keys=(server.host_key,),
            ssh_key_file=write_private(tmp_path / f"{account}.ssh", server.keys[account].private),
        )

    return of


def test_what_has_expired_is_removed_by_the_account_that_may_delete(
    access: Callable[[str], Access], sftp: SFTPTestServer, capsys: pytest.CaptureFixture[str]
) -> None:
    def maintained(account: str, days: int, code: ExitCode) -> Any:
        at = LATER + timedelta(days=days)
        sftp.ahead = at - datetime.now(UTC) + timedelta(minutes=1)
        with pytest.raises(typer.Exit) as end:
            maintain(access(account), Screen("en", as_json=True), at=at)
        assert end.value.exit_code == code
        return json.loads(capsys.readouterr().out)

    condemned = maintained(APPEND_ONLY, 0, ExitCode.PARTIAL)
    assert (condemned["expired"], condemned["deleted"], condemned["packs"]) == (0, 0, 3)
    assert condemned["sweep_after"] is not None
    assert condemned["locked"] > 0
    removed = maintained(ADMIN, 2, ExitCode.SUCCEEDED)
    assert (removed["expired"], removed["locked"]) == (3, 0)
    done = maintained(ADMIN, 3, ExitCode.SUCCEEDED)  # without the sessions that the other account had to leave
    assert (done["packs"], done["stored_bytes"], done["waste_bytes"]) == (0, 0, 0)


def test_a_clock_that_is_ahead_of_the_storages_removes_nothing_and_is_named(
    access: Callable[[str], Access], capsys: pytest.CaptureFixture[str]
) -> None:
    at = max(LATER, datetime.now(UTC) + timedelta(days=1))
    with pytest.raises(typer.Exit) as end:
        maintain(access(ADMIN), Screen("en"), at=at)
    assert end.value.exit_code == ExitCode.PARTIAL
    told = " ".join(capsys.readouterr().out.split())
    assert "ahead of the storage's" in told
    with pytest.raises(typer.Exit):
        maintain(access(ADMIN), Screen("en", as_json=True), at=at + timedelta(days=2))
    assert json.loads(capsys.readouterr().out)["expired"] == 0


def test_the_command_tells_people_what_came_of_it(
    access: Callable[[str], Access], recover: Any, server: SFTPAddress, key_file: Path
) -> None:
    known = access(APPEND_ONLY)
    assert known.storage is not None
    where = ("--storage", known.storage, "--host-key", server.host_key, "--ssh-key-file", str(known.ssh_key_file))
    done = recover("maintain", "--lang", "de", options=(*where, "--key", str(key_file)))
    assert done.exit_code == ExitCode.PARTIAL, done.output
    assert "Was die Wartung tat" in done.output
    assert "darf nur hinzufügen" in " ".join(done.output.split())
