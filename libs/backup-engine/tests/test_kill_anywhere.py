"""kill -9 of writers and collectors at seeded storage operations, on a real S3 server and over SFTP.

One process imports the engine and forks a child for every job; the child is killed by the kernel while its upload
threads and connections are at work. The next job of the shard takes its session over.
"""

import json
import random
import subprocess
import sys
from dataclasses import asdict
from itertools import count
from typing import Any

import pytest

from backup_engine import Repository
from backup_engine.storage import LocalStorage, ObjectInfo, RetryingStorage, Storage
from backup_engine.testing.keys import LocalKeyWrapper
from backup_engine.testing.seaweed import BUCKET, SeaweedServer
from backup_engine.testing.sftp_server import SFTPTestServer

PACK_OVERHEAD = 500  # bytes of headers and trailer: who goes on begins another pack
ITEMS = 30
ROUNDS = 2  # backups of the shard, each with some new items
WRAPPER = LocalKeyWrapper(bytes(range(32)))
FORKING = """
import base64, json, os, random, signal, sys
from datetime import UTC, datetime, timedelta
from backup_engine import AlreadyCommitted, NewItem, Repository, Tuning
from backup_engine.storage import LocalStorage, RetryingStorage, S3Storage, SFTPStorage
from backup_engine.storage.sftp_connection import SFTPLogin
from backup_engine.testing.keys import LocalKeyWrapper

NOW, DAY = datetime(2026, 6, 1, tzinfo=UTC), timedelta(days=1)

class Killing:
    # Passes everything on; the process is killed at the k-th operation from the start, before or after it.
    def __init__(self, inner, kill, applied):
        self._inner, self._left, self._applied = inner, kill, applied
    def __getattr__(self, name):
        found = getattr(self._inner, name)
        if name not in ("put", "get", "list", "delete"):
            return found
        def operation(*args, **options):
            self._left -= 1
            if self._left == 0 and not self._applied:
                os.kill(os.getpid(), signal.SIGKILL)
            result = found(*args, **options)
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return result
        return operation

def storage(where):
    if where["kind"] == "s3":
        options = {"ca_file": where["ca"], "prefix": where["prefix"]}
        return S3Storage(where["endpoint"], where["bucket"], *where["keys"], **options)
    if where["kind"] == "local":
        return LocalStorage(where["folder"])
    return SFTPStorage(SFTPLogin(**where["login"]), where["folder"])

def say(answer):
    os.write(1, (json.dumps(answer) + "\\n").encode())

def put(session, n):
    text = base64.encodebytes(random.Random(n).randbytes(8000))
    body = b"content-transfer-encoding: base64\\n\\n" + text + b"--%d" % n
    session.put_item(NewItem(f"m{n:03d}", "mail", "1", ""), body)

def write(repository, job):
    parent = next((found.id for found in repository.snapshots("box")), None)
    try:
        session = repository.open_session("box", job["session"], parent=parent, adopt=job["adopt"])
    except AlreadyCommitted as committed:
        return {"snapshot": committed.snapshot_id}
    done = int(session.cursor or 0)
    say({"resumed": done})
    for n in range(done, job["items"]):
        put(session, n)
        if n % 10 == 9:
            session.checkpoint(b"%d" % (n + 1))
    return {"snapshot": commit(session, b"%d" % job["items"], NOW + 90 * DAY).id}

def commit(session, cursor, expires_at):
    return session.commit(cursor, listed=0, skipped=[], failed=[], taken_at=NOW, expires_at=expires_at)

def waste(repository, job):
    with repository.open_session("waste", job["session"], parent=None) as session:
        for n in range(1000 * job["number"], 1000 * job["number"] + 6):
            put(session, n)
        commit(session, b"", NOW - DAY)
    return {}

def collect(repository, job):
    report = repository.maintain(NOW, grace=timedelta(0), session_grace=timedelta(days=100_000))
    return {"blocked": [str(one) for one in report.blocked], "deleted": report.deleted}

def child(where, job):
    opened = Killing(storage(where), job["kill"], job["applied"])
    repository = Repository.open_or_create(RetryingStorage(opened), LocalKeyWrapper(bytes(range(32))), tenant="contoso",
                                           tuning=Tuning(pack_size=10_000, batch=10_000))
    say({"write": write, "waste": waste, "collect": collect}[job["job"]](repository, job))

where = json.loads(sys.argv[1])
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        try:
            child(where, json.loads(line))
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    say({"killed": os.WIFSIGNALED(status), "status": status})
"""


