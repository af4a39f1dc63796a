"""A chain that was tampered with is found out, and the place is named: whatever is done to whichever record."""

import copy
import hashlib
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.audit_chain import GENESIS, AuditHead, AuditRecord, Fault, FaultKind, check, digest, linked

Chain = list[dict[str, Any]]


def chain(length: int, tenant: str = "contoso") -> Chain:
    head, made = AuditHead(tenant=tenant, length=0, hash=GENESIS), []
    for number in range(length):
        facts = {
            "tenant": tenant, "event": f"e{number}", "at": f"2026-03-02T08:00:00.{number:06d}+00:00",
            "action": "configuration.change", "object": "nightly", "actor": "anna", "roles": ["admin"],
            "request": f"r{number}", "before": {"name": "Käse"}, "after": {"name": str(number)},
        }  # fmt: skip
        made.append(linked(facts, head))
        head = AuditHead(tenant=tenant, length=made[-1]["number"], hash=made[-1]["hash"])
    return made


def seal(records: Chain, length: int) -> AuditHead:
    return AuditHead(tenant="contoso", length=length, hash=records[length - 1]["hash"])


def rehashed(records: Chain, since: int) -> Chain:
    """All records from `since` on linked and hashed anew, as somebody with the whole database could."""
    made = copy.deepcopy(records)
    for place in range(since, len(made)):
        made[place]["number"] = place + 1
        made[place]["previous"] = made[place - 1]["hash"] if place else GENESIS
        made[place]["hash"] = digest(made[place])
    return made


def test_a_chain_that_nobody_touched_is_whole_as_far_as_it_was_sealed() -> None:
    records = chain(5)
    found = check("contoso", records, [seal(records, 2), seal(records, 4)])
    assert (found.whole, found.records, found.sealed, found.faults) == (True, 5, 4, ())
    assert found.head == records[-1]["hash"]


def test_without_a_seal_nobody_knows_whether_it_was_made_anew() -> None:
    assert check("contoso", chain(3), []).whole is None
    assert check("contoso", [], []).whole is True


def test_a_record_is_hashed_as_it_is_written_down() -> None:
    (record,) = chain(1)
    assert AuditRecord.model_validate(record).model_dump(mode="json") == record
    said = {name: value for name, value in record.items() if name != "hash"}
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert record["hash"] == hashlib.sha256(text.encode("utf-8")).hexdigest()


@settings(deadline=None, max_examples=60)
@given(length=st.integers(3, 30), data=st.data())
def test_whatever_is_done_to_a_record_its_place_is_named(length: int, data: st.DataObject) -> None:
    records = chain(length)
    seals = [seal(records, length), seal(records, max(1, length // 2))]
    place = data.draw(st.integers(0, length - 2))  # 0-based
    number = place + 1
    what = data.draw(st.sampled_from(["alter", "alter-and-hash", "remove", "repeat", "forge", "swap", "cut"]))
    made = copy.deepcopy(records)
    match what:
        case "alter":
            made[place]["actor"] = "nobody"
            expected = Fault(FaultKind.ALTERED, number, number)
        case "alter-and-hash":
            made[place]["actor"] = "nobody"
            made[place]["hash"] = digest(made[place])
            expected = Fault(FaultKind.ALTERED, number, number)
        case "remove":
            del made[place]
            expected = Fault(FaultKind.REMOVED, number, number)
        case "repeat":
            made.insert(data.draw(st.integers(place + 1, length)), copy.deepcopy(made[place]))
            expected = Fault(FaultKind.INSERTED, number, number)
        case "forge":
            forged = {**made[place], "actor": "nobody"}
            made.insert(place, {**forged, "hash": digest(forged)})
            expected = Fault(FaultKind.INSERTED, number, number)
        case "swap":
            made[place], made[place + 1] = made[place + 1], made[place]
            expected = Fault(FaultKind.REORDERED, number, number)
        case "cut":
            made = made[:number]
            expected = Fault(FaultKind.REMOVED, number + 1, length)
    found = check("contoso", made, seals)
    assert found.whole is False
    assert expected in found.faults
    assert found.faults[0].first == expected.first


@settings(deadline=None, max_examples=30)
@given(length=st.integers(2, 20), data=st.data())
def test_a_chain_made_anew_is_found_by_its_seals_and_between_them(length: int, data: st.DataObject) -> None:
    records = chain(length)
    sealed = sorted(data.draw(st.sets(st.integers(1, length), min_size=1)))
    place = data.draw(st.integers(0, sealed[-1] - 1))
    made = copy.deepcopy(records)
    made[place]["actor"] = "nobody"
    made = rehashed(made, place)
    (fault,) = check("contoso", made, [seal(records, one) for one in sealed]).faults
    assert fault.kind is FaultKind.REWRITTEN
    assert fault.first <= place + 1 <= fault.last
    assert fault.last == next(one for one in sealed if one > place)
    assert check("contoso", made, []).whole is None


def test_a_record_of_another_tenant_belongs_nowhere() -> None:
    records = chain(3)
    other = chain(3, "fabrikam")
    assert check("contoso", [*records, other[0]], [seal(records, 3)]).faults == (Fault(FaultKind.INSERTED, 4, 4),)
    assert check("fabrikam", records, []).whole is False


def test_a_hostile_number_costs_no_memory_and_is_found() -> None:
    records = chain(3)
    far = linked({**{k: v for k, v in records[0].items() if k not in {"number", "previous", "hash"}}}, AuditHead(
        tenant="contoso", length=10**15, hash="0" * 64))  # fmt: skip
    found = check("contoso", [*records, far, {"number": "one", "tenant": "contoso"}], [seal(records, 3)])
    assert found.whole is False
    assert found.faults[0] == Fault(FaultKind.REMOVED, 4, 10**15)
