"""Four workers, four shards, one repository, a collector at work: nobody waits for anybody."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from backup_engine import MaintenanceReport, NewItem, Repository, Snapshot, Tuning
from backup_engine.storage import MeasuredStorage, MemoryStorage, Meter, Storage
from backup_engine.testing.keys import LocalKeyWrapper
from backup_engine.testing.seaweed import SeaweedServer

Mail = Callable[..., bytes]
Ulid = Callable[[int], str]

TUNING = Tuning(pack_size=100_000, batch=20_000, compressors=1, uploaders=2)
WRAPPER = LocalKeyWrapper(bytes(range(32)))
NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
WORKERS = range(4)
MAILS = 40


def back_up(storage: Storage, shard: str, ids: list[str], bodies: list[bytes], expires_at: datetime) -> dict[str, int]:
    """Two generations by a process of its own; the requests it took."""
    meter = Meter()
    repository = Repository.open(MeasuredStorage(storage, meter), WRAPPER, tuning=TUNING)
    parent: Snapshot | None = None
    for ident in ids:
        with repository.open_session(shard, ident, parent=parent and parent.id) as session:
            for n, body in enumerate(bodies):
                if session.known(f"m{n:03d}") is None:
                    session.put_item(NewItem(f"m{n:03d}", "mail", "1", ""), body)
                if n % 10 == 9 and parent is None:
                    session.checkpoint(b"%d" % n)
            parent = session.commit(
                b"end", listed=0, skipped=[], failed=[], taken_at=NOW, expires_at=expires_at
            )  # fmt: skip
    return meter.requests


class Collector:
    """Collects again and again until the workers are done, with something to take away from the start."""

    def __init__(self, storage: Storage) -> None:
        self._repository = Repository.open(storage, WRAPPER, tuning=TUNING)
        self._done = threading.Event()
        self.reports: list[MaintenanceReport] = []

    def run(self) -> None:
        while not self._done.is_set() or not self.reports:
            self.reports.append(self._repository.maintain(NOW, grace=timedelta(0), session_grace=10_000 * DAY))

    def stop(self) -> None:
        self._done.set()


def check(serial: Storage, parallel: Storage, mail: Mail, ulid: Ulid) -> None:
    bodies = {w: [mail(100 * w + n, attachment=100 * w + n) for n in range(MAILS)] for w in WORKERS}
    ids = {w: [ulid(10 * w + 1), ulid(10 * w + 2)] for w in WORKERS}
    later = NOW + 100 * DAY
    for storage in (serial, parallel):
        Repository.create(storage, WRAPPER, tenant="contoso", tuning=TUNING)
        back_up(storage, "old", [ulid(90)], [mail(900 + n, attachment=900 + n) for n in range(MAILS)], NOW - DAY)
    alone = [back_up(serial, f"box{w}", ids[w], bodies[w], later) for w in WORKERS]
    collector = Collector(parallel)
    with ThreadPoolExecutor(len(WORKERS) + 1) as pool:
        collecting = pool.submit(collector.run)
        together = list(pool.map(lambda w: back_up(parallel, f"box{w}", ids[w], bodies[w], later), WORKERS))
        collector.stop()
        collecting.result()
    assert all(report.good for report in collector.reports)
    assert sum(report.deleted for report in collector.reports) > 0
    one, other = (Repository.open(storage, WRAPPER, tuning=TUNING) for storage in (serial, parallel))
    for w in WORKERS:
        found = other.snapshots(f"box{w}")
        assert [snapshot.id for snapshot in found] == ids[w][::-1]
        for snapshot in found:
            assert other.content_digest(f"box{w}", snapshot.id) == one.content_digest(f"box{w}", snapshot.id)
            assert all(other.verify(f"box{w}", snapshot.id, level).good for level in (0, 1, 2))
    assert other.snapshots("old") == []
    for before, now in zip(alone, together, strict=True):
        # Nobody asks for a lock or asks again: what is written is what a worker on its own writes.
        assert now["put"] == before["put"]
        assert now["delete"] <= before["delete"]  # the collector may clear up after a commit first
        # An index that was merged meanwhile is listed and read once more.
        assert now["list"] <= before["list"] + len(collector.reports)
        assert now["get"] <= before["get"] + 20 + 2 * len(collector.reports)


def test_four_workers_and_a_collector_wait_for_nobody(mail: Mail, ulid: Ulid) -> None:
    check(MemoryStorage(), MemoryStorage(), mail, ulid)


@pytest.mark.soak
def test_four_workers_and_a_collector_on_a_real_s3_server(seaweed: SeaweedServer, mail: Mail, ulid: Ulid) -> None:
    serial, parallel = (seaweed.storage("contoso", f"contoso/side-{name}") for name in ("serial", "parallel"))
    check(serial, parallel, mail, ulid)
    serial.close()
    parallel.close()
