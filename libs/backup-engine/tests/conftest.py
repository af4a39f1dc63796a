import base64
import importlib.util
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

from backup_engine import Repository, Session, Snapshot, Tuning
from backup_engine.storage import MemoryStorage
from backup_engine.testing import append_only
from backup_engine.testing.append_only import AppendOnlyAccount, AppendOnlyMemory
from backup_engine.testing.keys import LocalKeyWrapper
from backup_engine.testing.openssh import OpenSSHServer
from backup_engine.testing.seaweed import SeaweedServer
from backup_engine.testing.sftp_server import SFTPTestServer

TAKEN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EXPIRES = datetime(2026, 4, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedServer]:
    with SeaweedServer(tmp_path_factory.mktemp("seaweed")) as server:
        yield server


@pytest.fixture(scope="session")
def sftp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SFTPTestServer]:
    with SFTPTestServer(tmp_path_factory.mktemp("sftp")) as server:
        yield server


@pytest.fixture(scope="session")
def openssh() -> Iterator[OpenSSHServer]:
    with OpenSSHServer() as server:
        yield server


@pytest.fixture(scope="session")
def independent_reader() -> ModuleType:
    """A reader of the format that shares no code with the engine."""
    path = Path(__file__).parent / "vectors" / "reader.py"
    spec = importlib.util.spec_from_file_location("specification_reader", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert not any(name.startswith("backup_engine") for name in vars(module))
    return module


@pytest.fixture
def wrapper() -> LocalKeyWrapper:
    return LocalKeyWrapper()


@pytest.fixture
def memory(request: pytest.FixtureRequest) -> Iterator[MemoryStorage | AppendOnlyAccount]:
    kind = request.config.getoption(append_only.OPTION, "memory")
    if kind != "append-only":
        yield MemoryStorage() if kind == "memory" else AppendOnlyMemory()
        return
    account = AppendOnlyAccount(request.getfixturevalue("openssh").address, f"{abs(hash(request.node.nodeid)):x}")
    yield account
    account.close()


@pytest.fixture(scope="session")
def tuning() -> Tuning:
    """Small enough that a few mails fill packs; no threads, so that order is fixed."""
    return Tuning(pack_size=64 << 10, compressors=0, uploaders=0, batch=16 << 10)


@pytest.fixture
def repository(memory: MemoryStorage, wrapper: LocalKeyWrapper, tuning: Tuning) -> Repository:
    return Repository.create(memory, wrapper, tenant="contoso", tuning=tuning)


@pytest.fixture
def reopened(memory: MemoryStorage, wrapper: LocalKeyWrapper, tuning: Tuning) -> Callable[[], Repository]:
    """The repository as another process sees it."""
    return lambda: Repository.open(memory, wrapper, tuning=tuning)


@pytest.fixture(scope="session")
def ulid() -> Callable[[int], str]:
    """The n-th session id."""
    return lambda n: f"01ARZ3NDEKTSV4RRFFQ{n:07d}"


@pytest.fixture(scope="session")
def mail() -> Callable[..., bytes]:
    """A mail that differs by number, with an attachment that differs by `attachment`."""

    def make(number: int, attachment: int | None = None, size: int = 9000) -> bytes:
        head = b"From: anna@contoso.example\r\nSubject: mail %d\r\nMIME-Version: 1.0\r\n" % number
        if attachment is None:
            return head + b"\r\nnumber %d\r\n" % number
        data = base64.encodebytes(random.Random(attachment).randbytes(size)).replace(b"\n", b"\r\n")
        return (
            head + b'Content-Type: multipart/mixed; boundary="=_b%d"\r\n\r\n' % number
            + b"--=_b%d\r\nContent-Type: text/plain\r\n\r\nnumber %d\r\n" % (number, number)
            + b"--=_b%d\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" % number
            + data + b"--=_b%d--\r\n" % number
        )  # fmt: skip

    return make


@pytest.fixture(scope="session")
def commit() -> Callable[..., Snapshot]:
    def run(session: Session, cursor: bytes = b"end", **changes: object) -> Snapshot:
        facts = {"listed": 0, "skipped": [], "failed": [], "taken_at": TAKEN, "expires_at": EXPIRES}
        return session.commit(cursor, **{**facts, **changes})

    return run


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    return tmp_path / "objects"
