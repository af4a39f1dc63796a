"""The engine on OpenSSH through an account that may only add files: everything but garbage collection works."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backup_engine import NewItem, ObjectLocked, Repository, Session, Snapshot, Tuning
from backup_engine.storage import RetryingStorage
from backup_engine.storage.sftp_layout import MARKER, all_folders
from backup_engine.testing.append_only import AppendOnlyAccount
from backup_engine.testing.keys import LocalKeyWrapper
from backup_engine.testing.openssh import COMMANDS, OpenSSHServer
from backup_engine.testing.sftp import APPEND_ONLY

MANUAL = Path(__file__).parents[3] / "docs/reference/sftp.md"
HERE = Path(__file__).parent
# What an account that may not delete cannot do: remove session objects, and replaced key records.
EXCEPT = (
    "test_session_objects_disappear_after_the_commit",
    "test_an_unchanged_mailbox_costs_few_requests",
    "test_a_replaced_recovery_key_opens_nothing_more",
    "test_what_storage_will_not_delete_is_reported_and_tried_again",
    "test_no_key_material_is_stored_printed_or_logged",
)


@pytest.fixture
def account(openssh: OpenSSHServer, request: pytest.FixtureRequest) -> Iterator[AppendOnlyAccount]:
    opened = AppendOnlyAccount(openssh.address, f"{abs(hash(request.node.nodeid)):x}")
    yield opened
    opened.close()


def put(session: Session, mail: Callable[..., bytes], numbers: range) -> None:
    for n in numbers:
        session.put_item(NewItem(f"m{n:03d}", "mail", "1", "inbox", {}), mail(n, attachment=n % 7))


def test_write_die_resume_restore_and_verify(  # noqa: PLR0917 - fixtures
    account: AppendOnlyAccount,
    openssh: OpenSSHServer,
    wrapper: LocalKeyWrapper,
    tuning: Tuning,
    mail: Callable[..., bytes],
    commit: Callable[..., Snapshot],
    ulid: Callable[[int], str],
) -> None:
    storage = RetryingStorage(account, wait=lambda _: None)
    repository = Repository.create(storage, wrapper, tenant="contoso", tuning=tuning)
    dead = repository.open_session("box/anna", ulid(1), parent=None)
    put(dead, mail, range(12))
    dead.checkpoint(b"12")
    put(dead, mail, range(12, 15))  # it dies here, with what it did not checkpoint
    openssh.end_sessions()

    again = Repository.open(storage, wrapper, tuning=tuning)
    with again.open_session("box/anna", ulid(2), parent=None, adopt=ulid(1)) as session:
        assert session.cursor == b"12"
        put(session, mail, range(12, 20))
        first = commit(session, b"20", listed=20)
    with again.open_session("box/anna", ulid(3), parent=first.id) as session:
        put(session, mail, range(20, 22))
        second = commit(session, b"22", listed=22)

    fresh = Repository.open(storage, wrapper, tuning=tuning)
    for snapshot, count in ((first, 20), (second, 22)):
        rows = list(fresh.items("box/anna", snapshot.id))
        assert [fresh.read(row) for row in rows] == [mail(n, attachment=n % 7) for n in range(count)]
        assert fresh.verify("box/anna", snapshot.id, level="V1").good
    assert [found.id for found in fresh.snapshots("box/anna")] == [second.id, first.id]


def test_a_thief_of_the_account_deletes_nothing(  # noqa: PLR0917 - fixtures
    account: AppendOnlyAccount,
    wrapper: LocalKeyWrapper,
    tuning: Tuning,
    mail: Callable[..., bytes],
    commit: Callable[..., Snapshot],
    ulid: Callable[[int], str],
) -> None:
    repository = Repository.create(account, wrapper, tenant="contoso", tuning=tuning)
    with repository.open_session("box/anna", ulid(1), parent=None) as session:
        put(session, mail, range(3))
        commit(session)
    before = dict(account.objects)
    for key in before:
        with pytest.raises(ObjectLocked):
            account.delete(key)
    assert dict(account.objects) == before


def test_the_manuals_commands_make_the_folders_of_the_format(tmp_path: Path) -> None:
    (script,) = re.findall(r"```sh\n(.*?)```", MANUAL.read_text(), re.DOTALL)
    root = tmp_path / "contoso"
    subprocess.run(["sh", "-euc", script.replace("/srv/backup/contoso", str(root))], check=True)
    found = {str(path.relative_to(root)) for path in root.rglob("*")}
    assert found == {name for level in all_folders() for name in level} | {MARKER}


def test_the_manuals_account_is_the_tested_one() -> None:
    assert f'restrict,command="{COMMANDS[APPEND_ONLY]}" ' in MANUAL.read_text()


@pytest.mark.soak
@pytest.mark.parametrize("suite", ["session", "adoption", "repository", "verification", "keys", "custody", "state"])
def test_the_engines_own_suite_passes_there(suite: str) -> None:
    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "backup_engine.testing.append_only", "--storage", "append-only",
        "-p", "no:cacheprovider", "-n", "0", str(HERE / f"test_{suite}.py"),
        "-k", " and ".join(f"not {name}" for name in EXCEPT),
    ]  # fmt: skip
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-4000:]
