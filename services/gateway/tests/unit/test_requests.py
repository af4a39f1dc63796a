"""Runs and restores: proved first, requested once."""

from typing import Any

import pytest

from contracts.envelope import run_id
from contracts.events import BackupRequested, RestoreRequested, VerifyRequested
from contracts.names import UpkeepKind

RUNS = "/tenants/contoso/backup-configurations/c1/runs"
RESTORES = "/tenants/contoso/restores"
RESTORE = {"restore_point": "p1", "target_user": "restore@contoso.example", "target_folder": "Back"}


async def test_a_backup_request_is_on_the_bus_when_it_is_accepted(gateway: Any) -> None:
    answer = await gateway.call("POST", RUNS)
    run = answer.json()["run"]
    assert (answer.status_code, answer.headers["location"]) == (202, f"/api/v1/tenants/contoso/runs/{run}")
    [stored] = gateway.world.broker.stored
    assert (stored.stream, stored.subject) == ("M365_EXT", "m365.ext.v1.gateway.contoso.backup.requested")
    event = BackupRequested.model_validate_json(stored.body)
    assert (event.tenant, event.configuration, event.at) == ("contoso", "c1", gateway.clock.now())
    assert run == run_id("gateway", stored.envelope().id)


async def test_a_configuration_that_does_not_exist_is_not_requested(gateway: Any) -> None:
    answer = await gateway.call("POST", RUNS.replace("c1", "c2"))
    assert (answer.status_code, answer.json()["title"]) == (404, "Backup configuration not found")
    assert gateway.world.broker.stored == []


async def test_the_same_idempotency_key_leads_to_the_same_run_and_one_message(gateway: Any) -> None:
    runs = []
    for _ in range(3):
        runs.append((await gateway.call("POST", RUNS, Idempotency_Key="monday")).json()["run"])
        await gateway.clock.advance(60)
    assert len(set(runs)) == 1
    assert len(gateway.world.broker.stored) == 1


async def test_without_a_key_or_with_another_one_each_request_is_its_own_run(gateway: Any) -> None:
    answers = [await gateway.call("POST", RUNS, **key) for key in ({}, {}, {"Idempotency_Key": "a"})]
    assert len({answer.json()["run"] for answer in answers}) == 3


async def test_a_key_belongs_to_its_caller_its_address_and_its_body(gateway: Any) -> None:
    """Another request under the same key must not vanish behind the first one."""
    key = {"Idempotency_Key": "same"}
    first = (await gateway.call("POST", RESTORES, json=RESTORE, **key)).json()["run"]
    repeat = (await gateway.call("POST", RESTORES, json=RESTORE, **key)).json()["run"]
    other_user = (await gateway.call("POST", RESTORES, json={**RESTORE, "target_user": "b@x.example"}, **key)).json()
    other_tenant = (await gateway.call("POST", RESTORES.replace("contoso", "fabrikam"), json=RESTORE, **key)).json()
    assert first == repeat
    assert len({first, other_user["run"], other_tenant["run"]}) == 3
    assert len(gateway.world.broker.stored) == 3


async def test_a_malformed_key_is_refused(gateway: Any) -> None:
    for key in ("", "with space", "x" * 129):
        answer = await gateway.call("POST", RUNS, Idempotency_Key=key)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert gateway.world.broker.stored == []


async def test_the_key_names_creations_to_the_services_too(gateway: Any) -> None:
    body = {"name": "Mail", "target": "t1"}
    for _ in range(2):
        await gateway.call("POST", "/tenants/contoso/backup-configurations", json=body, Idempotency_Key="once")
    ids = [asked.caller.request_id for asked in gateway.world.of("configuration.create")]
    assert ids[0] == ids[1]


async def test_a_restore_request_carries_everything(gateway: Any) -> None:
    chosen = {"items": ["AAkA"], "folders": ["AAMk"], "sources": ["mail"]}
    body = {**RESTORE, "place": "folder", "conflict": "replace", "dry_run": True, "selection": chosen}
    answer = await gateway.call("POST", RESTORES, json=body)
    [stored] = gateway.world.broker.stored
    event = RestoreRequested.model_validate_json(stored.body)
    assert event.model_dump(mode="json", include=body.keys()) == body
    assert answer.json()["run"] == run_id("gateway", stored.envelope().id)


