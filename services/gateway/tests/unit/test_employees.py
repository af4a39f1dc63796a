"""Employees over the API: updates that take long, what an export holds, and what HR may and may not."""

from typing import Any

import pytest

from contracts.employee_changes import REFUSALS, Refusal, refused
from contracts.employees import Activity

PROFILE, LOCAL = "/tenants/contoso/employees/e1/profile", "/tenants/contoso/employees/e1/local-fields"


async def test_an_update_is_waited_for_under_one_request(gateway: Any) -> None:
    gateway.world.updates_finish_after = 3
    answer = await gateway.clock.run(gateway.call("PATCH", PROFILE, json={"city": "Bonn"}))
    assert (answer.status_code, answer.json()["finished"]) == (200, True)
    asked = gateway.world.of("employee.change-profile")
    assert len(asked) == 4
    assert {one.question.request for one in asked} == {answer.headers["x-request-id"]}
    assert asked[0].question.change.city == "Bonn"
    assert asked[0].question.change.country is None


async def test_an_update_that_takes_longer_is_told_as_such_and_found_again_under_its_key(gateway: Any) -> None:
    gateway.world.updates_finish_after = 10_000
    first = await gateway.clock.run(gateway.call("PATCH", PROFILE, json={"city": "Bonn"}, idempotency_key="k1"))
    assert (first.status_code, first.json()["finished"]) == (202, False)
    gateway.world.updates_finish_after = 0
    again = await gateway.clock.run(gateway.call("PATCH", PROFILE, json={"city": "Bonn"}, idempotency_key="k1"))
    assert (again.status_code, again.json()["finished"]) == (200, True)
    assert len({one.question.request for one in gateway.world.of("employee.change-profile")}) == 1


@pytest.mark.parametrize("refusal", list(Refusal))
async def test_every_cause_reaches_who_asked(gateway: Any, refusal: Refusal) -> None:
    gateway.world.fail_with["employee.change-profile"] = refused(refusal)
    answer = await gateway.call("PATCH", PROFILE, json={"city": "Bonn"})
    assert answer.status_code == REFUSALS[refusal].status
    problem = answer.json()
    assert problem["code"] == refusal.value.replace("_", "-")
    assert (problem["title"], REFUSALS[refusal].remedy.en in problem["detail"]) == (REFUSALS[refusal].cause.en, True)


async def test_an_export_holds_the_record_and_every_entry(gateway: Any) -> None:
    one = gateway.world.activity[0]
    gateway.world.activity = tuple(Activity(**{**one.model_dump(), "id": f"a{n}"}) for n in range(5))
    answer = await gateway.call("POST", "/tenants/contoso/employees/e1/export")
    assert answer.json()["employee"]["id"] == gateway.world.employee.id
    assert [entry["id"] for entry in answer.json()["activity"]] == ["a0", "a1", "a2", "a3", "a4"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (LOCAL, {"city": "Bonn"}),
        (LOCAL, {"exit_date": "31.12.2026"}),
        (PROFILE, {"employee_type": "freelancer"}),
        (PROFILE, {"city": "x" * 129}),
    ],
)
async def test_a_field_of_the_other_kind_and_a_value_out_of_bounds_are_refused(
    gateway: Any, path: str, body: dict[str, Any]
) -> None:
    assert (await gateway.call("PATCH", path, json=body)).status_code == 422
    assert not gateway.world.of("employee.change-profile")


@pytest.mark.parametrize("body", [{"kind": "users"}, {"kind": "full", "users": ["e1"]}])
async def test_users_and_kind_users_go_together(gateway: Any, body: dict[str, Any]) -> None:
    assert (await gateway.call("POST", "/tenants/contoso/sync/runs", json=body)).status_code == 422


async def test_a_sync_is_started_once_per_key(gateway: Any) -> None:
    for _ in range(2):
        answer = await gateway.call("POST", "/tenants/contoso/sync/runs", json={"kind": "full"}, idempotency_key="k")
        assert answer.headers["location"].startswith("/api/v1/tenants/contoso/sync/runs/")
    assert len({one.question.request for one in gateway.world.of("sync.start")}) == 1
