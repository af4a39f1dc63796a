"""The engine on OpenSSH through an account that may only add files: everything but garbage collection works."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backup_engine import MaintenanceReport, NewItem, ObjectLocked, Repository, Session, Snapshot, Tuning
from backup_engine.storage import MemoryStorage, RetryingStorage
from backup_engine.storage.sftp_layout import MARKER, all_folders
from backup_engine.testing.append_only import AppendOnlyAccount, AppendOnlyMemory
from backup_engine.testing.keys import LocalKeyWrapper
from backup_engine.testing.openssh import COMMANDS, OpenSSHServer
from backup_engine.testing.sftp import APPEND_ONLY

EXPIRES = datetime(2026, 4, 1, 12, tzinfo=UTC)  # the restore points of `commit`
MANUAL = Path(__file__).parents[3] / "docs/reference/sftp.md"
HERE = Path(__file__).parent
# Whose storage is the fixture `memory`; the others bring servers or a storage of their own.
SUITES = (
    "adoption", "copying", "custody", "damage", "derived", "documents", "exporting", "format_specification", "index",
    "keys", "reading_many", "receipts", "repository", "rolling", "session", "state", "streams", "tampering",
    "verification",
)  # fmt: skip
# What an account that may not delete cannot do.
EXCEPT = (
    # session objects of a commit stay
    "test_session_objects_disappear_after_the_commit",
    "test_an_unchanged_mailbox_costs_few_requests",
    # replaced key records stay, and so does what they open
    "test_a_replaced_recovery_key_opens_nothing_more",
    "test_what_storage_will_not_delete_is_reported_and_tried_again",
    "test_no_key_material_is_stored_printed_or_logged",
    # superseded documents and derived files stay
    "test_old_versions_go_and_other_services_stay",
    "test_the_collector_keeps_the_newest_version_and_what_is_under_way",
    "test_a_file_goes_with_the_last_of_its_restore_points",
    "test_a_damaged_newest_version_is_collected",
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


def test_maintenance_rewrites_where_nothing_can_be_deleted_and_says_what_stays(
    wrapper: LocalKeyWrapper, tuning: Tuning, mail: Callable[..., bytes], commit: Callable[..., Snapshot],
    ulid: Callable[[int], str],
) -> None:  # fmt: skip
    storage = AppendOnlyMemory()
    repository = Repository.create(storage, wrapper, tenant="contoso", tuning=tuning)
    with repository.open_session("box", ulid(1), parent=None) as session:
        for n in range(40):
            session.put_item(NewItem(f"m{n:03d}", "mail", "1", ""), mail(n, attachment=n))
        old = commit(session)
    with repository.open_session("box", ulid(2), parent=old.id) as session:
        for n in range(40):
            if n % 5:
                session.remove(f"m{n:03d}")
        new = commit(session, expires_at=EXPIRES + timedelta(days=99))

    def maintained(where: MemoryStorage, days: int = 0) -> MaintenanceReport:
        opened = Repository.open(where, wrapper, tuning=tuning)
        report = opened.maintain(EXPIRES + timedelta(days=days), grace=timedelta(0))
        assert report.good
        assert opened.verify("box", new.id, 2).good
        return report

    reports = [maintained(storage) for _ in range(3)]
    assert [(report.rewritten > 0, report.deleted) for report in reports] == [(True, 0), (False, 0), (False, 0)]
    assert f"snapshots/box/{old.id}" in reports[-1].locked
    admin = MemoryStorage()
    admin.objects = storage.objects
    for _ in range(2):
        cleared = maintained(admin, days=8)  # older than the session that rewrote, and could not say that it had ended
    assert (cleared.waste.total, cleared.stored_bytes < reports[-1].stored_bytes / 3) == (0, True)
    assert list(admin.list("sessions/")) == []


def test_the_engines_own_suites_pass_where_nothing_can_be_deleted() -> None:
    run_suites("append-only-memory", SUITES)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("suite", SUITES)
def test_the_engines_own_suites_pass_there(suite: str) -> None:
    run_suites("append-only", [suite])


def run_suites(storage: str, suites: Sequence[str]) -> None:
    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "backup_engine.testing.append_only", "--storage", storage,
        "-p", "no:cacheprovider", "-n", "0", "-m", "not soak", "--timeout", "900",
        *(str(HERE / f"test_{suite}.py") for suite in suites),
        "-k", " and ".join(f"not {name}" for name in EXCEPT),
    ]  # fmt: skip
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-4000:]
