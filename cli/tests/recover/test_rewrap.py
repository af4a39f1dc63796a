"""`tenantkeep recover rewrap` and `rotate`: a new vault opens what the old one had wrapped, on a real OpenBao."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from backup_engine import NewItem, RecoveryKey, Repository
from backup_engine.errors import KeyUnavailable
from backup_engine.storage import LocalStorage
from backup_engine.testing.keys import LocalKeyWrapper
from chassis.testing.pki import make_server_tls
from chassis.testing.servers import BaoProcess
from tenantkeep.recover.transit import VaultAccess, transit_key

NOW = datetime(2026, 3, 1, tzinfo=UTC)
WRAPS = "\n".join(
    f'path "transit/{what}/tenant-*" {{ capabilities = ["update", "create"] }}'
    for what in ("encrypt", "decrypt", "keys", "datakey/plaintext")
)  # fmt: skip
NOTHING = 'path "kv/data/none" { capabilities = ["read"] }'


class Vault:
    """A new vault in which the tenant has been registered."""

    def __init__(self, bao: BaoProcess, folder: Path, ca_file: Path) -> None:
        self.url = bao.url
        self.ca_file = ca_file
        self.files = {role: folder / f"{role}.secret-id" for role in bao.secret_ids}
        for role, secret in bao.secret_ids.items():
            self.files[role].write_text(secret)

    def access(self, role: str = "wraps") -> VaultAccess:
        return VaultAccess(self.url, role, self.files[role], self.ca_file)

    def options(self, role: str = "wraps") -> tuple[str, ...]:
        return "--vault", self.url, "--role-id", role, "--secret-id-file", str(self.files[role])


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    folder = tmp_path_factory.mktemp("vault")
    tls = make_server_tls(folder)
    with BaoProcess(folder / "bao", tls, policies={"wraps": WRAPS, "stranger": NOTHING}) as bao:
        found = Vault(bao, folder, tls.ca_file)
        with transit_key(found.access(), "tenant-contoso") as key:
            assert isinstance(key._http, httpx.Client)
            key._http.post("/v1/transit/keys/tenant-contoso", json={"type": "aes256-gcm96"}).raise_for_status()
        yield found


def rewrap(recover: Any, lost: Any, vault: Vault, role: str = "wraps", *more: str, command: str = "rewrap") -> Any:
    options = ("--storage", lost.url, "--key", str(lost.key), "--ca-file", str(vault.ca_file))
    return recover(command, *vault.options(role), *more, options=options)


def test_the_new_vault_opens_every_data_key(recover: Any, lost: Any, vault: Vault, recovery: RecoveryKey) -> None:
    storage = LocalStorage(lost.folder / "contoso")
    done = rewrap(recover, lost, vault, "wraps", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["tenant"], found["transit_key"], len(found["written"])) == ("contoso", "tenant-contoso", 4)
    with transit_key(vault.access(), "tenant-contoso") as wrapper:
        repository = Repository.open(storage, wrapper, tenant="contoso")
        for name, points in lost.points.items():
            for point in points:
                assert repository.verify(f"c1/id-of-{name}", point, level=2).good
    assert Repository.open(storage, recovery, tenant="contoso").tenant == "contoso"


def test_before_it_the_new_vault_opens_nothing(lost: Any, vault: Vault) -> None:
    with transit_key(vault.access(), "tenant-contoso"), pytest.raises(KeyUnavailable):
        Repository.open(LocalStorage(lost.folder / "contoso"), LocalKeyWrapper(), tenant="contoso")


@pytest.mark.parametrize(("role", "more"), [("stranger", ()), ("wraps", ("--transit-key", "elsewhere"))])
def test_a_vault_that_refuses_changes_nothing(
    recover: Any, lost: Any, vault: Vault, role: str, more: tuple[str, ...]
) -> None:
    before = sorted(path.name for path in (lost.folder / "contoso" / "keys").iterdir())
    done = rewrap(recover, lost, vault, role, *more)
    assert done.exit_code == 5, done.output
    assert "register the tenant first" in done.stderr
    assert sorted(path.name for path in (lost.folder / "contoso" / "keys").iterdir()) == before


def test_after_a_rotation_new_packs_have_a_key_that_vault_and_recovery_key_open(
    recover: Any, lost: Any, vault: Vault, recovery: RecoveryKey
) -> None:
    storage = LocalStorage(lost.folder / "contoso")
    assert rewrap(recover, lost, vault).exit_code == 0
    before = {info.key for info in storage.list("data/")}
    done = rewrap(recover, lost, vault, "wraps", "--json", command="rotate")
    assert done.exit_code == 0, done.output
    drawn = json.loads(done.stdout)["data_key"]
    assert f"keys/{drawn}" in {info.key for info in storage.list("keys/")}
    with transit_key(vault.access(), "tenant-contoso") as wrapper:
        repository = Repository.open(storage, wrapper, tenant="contoso")
        with repository.open_session("c1/new", "01ARZ3NDEKTSV4RRFFQ9999999", parent=None) as session:
            session.put_item(NewItem("m1", "mail", "1", ""), b"written under the new key")
            facts = {"listed": 1, "skipped": [], "failed": [], "taken_at": NOW, "expires_at": NOW + timedelta(days=1)}
            point = session.commit(b"", **facts)
    (pack,) = {info.key for info in storage.list("data/")} - before
    assert int.from_bytes(storage.get(pack)[16:20], "big") == drawn
    opened = Repository.open(storage, recovery, tenant="contoso")
    assert opened.verify("c1/new", point.id, level=2).good
    assert all(opened.verify(f"c1/id-of-{name}", p, level=2).good for name, ps in lost.points.items() for p in ps)


def test_a_vault_that_does_not_open_the_data_keys_draws_none(recover: Any, lost: Any, vault: Vault) -> None:
    """The services could not open what is written under a key of another vault."""
    before = sorted(path.name for path in (lost.folder / "contoso" / "keys").iterdir())
    done = rewrap(recover, lost, vault, command="rotate")
    assert done.exit_code == 5, done.output
    assert sorted(path.name for path in (lost.folder / "contoso" / "keys").iterdir()) == before
