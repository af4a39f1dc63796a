"""The chain of receipts: it cannot fork, and says so when somebody meddled with it."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from backup_engine import IntegrityError, NewItem, Repository, Snapshot, VerificationReport
from backup_engine.storage import MeasuredStorage, MemoryStorage, Meter
from backup_engine.testing.keys import LocalKeyWrapper

Mail = Callable[..., bytes]
Commit = Callable[..., Snapshot]
Ulid = Callable[[int], str]
NOW = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def snapshot(repository: Repository, mail: Mail, commit: Commit, ulid: Ulid) -> Snapshot:
    with repository.open_session("box", ulid(1), parent=None) as session:
        session.put_item(NewItem("m", "mail", "1", ""), mail(1))
        return commit(session)


def report(level: int = 0) -> VerificationReport:
    return VerificationReport(level, 1, 1, 10, 1, 1, ())


def receipt(n: int) -> str:
    return f"receipts/{n:08d}"


def fill(repository: Repository, snapshot: Snapshot, number: int) -> None:
    for n in range(number):
        repository.checks.attest(snapshot, [report(n % 2)], at=NOW + timedelta(hours=n))


def test_a_receipt_says_what_was_checked_and_follows_the_one_before(repository: Repository, snapshot: Snapshot) -> None:
    reports = [repository.verify("box", snapshot.id, 0), repository.verify("box", snapshot.id, 1)]
    first = repository.checks.attest(snapshot, reports, at=NOW)
    second = repository.checks.attest(snapshot, [report(2)], at=NOW)
    found = list(repository.checks.receipts())
    assert found == [second, first]
    assert first.reports == tuple(reports)
    assert (first.n, first.previous, second.n, second.previous) == (0, None, 1, first.digest)
    assert (first.attestation.shard, first.attestation.snapshot) == ("box", snapshot.id)
    assert (dict(first.latest), dict(second.latest)) == ({0: 0, 1: 0}, {0: 0, 1: 0, 2: 1})


@pytest.mark.parametrize("number", [0, 1, 2, 3, 7, 8, 21])
def test_another_process_finds_the_end_of_the_chain(
    repository: Repository, reopened: Callable[[], Repository], snapshot: Snapshot, number: int
) -> None:
    fill(repository, snapshot, number)
    assert reopened().checks.attest(snapshot, [report()], at=NOW).n == number
    checked = repository.checks.check_receipts()
    assert (checked.good, checked.covered, checked.denominator) == (True, number + 1, number + 1)


def test_writers_side_by_side_make_one_chain(
    memory: MemoryStorage, reopened: Callable[[], Repository], snapshot: Snapshot
) -> None:
    writers = [reopened() for _ in range(4)]
    threads = [threading.Thread(target=fill, args=(writer, snapshot, 10)) for writer in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    checked = writers[0].checks.check_receipts()
    assert (checked.good, checked.denominator) == (True, 40)


def test_an_append_costs_one_request_while_nobody_else_writes(
    repository: Repository, memory: MemoryStorage, wrapper: LocalKeyWrapper, snapshot: Snapshot
) -> None:
    fill(repository, snapshot, 1)
    meter = Meter()
    same = Repository.open(MeasuredStorage(memory, meter), wrapper)
    fill(same, snapshot, 1)
    before = meter.requests
    fill(same, snapshot, 5)
    spent = {name: meter.requests[name] - before.get(name, 0) for name in meter.requests}
    assert {name: number for name, number in spent.items() if number} == {"put": 5}


@pytest.mark.parametrize("n", [0, 3, 6])
def test_a_removed_receipt_is_a_gap(
    repository: Repository, memory: MemoryStorage, reopened: Callable[[], Repository], snapshot: Snapshot, n: int
) -> None:
    fill(repository, snapshot, 8)
    del memory.objects[receipt(n)]
    checked = reopened().checks.check_receipts()
    assert [(p.kind, p.key) for p in checked.problems] == [("missing_receipt", receipt(n))]
    assert (checked.covered, checked.denominator) == (7, 8)
    with pytest.raises(IntegrityError) as caught:
        list(repository.checks.receipts())
    assert caught.value.key == receipt(n)


def test_a_gap_that_a_writer_filled_is_found(
    repository: Repository, memory: MemoryStorage, reopened: Callable[[], Repository], snapshot: Snapshot
) -> None:
    """An attacker removes what he does not like; the next receipt lands in the gap, and its successor denies it."""
    fill(repository, snapshot, 8)
    del memory.objects[receipt(3)]
    fill(reopened(), snapshot, 1)
    checked = reopened().checks.check_receipts()
    assert not checked.good
    assert {p.kind for p in checked.problems} <= {"broken_chain", "missing_receipt"}


def test_a_changed_receipt_is_named_and_the_chain_goes_on_behind_it(
    repository: Repository, memory: MemoryStorage, reopened: Callable[[], Repository], snapshot: Snapshot
) -> None:
    fill(repository, snapshot, 3)
    memory.objects[receipt(2)] = memory.objects[receipt(2)][:-1] + b"?"
    fill(reopened(), snapshot, 2)
    checked = reopened().checks.check_receipts()
    assert [(p.kind, p.key) for p in checked.problems] == [("damaged_receipt", receipt(2))]
    assert checked.denominator == 5


def test_an_older_receipt_put_in_place_of_another_is_found(
    repository: Repository, memory: MemoryStorage, reopened: Callable[[], Repository], snapshot: Snapshot
) -> None:
    fill(repository, snapshot, 3)
    kept = memory.objects[receipt(2)]
    del memory.objects[receipt(2)]
    fill(reopened(), snapshot, 1)  # a new number 2 with other bytes
    fill(reopened(), snapshot, 1)
    memory.objects[receipt(2)] = kept
    assert [p.kind for p in reopened().checks.check_receipts().problems] == ["broken_chain"]


def test_receipts_carry_a_time_zone(repository: Repository, snapshot: Snapshot) -> None:
    with pytest.raises(ValueError, match="time zone"):
        repository.checks.attest(snapshot, [report()], at=datetime(2026, 3, 2))  # noqa: DTZ001 - what is refused
