"""What only SFTP has: logins, host keys, connections that end, disks that fill, accounts that may not everything."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncssh
import pytest

from backup_engine import (
    AlreadyExists,
    NotFound,
    ObjectLocked,
    StorageDenied,
    StorageFull,
    StorageUnreachable,
)
from backup_engine.storage import RetryingStorage, SFTPStorage, Storage
from backup_engine.testing.openssh import OpenSSHServer
from backup_engine.testing.sftp import ADMIN, APPEND_ONLY, READ_ONLY, KeyPair, SFTPAddress
from backup_engine.testing.sftp_server import SFTPTestServer
from backup_engine.testing.small_disk import SmallDisk

Server = SFTPTestServer | OpenSSHServer


@pytest.fixture(params=["sftp", "openssh"])
def server(request: pytest.FixtureRequest) -> Server:
    return request.getfixturevalue(request.param)


@pytest.fixture
def own(request: pytest.FixtureRequest) -> str:
    return f"{abs(hash(request.node.nodeid)):x}"


@pytest.fixture
def opened() -> Iterator[Callable[..., SFTPStorage]]:
    """Storages that are closed after the test."""
    kept: list[SFTPStorage] = []

    def open_(address: SFTPAddress, name: str, account: str = ADMIN) -> SFTPStorage:
        kept.append(address.storage(name, account))
        return kept[-1]

    yield open_
    for storage in kept:
        storage.close()


def refused(login: object, kind: type[Exception], words: str) -> None:
    storage = SFTPStorage(login, "/objects")  # type: ignore[arg-type]
    try:
        with pytest.raises(kind, match=words) as caught:
            storage.get("k")
        assert "PRIVATE KEY" not in str(caught.value)
    finally:
        storage.close()


def test_a_server_with_another_host_key_is_never_talked_to(server: Server) -> None:
    login = replace(server.address.login(), host_keys=[KeyPair.fresh().public])
    refused(login, StorageDenied, "another host key")


def test_of_several_pinned_host_keys_one_must_fit(server: Server, own: str) -> None:
    server.address.storage(own).close()
    login = replace(server.address.login(), host_keys=[KeyPair.fresh().public, server.address.host_key])
    storage = SFTPStorage(login, f"{server.address.folder}/{own}")
    assert list(storage.list("")) == []
    storage.close()


def test_a_stranger_is_not_let_in(server: Server) -> None:
    login = replace(server.address.login(), private_key=KeyPair.fresh().private)
    refused(login, StorageDenied, "login was refused")


def test_a_password_is_a_login_too(sftp: SFTPTestServer, own: str) -> None:
    sftp.address.storage(own).close()
    login = replace(sftp.address.login(), private_key=None, password=sftp.password)
    storage = SFTPStorage(login, f"{sftp.address.folder}/{own}")
    storage.put("k", b"1")
    assert storage.get("k") == b"1"
    storage.close()
    refused(replace(login, password="wrong"), StorageDenied, "login was refused")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"private_key": None}, "either a private key or a password"),
        ({"password": "and"}, "either a private key or a password"),
        ({"host_keys": []}, "host key is known"),
        ({"host_keys": ["ssh-ed25519 rubbish"]}, "not a host key"),
        ({"private_key": "-----BEGIN PRIVATE KEY-----\nrubbish"}, "private key cannot be read"),
    ],
)
def test_a_login_that_cannot_be_right_is_refused_at_once(
    sftp: SFTPTestServer, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(StorageDenied, match=words) as caught:
        SFTPStorage(replace(sftp.address.login(), **changes), "/objects")
    assert "rubbish" not in str(caught.value).partition(":")[0]


def test_a_login_shows_no_secret(sftp: SFTPTestServer) -> None:
    login = replace(sftp.address.login(), passphrase="hidden")
    assert "PRIVATE" not in repr(login)
    assert "hidden" not in repr(login)


def test_a_server_that_is_not_there_is_worth_another_try(sftp: SFTPTestServer) -> None:
    refused(replace(sftp.address.login(), port=9), StorageUnreachable, "127.0.0.1:9")


def test_folders_are_only_made_by_whoever_prepares(server: Server, own: str) -> None:
    folder = f"{server.address.folder}/{own}"
    storage = SFTPStorage(server.address.login(APPEND_ONLY), folder)
    with pytest.raises(StorageDenied, match="not prepared"):
        storage.put("k", b"1")
    with pytest.raises(StorageDenied):
        storage.prepare()
    server.address.storage(own).close()
    storage.put("k", b"1")
    storage.prepare()
    assert storage.get("k") == b"1"
    storage.close()


def test_a_connection_that_ended_is_made_again(server: Server, own: str, opened: Callable[..., SFTPStorage]) -> None:
    storage = RetryingStorage(opened(server.address, own), wait=lambda _: None)
    storage.put("k", b"1")
    server.end_sessions()
    assert storage.get("k") == b"1"


def test_a_write_cut_in_the_middle_leaves_no_object(
    sftp: SFTPTestServer, own: str, opened: Callable[..., SFTPStorage]
) -> None:
    storage, body = opened(sftp.address, own), bytes(range(256)) * 8192
    sftp.cut_after = len(body) // 2
    with pytest.raises(StorageUnreachable):
        storage.put("data/s/1", body)
    assert sftp.cut_after is None
    assert list(storage.list("")) == []
    storage.put("data/s/1", body)
    assert storage.get("data/s/1") == body


def test_a_server_killed_during_a_write_leaves_no_object(
    openssh: OpenSSHServer, own: str, opened: Callable[..., SFTPStorage]
) -> None:
    storage, body = opened(openssh.address, own), bytes(64 << 20)
    incoming = Path(openssh.address.folder, own, "incoming")
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(storage.put, "data/s/1", body)
        while not writing.done() and not any(path.stat().st_size for path in incoming.iterdir()):
            threading.Event().wait(0.001)
        openssh.end_sessions()
        with pytest.raises(StorageUnreachable):
            writing.result()
    assert list(storage.list("")) == []
    storage.put("data/s/1", b"again")
    assert storage.get("data/s/1") == b"again"


def test_an_answer_lost_with_the_connection_is_settled(
    sftp: SFTPTestServer, own: str, opened: Callable[..., SFTPStorage]
) -> None:
    """Retrying finds the bytes of the first attempt whether or not its rename arrived."""
    inner = opened(sftp.address, own)
    storage = RetryingStorage(inner, wait=lambda _: None)
    sftp.cut_after = 100
    storage.put("k", bytes(1000))
    assert inner.get("k") == bytes(1000)


def fills_up(storage: Storage, body: bytes) -> list[str]:
    """Put until the disk is full; the keys stored before."""
    stored: list[str] = []

    def put_all() -> None:
        for n in range(20):
            storage.put(f"data/s/{n}", body)
            stored.append(f"data/s/{n}")

    with pytest.raises(StorageFull):
        put_all()
    assert [info.key for info in storage.list("data/")] == sorted(stored)
    assert all(storage.get(key) == body for key in stored)
    return stored


def test_a_full_disk_is_told_from_a_broken_one(
    sftp: SFTPTestServer, own: str, opened: Callable[..., SFTPStorage]
) -> None:
    storage = opened(sftp.address, own)
    sftp.room = 1_500_000
    try:
        assert len(fills_up(storage, bytes(600_000))) == 2
    finally:
        sftp.room = None
    storage.put("data/s/2", b"there is room again")


def test_openssh_on_a_full_disk(own: str, opened: Callable[..., SFTPStorage]) -> None:
    body = bytes(range(256)) * 4096
    with SmallDisk() as disk, OpenSSHServer(disk.folder) as server:
        storage = server.address.storage(own)
        try:
            stored = fills_up(storage, body)
            assert stored
            assert list(Path(server.address.folder, own, "incoming").iterdir()) == []
            storage.delete(stored[0])
            storage.put("data/s/again", body)
            assert storage.get("data/s/again") == body
        finally:
            storage.close()


def test_a_read_only_account_reads(server: Server, own: str, opened: Callable[..., SFTPStorage]) -> None:
    opened(server.address, own).put("data/s/1", b"0123")
    storage = opened(server.address, own, READ_ONLY)
    assert storage.get("data/s/1", 1, 2) == b"12"
    assert [info.key for info in storage.list("data/")] == ["data/s/1"]
    with pytest.raises(StorageDenied):
        storage.put("data/s/2", b"1")
    with pytest.raises(ObjectLocked):
        storage.delete("data/s/1")
    assert storage.get("data/s/1") == b"0123"


def test_an_append_only_account_adds_and_reads(server: Server, own: str, opened: Callable[..., SFTPStorage]) -> None:
    storage = opened(server.address, own, APPEND_ONLY)
    for key in ("config", "keys/1", "data/S/000000-ab", "snapshots/box/anna/S", "sessions/S/open", "unheard/of"):
        storage.put(key, key.encode())
        with pytest.raises(AlreadyExists):
            storage.put(key, b"other")
        with pytest.raises(ObjectLocked):
            storage.delete(key)
        assert storage.get(key) == key.encode()
    assert len(list(storage.list(""))) == 6


def test_an_append_only_account_can_change_nothing_by_any_other_way(
    server: Server, own: str, opened: Callable[..., SFTPStorage]
) -> None:
    storage = opened(server.address, own, APPEND_ONLY)
    storage.put("keys/1", b"precious")
    path = f"{server.address.folder}/{own}/keys/1"

    async def attempts() -> None:
        login = server.address.login(APPEND_ONLY)
        async with asyncssh.connect(
            "127.0.0.1", server.address.port, username=login.user, known_hosts=None, config=None,
            client_keys=[asyncssh.import_private_key(str(login.private_key))], agent_path=None,
        ) as connection, connection.start_sftp_client() as client:  # fmt: skip
            tries: list[Callable[[], object]] = [
                lambda: client.open(path, "wb"),
                lambda: client.open(path, "ab"),
                lambda: client.open(path, "r+b"),
                lambda: client.remove(path),
                lambda: client.truncate(path, 0),
                lambda: client.chmod(path, 0o600),
                lambda: client.utime(path, (0, 0)),
                lambda: client.posix_rename(f"{path}-none", path),
                lambda: client.symlink("/etc/passwd", f"{path}-link"),
                lambda: client.link(path, f"{path}-link"),
                lambda: client.mkdir(f"{server.address.folder}/{own}/new"),
                lambda: client.rmdir(f"{server.address.folder}/{own}/incoming"),
            ]
            for attempt in tries:
                with pytest.raises(asyncssh.SFTPError):
                    await attempt()  # type: ignore[misc]  # all are awaitable

    asyncio.run(attempts())
    assert storage.get("keys/1") == b"precious"
    assert [info.key for info in storage.list("")] == ["keys/1"]


def test_the_server_tells_its_room_and_its_time(server: Server, own: str, opened: Callable[..., SFTPStorage]) -> None:
    storage = opened(server.address, own)
    free = storage.free_space()
    assert free is not None
    assert free > 1 << 20
    for _ in range(2):  # asked, and remembered
        assert abs(storage.clock() - datetime.now(UTC)) < timedelta(seconds=5)
    assert list(storage.list("")) == []


def test_what_was_removed_is_not_found_by_others(server: Server, own: str, opened: Callable[..., SFTPStorage]) -> None:
    one, other = opened(server.address, own), opened(server.address, own)
    one.put("gc/1/condemned", b"1")
    assert other.get("gc/1/condemned") == b"1"
    other.delete("gc/1/condemned")
    with pytest.raises(NotFound):
        one.get("gc/1/condemned")
