import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backup_engine import StorageDenied, StorageFull, StorageUnreachable
from backup_engine.storage import Finding, LockMode, MemoryStorage, ObjectInfo, S3Storage, SFTPStorage, probe
from backup_engine.testing.faulty import FaultyStorage
from backup_engine.testing.openssh import OpenSSHServer
from backup_engine.testing.seaweed import BUCKET, OPERATOR, SeaweedServer
from backup_engine.testing.sftp import APPEND_ONLY, READ_ONLY
from backup_engine.testing.sftp_server import SFTPTestServer


class OverwritingStorage(MemoryStorage):
    def put(self, key: str, body: bytes, *, retain_until: datetime | None = None) -> None:
        self.objects[key] = body


def test_a_store_that_overwrites_is_found_out() -> None:
    storage = OverwritingStorage()
    report = probe(storage)
    assert not report.ok
    failed = [step for step in report.steps if not step.ok]
    assert [step.name for step in failed] == ["overwrite_refused"]
    assert "If-None-Match" in failed[0].error
    assert storage.objects == {}


class Flipping(MemoryStorage):
    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        return super().get(key, offset, length)[::-1]


class Rangeless(MemoryStorage):
    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        return super().get(key)


class Late(MemoryStorage):
    """Listings show what was there some time ago."""

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        return iter(())


class Keeping(MemoryStorage):
    def delete(self, key: str) -> None:
        pass


@pytest.mark.parametrize(
    ("kind", "step", "finding"),
    [
        (Flipping, "read", Finding.OTHER_BYTES),
        (Rangeless, "range_read", Finding.RANGE_IGNORED),
        (Late, "list", Finding.NOT_LISTED),
        (Keeping, "delete", Finding.NOT_DELETED),
    ],
)
def test_a_store_that_breaks_a_promise_is_found_out(kind: type[MemoryStorage], step: str, finding: Finding) -> None:
    failed = [one for one in probe(kind()).steps if not one.ok]
    assert [(one.name, one.finding) for one in failed][:1] == [(step, finding)]


def test_a_full_store_is_told_from_a_refusing_one() -> None:
    with FaultyStorage(MemoryStorage()) as storage:
        storage.plan("put", "probe/", StorageFull("quota exceeded", key="probe/x"))
        (step,) = probe(storage).steps
    assert (step.name, step.finding) == ("write", Finding.FULL)
    assert "raise the quota" in step.error


def test_an_sftp_server_whose_rename_replaces_is_found_out(tmp_path: Path) -> None:
    with SFTPTestServer(tmp_path) as server:
        server.replaces = True
        storage = server.address.storage("replacing")
        failed = [step for step in probe(storage).steps if not step.ok]
        storage.close()
    assert [(step.name, step.finding) for step in failed] == [("overwrite_refused", Finding.OVERWRITES)]


def test_an_sftp_server_that_syncs_nothing_is_said_to_be_the_wrong_one(tmp_path: Path) -> None:
    with SFTPTestServer(tmp_path) as server:
        server.fsync = False
        storage = SFTPStorage(server.address.login(), f"{server.address.folder}/unsynced")
        (step,) = probe(storage).steps
        storage.close()
    assert (step.name, step.finding) == ("folders", Finding.DENIED)
    assert "fsync@openssh.com" in step.error
    assert "folders with an account that may" not in step.error


class Racing(MemoryStorage):
    """Refuses what is there, but not what comes at the same moment."""

    def __init__(self) -> None:
        super().__init__()
        self._together = threading.Barrier(4)

    def put(self, key: str, body: bytes, *, retain_until: datetime | None = None) -> None:
        if key.endswith("-race"):
            self._together.wait(10)
            self.objects[key] = body
        else:
            super().put(key, body, retain_until=retain_until)


def test_a_store_that_lets_two_writers_win_is_found_out() -> None:
    storage = Racing()
    failed = [step for step in probe(storage).steps if not step.ok]
    assert [(step.name, step.finding) for step in failed] == [("overwrite_refused", Finding.OVERWRITES)]
    assert "4 succeeded" in failed[0].error
    assert storage.objects == {}


@pytest.mark.parametrize("mode", list(LockMode))
def test_a_lock_is_proved_on_a_real_store(seaweed: SeaweedServer, mode: LockMode) -> None:
    storage = seaweed.storage("contoso", f"contoso/probe-{mode}", lock=mode)
    assert [(step.name, step.ok) for step in probe(storage).steps][-2:] == [("lock", True), ("clock", True)]
    (left,) = storage.list("")
    kept = storage.retention(left.key).until
    assert kept is not None
    assert timedelta(minutes=10) < kept - datetime.now(UTC) < timedelta(minutes=20)
    storage.close()


