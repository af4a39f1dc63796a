"""The register of foreign sources, and the configuration of nats-server that follows from it."""

import json
from pathlib import Path

import nkeys
import pytest
from pydantic import ValidationError

from tenantkeep.stack import bus_accounts, register
from tenantkeep.stack.errors import StackError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sources.json"


def test_a_source_gets_its_seed_once_and_in_a_file_of_its_own(path: Path, tmp_path: Path) -> None:
    added = register.add(path, "crm", ("contoso", "acme", "contoso"), tmp_path / "crm.nk")
    assert added.credentials == tmp_path / "crm.nk"
    assert (tmp_path / "crm.nk").stat().st_mode & 0o777 == 0o600
    pair = nkeys.from_seed((tmp_path / "crm.nk").read_bytes().strip())
    assert bytes(pair.public_key).decode() == added.source.public_key
    assert register.load(path).sources == (added.source,)
    assert added.source.tenants == ("acme", "contoso")
    assert (tmp_path / "crm.nk").read_text().strip() not in path.read_text()


def test_adding_again_changes_the_tenants_and_keeps_the_key(path: Path, tmp_path: Path) -> None:
    first = register.add(path, "crm", ("contoso",), tmp_path / "crm.nk")
    again = register.add(path, "crm", ("fabrikam",), tmp_path / "other.nk")
    assert again.credentials is None
    assert not (tmp_path / "other.nk").exists()
    assert again.source == first.source.model_copy(update={"tenants": ("fabrikam",)})


def test_a_file_that_exists_is_never_overwritten(path: Path, tmp_path: Path) -> None:
    (tmp_path / "crm.nk").write_text("precious")
    with pytest.raises(StackError, match=r"crm\.nk exists already"):
        register.add(path, "crm", ("contoso",), tmp_path / "crm.nk")
    assert (tmp_path / "crm.nk").read_text() == "precious"
    assert register.load(path).sources == ()


@pytest.mark.parametrize("name", ["gateway", "bootstrap", "sync-service", "Crm", "a.b", "a*", ">", "", "x" * 33])
def test_names_that_a_source_cannot_have(path: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(ValidationError):
        register.add(path, name, ("contoso",), tmp_path / "it.nk")
    assert [entry.name for entry in tmp_path.iterdir() if "lock" not in entry.name] == []


def test_removing(path: Path, tmp_path: Path) -> None:
    for name in ("crm", "erp"):
        register.add(path, name, ("contoso",), tmp_path / f"{name}.nk")
    assert register.remove(path, "crm").name == "crm"
    assert [source.name for source in register.load(path).sources] == ["erp"]
    with pytest.raises(StackError, match="There is no foreign source crm") as refused:
        register.remove(path, "crm")
    assert "erp" in refused.value.remedy


def test_a_register_that_cannot_be_read_is_refused(path: Path) -> None:
    path.write_text('{"sources": [{"name": "crm"}]}')
    with pytest.raises(StackError, match="cannot be read as a register"):
        register.load(path)


def test_each_source_has_an_account_with_doors_to_its_own_things(path: Path, tmp_path: Path) -> None:
    for name, tenant in (("crm", "contoso"), ("erp", "fabrikam")):
        register.add(path, name, (tenant,), tmp_path / f"{name}.nk")
    accounts = bus_accounts.foreign(register.load(path))
    assert accounts.keys() == {"M365", "source-crm", "source-erp"}
    assert "users" not in accounts["M365"]
    for name, tenant, other in (("crm", "contoso", "fabrikam"), ("erp", "fabrikam", "contoso")):
        account = accounts[f"source-{name}"]
        exported = {e["service"] for e in accounts["M365"]["exports"] if e["accounts"] == [f"source-{name}"]}
        assert exported == {entry["service"]["subject"] for entry in account["imports"]}
        assert exported == {
            f"m365.ext.v1.{name}.{tenant}.>",
            f"$JS.API.CONSUMER.INFO.M365_EVT.source-{name}",
            f"$JS.API.CONSUMER.MSG.NEXT.M365_EVT.source-{name}",
            f"$JS.ACK.M365_EVT.source-{name}.>",
        }
        assert [entry["to"] for entry in account["imports"]] == account["users"][0]["permissions"]["publish"]["allow"]
        assert account["users"][0]["permissions"]["subscribe"] == {"allow": ["_INBOX.>"]}
        assert other not in json.dumps(account)
