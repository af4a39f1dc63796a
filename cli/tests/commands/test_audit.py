"""`tenantkeep audit`: who changed what, and that somebody who changes the answer is found out."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from contracts.audit_chain import GENESIS, AuditHead, AuditRecord, AuditSeal, linked
from contracts.problem import unavailable


@pytest.fixture
def audited(signed_in: Any) -> Any:
    """Five changes, the first three of them sealed."""
    head = AuditHead(tenant="contoso", length=0, hash=GENESIS)
    for number, actor in enumerate(["anna", "ben", "anna", "source:crm", "ben"], start=1):
        action = "legal-hold.place" if actor == "ben" else "configuration.change"
        facts = {
            "tenant": "contoso", "event": f"e{number}", "at": f"2026-03-02T08:0{number}:00.000000+00:00",
            "action": action, "object": "nightly", "actor": actor, "roles": ["admin"], "request": f"r{number}",
            "before": {"name": "Käse"}, "after": {"name": f"Käse {number}"},
        }  # fmt: skip
        record = linked(facts, head)
        signed_in.audit.append(AuditRecord.model_validate(record))
        head = AuditHead(tenant="contoso", length=number, hash=record["hash"])
    third = signed_in.audit[2]
    seal = AuditSeal(tenant="contoso", length=3, hash=third.hash, target="t1", sealed_on=date(2026, 3, 3))
    signed_in.seals = [seal]
    return signed_in


def test_changes_are_listed_newest_first_and_by_person_or_action(audited: Any, tenantkeep: Any) -> None:
    listed = tenantkeep("audit", "list").output
    assert listed.index("source:crm") < listed.index("anna")
    assert "name: Käse → Käse 4" in listed
    mine = json.loads(tenantkeep("audit", "list", "--actor", "anna", "--json").output)["items"]
    assert [record["number"] for record in mine] == [3, 1]
    holds = json.loads(tenantkeep("audit", "list", "--action", "legal-hold", "--limit", "1", "--json").output)["items"]
    assert [record["number"] for record in holds] == [5]


def test_a_chain_that_nobody_touched_is_whole(audited: Any, tenantkeep: Any) -> None:
    done = tenantkeep("audit", "verify")
    assert (done.exit_code, done.output) == (
        0,
        "The audit is whole: 5 records, sealed in the repositories up to record 3.\n",
    )


def test_without_a_seal_the_answer_is_unknown(audited: Any, tenantkeep: Any) -> None:
    audited.seals = []
    done = tenantkeep("audit", "verify", "--lang", "de")
    assert (done.exit_code, done.output.startswith("Unbekannt:")) == (3, True)


def test_a_record_that_was_changed_is_named(audited: Any, tenantkeep: Any) -> None:
    audited.audit[1] = audited.audit[1].model_copy(update={"actor": "nobody"})
    done = tenantkeep("audit", "verify")
    assert done.exit_code == 1
    assert "2–2" in done.output
    assert "altered" in done.output
    told = json.loads(tenantkeep("audit", "verify", "--json").output)
    assert (told["verdict"], told["faults"]) == ("tampered", [{"kind": "altered", "first": 2, "last": 2}])


def test_an_export_is_checked_without_a_server(audited: Any, tenantkeep: Any, tmp_path: Path) -> None:
    written = tenantkeep("audit", "export", "--out", "audit.jsonl")
    assert (written.exit_code, written.output) == (0, "audit.jsonl: 5 records, 1 seals.\n")
    file = tmp_path / "audit.jsonl"
    nowhere = {"TENANTKEEP_HOME": str(tmp_path / "nowhere")}
    assert tenantkeep("audit", "verify", "--file", "audit.jsonl", **nowhere).exit_code == 0
    lines = file.read_text(encoding="utf-8").splitlines()
    file.write_text("\n".join([*lines[:2], *lines[3:]]) + "\n", encoding="utf-8")
    done = tenantkeep("audit", "verify", "--file", "audit.jsonl", **nowhere)
    assert (done.exit_code, "removed" in done.output, "2–2" in done.output) == (1, True, True)


def test_an_export_that_exists_stays_when_the_gateway_fails_meanwhile(
    audited: Any, tenantkeep: Any, tmp_path: Path
) -> None:
    (tmp_path / "audit.jsonl").write_text("before", encoding="utf-8")
    audited.problem = unavailable("monitor-service does not answer").problem
    assert tenantkeep("audit", "export", "--out", "audit.jsonl").exit_code == 1
    assert [path.name for path in tmp_path.glob("audit*")] == ["audit.jsonl"]
    assert (tmp_path / "audit.jsonl").read_text(encoding="utf-8") == "before"


@pytest.mark.parametrize("text", ["", "not JSON\n", "[]\n", '{"record": 1}\n', '{"seal": {}}\n'])
def test_what_is_no_export_is_said_so_and_never_whole(tenantkeep: Any, tmp_path: Path, text: str) -> None:
    (tmp_path / "other.jsonl").write_text(text, encoding="utf-8")
    done = tenantkeep("audit", "verify", "--file", "other.jsonl")
    assert done.exit_code == 1
    assert "is no export of the audit" in done.stderr