def test_governance_mode_is_no_lock_for_credentials_that_may_bypass_it(seaweed: SeaweedServer) -> None:
    storage = seaweed.storage(OPERATOR, "contoso/probe-bypass", lock=LockMode.GOVERNANCE)
    last = probe(storage).steps[-1]
    assert (last.name, last.ok, last.finding) == ("lock", False, Finding.LOCK_SHORTENED)
    storage.close()


def test_a_bucket_without_object_lock_cannot_claim_one(seaweed: SeaweedServer) -> None:
    access_key, secret_key = seaweed.credentials("contoso")
    storage = S3Storage(
        seaweed.endpoint, BUCKET, access_key, secret_key, ca_file=seaweed.ca_file, prefix="contoso/none",
        lock=LockMode.COMPLIANCE,
    )  # fmt: skip
    last = probe(storage).steps[-1]
    assert (last.name, last.ok) == ("lock", False)
    assert last.finding in {Finding.NOT_LOCKABLE, Finding.LOCK_NOT_KEPT}
    storage.close()


class Promising(MemoryStorage):
    """Takes every lock and keeps none."""

    def delete(self, key: str) -> None:
        self.objects.pop(key, None)


class Yielding(MemoryStorage):
    def shorten(self, key: str, retain_until: datetime) -> None:
        pass


@pytest.mark.parametrize(("kind", "finding"), [(Promising, Finding.LOCK_NOT_KEPT), (Yielding, Finding.LOCK_SHORTENED)])
def test_a_lock_in_name_only_is_found_out(kind: type[MemoryStorage], finding: Finding) -> None:
    last = probe(kind(lock=LockMode.COMPLIANCE)).steps[-1]
    assert (last.name, last.ok, last.finding) == ("lock", False, finding)


def test_earlier_locked_probes_go_when_their_time_is_up() -> None:
    hours = [0]

    def now() -> datetime:
        return datetime(2026, 3, 1, hours[0], tzinfo=UTC)

    storage = MemoryStorage(lock=LockMode.GOVERNANCE, clock=now)
    for hour in range(3):
        hours[0] = hour
        assert probe(storage, now=now).ok
    assert len(list(storage.list(""))) == 1


def test_an_append_only_account_passes_and_is_told_so(openssh: OpenSSHServer) -> None:
    storage = openssh.address.storage("probe-append-only", APPEND_ONLY)
    report = probe(storage)
    assert report.ok
    assert {step.name: step.finding for step in report.steps}["delete"] is Finding.APPEND_ONLY
    storage.close()


def test_a_read_only_account_is_told_so(openssh: OpenSSHServer) -> None:
    storage = openssh.address.storage("probe-read-only", READ_ONLY)
    folders, step = probe(storage).steps
    assert folders.ok
    assert (step.name, step.ok, step.finding) == ("write", False, Finding.DENIED)
    storage.close()


def test_folders_that_cannot_be_made_are_asked_for(openssh: OpenSSHServer) -> None:
    storage = SFTPStorage(openssh.address.login(APPEND_ONLY), f"{openssh.address.folder}/probe-unprepared")
    (step,) = probe(storage).steps
    assert (step.name, step.ok, step.finding) == ("folders", False, Finding.NOT_PREPARED)
    storage.close()


def test_little_room_and_clocks_apart_are_told(sftp: SFTPTestServer, seaweed: SeaweedServer) -> None:
    storage = sftp.address.storage("probe-room")
    sftp.room = 5 << 20
    try:
        last = probe(storage).steps[-1]
    finally:
        sftp.room = None
    assert (last.name, last.finding) == ("free_space", Finding.LITTLE_ROOM)
    for one in (storage, seaweed.storage("contoso", "contoso/clock")):
        last = probe(one, now=lambda: datetime.now(UTC) - timedelta(hours=1)).steps[-1]
        assert (last.name, last.finding) == ("clock", Finding.CLOCK_OFF)
        assert "3600" in last.error or "3599" in last.error or "3601" in last.error
        one.close()


@pytest.mark.parametrize(
    ("error", "words"),
    [(StorageDenied("AccessDenied"), "credentials"), (StorageUnreachable("refused"), "address")],
)
def test_the_first_failure_ends_the_test_in_plain_words(memory: MemoryStorage, error: Exception, words: str) -> None:
    with FaultyStorage(memory) as storage:
        storage.plan("put", "probe/", error)
        report = probe(storage)
    assert [(step.name, step.ok) for step in report.steps] == [("write", False)]
    assert words in report.steps[0].error


def test_the_probe_cleans_up_after_a_failed_read(memory: MemoryStorage) -> None:
    with FaultyStorage(memory) as storage:
        storage.plan("get", "probe/", StorageDenied("write only"))
        report = probe(storage)
    assert [(step.name, step.ok) for step in report.steps] == [
        ("write", True),
        ("read", False),
        ("delete", True),
    ]
    assert memory.objects == {}