@pytest.mark.parametrize(
    "wrong",
    [
        {"place": "original"},  # and yet a folder is named
        {"conflict": "overwrite"},
        {"selection": {"item": ["AAkA"]}},  # ignored, it would restore everything
        {"selection": {"items": ["A"] * 1001}},
        {"selection": {"items": ["A" * 150] * 400}},  # more than a message on the bus can carry
    ],
)
async def test_a_restore_that_says_something_unclear_is_refused(gateway: Any, wrong: dict[str, Any]) -> None:
    answer = await gateway.call("POST", RESTORES, json={**RESTORE, **wrong})
    assert answer.status_code == 422
    assert gateway.world.broker.stored == []


@pytest.mark.parametrize("kind", list(UpkeepKind))
async def test_upkeep_of_a_target_is_requested(gateway: Any, kind: UpkeepKind) -> None:
    body = {"kind": kind.value, "whole": True}
    answer = await gateway.call("POST", "/tenants/contoso/storage-targets/t1/runs", json=body)
    [stored] = gateway.world.broker.stored
    event = VerifyRequested.model_validate_json(stored.body)
    assert (event.target, event.kind, event.whole) == ("t1", kind, True)
    assert answer.json()["run"] == run_id("gateway", stored.envelope().id)
    assert answer.headers["location"] == f"/api/v1/tenants/contoso/runs/{answer.json()['run']}"


@pytest.mark.parametrize(("target", "kind", "status"), [("t2", "verify", 404), ("t1", "backup", 422)])
async def test_upkeep_of_what_there_is_not_is_refused(gateway: Any, target: str, kind: str, status: int) -> None:
    answer = await gateway.call("POST", f"/tenants/contoso/storage-targets/{target}/runs", json={"kind": kind})
    assert answer.status_code == status
    assert gateway.world.broker.stored == []


async def test_a_restore_point_that_does_not_exist_is_not_restored(gateway: Any) -> None:
    answer = await gateway.call("POST", RESTORES, json={**RESTORE, "restore_point": "p2"})
    assert answer.status_code == 404
    assert gateway.world.broker.stored == []


async def test_without_the_bus_nothing_is_accepted(gateway: Any) -> None:
    await gateway.call("GET", "/tenants/contoso")
    gateway.world.broker.reachable = False
    answer = await gateway.call("GET", "/tenants/contoso/runs")
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "unavailable", "5")


async def test_a_request_that_is_not_confirmed_says_how_to_repeat_it(gateway: Any) -> None:
    publish = gateway.world.broker.publish

    async def lost(*_args: Any, **_kwargs: Any) -> None:
        raise TimeoutError

    gateway.world.broker.publish = lost
    answer = await gateway.clock.run(gateway.call("POST", RUNS, Idempotency_Key="k"))
    assert answer.status_code == 503
    assert "Idempotency-Key" in answer.json()["detail"]
    gateway.world.broker.publish = publish
    assert (await gateway.call("POST", RUNS, Idempotency_Key="k")).status_code == 202


async def test_an_export_names_the_address_of_its_download(gateway: Any) -> None:
    answer = await gateway.call("POST", "/tenants/contoso/restore-points/p1/exports", json={})
    assert answer.status_code == 201
    assert answer.json() == {"url": "/api/v1/tenants/contoso/downloads/ticket-1", "filename": "anna.zip"}


async def test_pages_and_filters_reach_the_service(gateway: Any) -> None:
    await gateway.call("GET", "/tenants/contoso/runs?limit=7&cursor=abc&configuration=c1")
    await gateway.call("GET", "/tenants/contoso/runs/r9/jobs?limit=8")
    await gateway.call("GET", "/tenants/contoso/restore-points?resource=u1&configuration=c1")
    questions = [asked.question.model_dump() for asked in gateway.world.asked[1:]]
    assert questions == [
        {"cursor": "abc", "limit": 7, "configuration": "c1"},
        {"cursor": None, "limit": 8, "run": "r9"},
        {"cursor": None, "limit": 100, "configuration": "c1", "resource": "u1"},
    ]
