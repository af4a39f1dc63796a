"""kill -9 of a real process with threads and files, at seeded moments of its backup."""

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import pytest

from backup_engine import Repository
from backup_engine.pack import open_trailer
from backup_engine.storage import LocalStorage
from backup_engine.testing.append_only import AppendOnlyAccount
from backup_engine.testing.keys import LocalKeyWrapper
from backup_engine.testing.openssh import OpenSSHServer

KEY = bytes(range(32))
ITEMS = 60
# The worker prints a line per item and checkpoint, so that the killer can wait for a moment instead of a time.
WORKER = """
import base64, json, random, sys
from datetime import UTC, datetime
from pathlib import Path
from backup_engine import AlreadyCommitted, NewItem, Repository, Tuning
from backup_engine.storage import LocalStorage, RetryingStorage, SFTPLogin, SFTPStorage
from backup_engine.testing.keys import LocalKeyWrapper

place, session_id, dead, shard = json.loads(sys.argv[1]), *sys.argv[2:]
tuning = Tuning(pack_size=60_000, batch=10_000)
if isinstance(place, str):
    storage = LocalStorage(Path(place))
else:
    storage = RetryingStorage(SFTPStorage(SFTPLogin(**place["login"]), place["folder"]))
wrapper = LocalKeyWrapper(bytes(range(32)))
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


Place = Path | AppendOnlyAccount


def backup(place: Place, session: str, dead: str, kill_at: str, shard: str = "box") -> str | None:
    """Run one worker; kill it as soon as it says `kill_at`. The snapshot's id when it committed."""
    where = str(place) if isinstance(place, Path) else {"login": asdict(place.login), "folder": place.folder}
    command = [sys.executable, "-c", WORKER, json.dumps(where), session, dead, shard]
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


def storage_at(place: Place) -> LocalStorage | AppendOnlyAccount:
    return LocalStorage(place) if isinstance(place, Path) else place


def reopened(place: Place) -> Repository:
    return Repository.open(storage_at(place), LocalKeyWrapper(KEY))


def stored(place: Place) -> Counter[bytes]:
    ring = reopened(place)._backing.ring
    storage = storage_at(place)
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


@pytest.mark.soak
def test_seeded_kills_on_an_append_only_sftp_account(
    openssh: OpenSSHServer, tmp_path: Path, ulid: Callable[[int], str]
) -> None:
    """Five kills for each of four mailboxes, at seeded moments, each adopted by the next."""
    seed = int(os.environ.get("TENANTKEEP_SEED", "20261122"))  # noqa: TID251 - a test reads its own seed
    rng = random.Random(seed)
    whole = backup(tmp_path / "undisturbed", ulid(1), "", "never")
    assert whole is not None
    expected = reopened(tmp_path / "undisturbed").content_digest("box", whole)
    account = AppendOnlyAccount(openssh.address, f"kills-{seed}")
    numbers = iter(range(1, 1000))
    for mailbox in range(4):
        shard, dead, committed = f"box/{mailbox}", "", None
        for kill in range(5):
            session = ulid(next(numbers))
            moment = rng.choice([f"item {rng.randrange(12 * kill, 12 * kill + 12)}", f"checkpoint {10 * kill + 9}"])
            committed = backup(account, session, dead, moment, shard)
            if committed is not None:  # it had got past that moment before
                break
            dead = session
        committed = committed or backup(account, ulid(next(numbers)), dead, "never", shard)
        assert committed is not None
        repository = reopened(account)
        assert repository.content_digest(shard, committed) == expected, f"{shard}, seed {seed}"
        assert repository.verify(shard, committed, 2).good
    assert set(stored(account).values()) == {1}, f"seed {seed}"
    account.close()
