"""Documents of storage targets become storages at the tenant's own place; findings have their words in contracts."""

import pytest

from backup_engine.errors import StorageDenied
from backup_engine.storage import (
    Finding,
    LimitedStorage,
    LockMode,
    MemoryStorage,
    RetryingStorage,
    S3Storage,
    SFTPStorage,
)
from backup_engine.testing.sftp import KeyPair
from backup_service.adapters.storage_targets import storage_of, wrapped
from contracts import names

S3 = {"endpoint": "https://s3.example:9000", "bucket": "backups", "region": "", "prefix": "team/"}
KEYS = {"access_key": "a", "secret_key": "b"}


def test_a_target_of_the_first_release_is_s3_without_lock() -> None:
    storage = storage_of(S3, KEYS, "contoso", None)
    assert isinstance(storage, S3Storage)
    assert storage.lock is None
    assert storage._prefix == "team/contoso/"
    storage.close()


def test_a_lock_that_was_proved_is_used() -> None:
    storage = storage_of({**S3, "kind": "s3", "style": "virtual-host", "lock": "GOVERNANCE"}, KEYS, "contoso", None)
    assert storage.lock is LockMode.GOVERNANCE
    storage.close()


@pytest.mark.parametrize("wrong", [{"prefix": "a/../b"}, {"bucket": "no_bucket"}])
def test_what_cannot_be_right_needs_a_person(wrong: dict[str, str]) -> None:
    with pytest.raises(StorageDenied):
        storage_of({**S3, **wrong}, KEYS, "contoso", None)


def test_an_sftp_target_has_a_folder_per_tenant() -> None:
    where = {
        "kind": "sftp", "endpoint": "sftp://backup.example", "prefix": "/srv/backup/", "user": "u",
        "host_keys": [KeyPair.fresh().public],
    }  # fmt: skip
    storage = storage_of(where, {"private_key": KeyPair.fresh().private}, "contoso", None)
    assert isinstance(storage, SFTPStorage)
    assert storage._folder == "/srv/backup/contoso"
    storage.close()
    with pytest.raises(StorageDenied):
        storage_of({**where, "host_keys": []}, {"password": "p"}, "contoso", None)


def test_a_proxy_and_a_limit_of_the_target_are_used() -> None:
    storage = storage_of({**S3, "proxy": "http://proxy.example:3128"}, KEYS, "contoso", None)
    assert isinstance(storage, S3Storage)
    assert storage._http.proxy is not None
    assert storage._http.proxy.host == "proxy.example"
    storage.close()
    assert isinstance(wrapped(MemoryStorage(), {"rate_limit": None}), RetryingStorage)
    limited = wrapped(MemoryStorage(), {"rate_limit": 100_000})
    assert isinstance(limited, LimitedStorage)
    assert (limited._upload._per_second, limited._download._per_second) == (100_000, 100_000)
    limited.put("k", b"body")
    assert limited.get("k") == b"body"


def test_engine_and_contracts_use_the_same_words() -> None:
    for ours, theirs in ((names.StorageFinding, Finding), (names.LockMode, LockMode)):
        assert {word.value for word in ours} == {word.value for word in theirs}