class Nursery:
    """The process that forks the jobs."""

    def __init__(self, where: dict[str, Any]) -> None:
        command = [sys.executable, "-c", FORKING, json.dumps(where)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, **job: object) -> dict[str, Any]:
        """What the job said, and whether it was `killed`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = {}
        for line in self._process.stdout:
            found = json.loads(line)
            if "status" in found:
                assert found["killed"] or found["status"] == 0, "the job failed, see its traceback"
                return {**answer, "killed": found["killed"]}
            answer |= found
        raise AssertionError("the forking process is gone")

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        assert self._process.wait() == 0
        self._process.stdout.close()


class Ward:
    """A shard's backups and the collector, killed again and again."""

    def __init__(self, where: dict[str, Any], storage: Storage, seed: int) -> None:
        self._nursery, self._storage, self._random = Nursery(where), storage, random.Random(seed)
        self._numbers = count(1)
        self._dead: str | None = None  # the session that the next job of the shard takes over
        self._round = 1
        self._writers: list[str] = []
        self._begun = 0  # how many of them wrote for earlier rounds
        self.resumed = 0  # jobs that went on behind a checkpoint
        self._packs: dict[str, int] = {}  # that ever were
        self.kills = {"write": 0, "collect": 0}
        self.snapshot = ""

    def run(self, kills: int) -> None:
        """Until that many jobs were killed and all rounds are committed and cleared up after."""
        while sum(self.kills.values()) < kills:
            plan = {"kill": self._random.randint(1, 60), "applied": self._random.random() < 0.5}
            if self._random.random() < 0.6:
                self.write(**plan)
            else:
                self.waste()
                self.collect(**plan)
        while self._round <= ROUNDS or self._dead is not None:
            self.write()
        self.collect()
        self._nursery.close()

    def write(self, **plan: object) -> None:
        items = ITEMS + 10 * (min(self._round, ROUNDS) - 1)
        behind_checkpoint = self._dead is not None and any("/ckpt-" in info.key for info in self._of_this_round())
        session, answer = self._job("write", adopt=self._dead, items=items, **plan)
        self._writers.append(session)
        if behind_checkpoint and "resumed" in answer:
            assert answer["resumed"] > (0 if self._round == 1 else items - 10), "a checkpoint was passed over"
            self.resumed += 1
        self._dead = session if answer["killed"] else None
        if not answer["killed"]:
            self.snapshot = answer["snapshot"]
            self._round += 1
            self._begun = len(self._writers)

    def _of_this_round(self) -> list[ObjectInfo]:
        return [info for session in self._writers[self._begun :] for info in self._storage.list(f"sessions/{session}/")]

    def waste(self) -> None:
        """A restore point that has expired, for the collector to find."""
        self._job("waste", number=next(self._numbers))

    def collect(self, **plan: object) -> None:
        _, answer = self._job("collect", **plan)
        assert answer["killed"] or answer["blocked"] == []

    def uploaded(self) -> int:
        """Bytes of all packs that the shard's jobs ever stored."""
        return sum(size for name, size in self._packs.items() if name.split("/")[1] in self._writers)

    def _job(self, job: str, **plan: object) -> tuple[str, dict[str, Any]]:
        session = f"01ARZ3NDEKTSV4RRFFQ{next(self._numbers):07d}"
        answer = self._nursery.run(**{"job": job, "session": session, "kill": -1, "applied": False, **plan})
        self._packs |= {info.key: info.size for info in self._storage.list("data/")}
        if answer["killed"]:
            self.kills[job] += 1
        return session, answer


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, int]:
    """Digest of the last restore point and bytes stored, when nobody dies."""
    where = {"kind": "local", "folder": str(tmp_path_factory.mktemp("undisturbed"))}
    ward = Ward(where, LocalStorage(where["folder"]), seed=0)
    ward.run(0)
    repository = Repository.open(LocalStorage(where["folder"]), WRAPPER)
    return repository.content_digest("box", ward.snapshot), ward.uploaded()


def check(where: dict[str, Any], storage: Storage, undisturbed: tuple[str, int], *, seed: int, kills: int) -> int:
    """How many jobs went on behind a checkpoint; each of them was seen to."""
    digest, bytes_stored = undisturbed
    ward = Ward(where, storage, seed)
    ward.run(kills)
    repository = Repository.open(RetryingStorage(storage), WRAPPER)
    assert repository.content_digest("box", ward.snapshot) == digest
    assert all(repository.verify("box", ward.snapshot, level).good for level in (0, 1, 2))
    assert {found.shard for found in repository.snapshots()} == {"box"}
    assert list(storage.list("sessions/")) == []
    # What was stored when somebody died is not stored again: sent again is what was under way, a pack per uploader.
    assert ward.uploaded() <= bytes_stored + ward.kills["write"] * PACK_OVERHEAD
    assert all(ward.kills.values())
    return ward.resumed


def s3(seaweed: SeaweedServer, name: str) -> tuple[dict[str, Any], Storage]:
    access, secret = seaweed.credentials("contoso")
    prefix = f"contoso/{name}"
    where = {
        "kind": "s3", "endpoint": seaweed.endpoint, "bucket": BUCKET, "keys": [access, secret],
        "ca": str(seaweed.ca_file), "prefix": prefix,
    }  # fmt: skip
    return where, seaweed.storage("contoso", prefix)


def over_sftp(sftp: SFTPTestServer, name: str) -> tuple[dict[str, Any], Storage]:
    storage = sftp.address.storage(name)
    return {"kind": "sftp", "login": asdict(sftp.address.login()), "folder": f"{sftp.address.folder}/{name}"}, storage


def test_ten_kills_on_s3(seaweed: SeaweedServer, undisturbed: tuple[str, int]) -> None:
    where, storage = s3(seaweed, "ten-kills")
    assert check(where, storage, undisturbed, seed=3, kills=10) > 0


def test_ten_kills_over_sftp(sftp: SFTPTestServer, undisturbed: tuple[str, int]) -> None:
    where, storage = over_sftp(sftp, "ten-kills")
    assert check(where, storage, undisturbed, seed=3, kills=10) > 0


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(5))
def test_kills_on_s3_at_length(seaweed: SeaweedServer, undisturbed: tuple[str, int], seed: int) -> None:
    where, storage = s3(seaweed, f"kills-{seed}")
    check(where, storage, undisturbed, seed=100 + seed, kills=20)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(5))
def test_kills_over_sftp_at_length(sftp: SFTPTestServer, undisturbed: tuple[str, int], seed: int) -> None:
    where, storage = over_sftp(sftp, f"kills-{seed}")
    check(where, storage, undisturbed, seed=200 + seed, kills=20)
