"""kill -9 of a real process with threads and files, at seeded moments of its backup."""

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from backup_engine import Repository
from backup_engine.pack import open_trailer
from backup_engine.storage import LocalStorage
from backup_engine.testing.keys import LocalKeyWrapper

KEY = bytes(range(32))
ITEMS = 60
# The worker prints a line per item and checkpoint, so that the killer can wait for a moment instead of a time.
WORKER = """
import base64, random, sys
from datetime import UTC, datetime
from pathlib import Path
from backup_engine import AlreadyCommitted, NewItem, Repository, Tuning
from backup_engine.storage import LocalStorage
from backup_engine.testing.keys import LocalKeyWrapper

folder, session_id, dead, shard = sys.argv[1:]
tuning = Tuning(pack_size=60_000, batch=10_000)
storage, wrapper = LocalStorage(Path(folder)), LocalKeyWrapper(bytes(range(32)))
repository = Repository.open_or_create(storage, wrapper, tenant="contoso", tuning=tuning)
try:
    session = repository.open_session(shard, session_id, parent=None, adopt=dead or None)
except AlreadyCommitted as committed:
    print("committed", committed.snapshot_id)
    sys.exit()
print("resumed", int(session.cursor or 0), flush=True)
for n in range(int(session.cursor or 0), 60):
    text = base64.encodebytes(random.Random(n % 45).randbytes(8000))
    body = b"content-transfer-encoding: base64\\n\\n" + text + b"--%d" % n
    session.put_item(NewItem(f"m{n:02d}", "mail", "1", ""), body)
    print("item", n, flush=True)
    if n % 10 == 9:
        session.checkpoint(b"%d" % (n + 1))
        print("checkpoint", n, flush=True)
now = datetime.now(UTC)
snapshot = session.commit(b"60", listed=60, skipped=[], failed=[], expires_at=now, taken_at=now)
print("committed", snapshot.id, flush=True)
"""


def backup(folder: Path, session: str, dead: str, kill_at: str, shard: str = "box") -> str | None:
    """Run one worker; kill it as soon as it says `kill_at`. The snapshot's id when it committed."""
    command = [sys.executable, "-c", WORKER, str(folder), session, dead, shard]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        for line in worker.stdout:
            if line.strip() == kill_at:
                worker.send_signal(signal.SIGKILL)
                break
            if line.startswith("committed"):
                return line.split()[1]
        assert worker.wait() == -signal.SIGKILL
    return None


def reopened(folder: Path) -> Repository:
    return Repository.open(LocalStorage(folder), LocalKeyWrapper(KEY))


def stored(folder: Path) -> Counter[bytes]:
    ring = reopened(folder)._backing.ring
    storage = LocalStorage(folder)
    return Counter(
        entry.id
        for info in storage.list("data/")
        for entry in open_trailer(ring, info.key, info.size, storage.get(info.key)).blobs
    )


def test_five_kills_change_nothing_and_double_nothing(
    scratch: Path, tmp_path: Path, ulid: Callable[[int], str]
) -> None:
    undisturbed = tmp_path / "undisturbed"
    whole = backup(undisturbed, ulid(1), "", "never")
    assert whole is not None
    dead = ""
    for n, moment in enumerate(["item 4", "item 16", "checkpoint 29", "item 47", "checkpoint 59"], start=1):
        assert backup(scratch, ulid(n), dead, moment) is None
        dead = ulid(n)
    snapshot = backup(scratch, ulid(9), dead, "never")
    assert snapshot is not None
    one, other = reopened(undisturbed), reopened(scratch)
    assert other.content_digest("box", snapshot) == one.content_digest("box", whole)
    assert all(other.verify("box", snapshot, level).good for level in (0, 1, 2))
    assert set(stored(scratch).values()) == {1}
    assert len(stored(scratch)) == len(stored(undisturbed))


def test_a_finished_backup_is_found_by_the_one_who_takes_over(scratch: Path, ulid: Callable[[int], str]) -> None:
    first = backup(scratch, ulid(1), "", "never")
    assert backup(scratch, ulid(2), ulid(1), "never") == first == ulid(1)
    assert len(reopened(scratch).snapshots("box")) == 1


def test_processes_side_by_side_need_no_lock(scratch: Path, tmp_path: Path, ulid: Callable[[int], str]) -> None:
    """Two workers create and fill one repository at the same time; each one's restore point is whole."""
    alone = tmp_path / "alone"
    whole = backup(alone, ulid(1), "", "never")
    assert whole is not None
    with ThreadPoolExecutor(2) as pool:
        ids = list(pool.map(lambda n: backup(scratch, ulid(n), "", "never", f"box{n}"), (1, 2)))
    repository = reopened(scratch)
    for n, snapshot in enumerate(ids, start=1):
        assert snapshot is not None
        assert repository.content_digest(f"box{n}", snapshot) == reopened(alone).content_digest("box", whole)
        assert all(repository.verify(f"box{n}", snapshot, level).good for level in (0, 1, 2))
