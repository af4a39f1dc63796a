"""A tenant ends on a whole stack: stopped, exported, shredded with the vault's key really gone, proven."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from main_job import MainJob
from pydantic import SecretStr
from stack_fixture import RunningStack, running_stack, tenantkeep, wait_until

from chassis.documents import connect
from chassis.settings import StoreSettings
from tenantkeep.stack import documents, secrets

pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(600)]

TENANT = "northwind"


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[RunningStack]:
    with running_stack(tmp_path) as running:
        yield running


@pytest.fixture
def job(stack: RunningStack, tmp_path: Path) -> MainJob:
    made = MainJob(stack, tmp_path, tenant=TENANT)
    made.onboard("--generate", "10", "--mailboxes", "1", "--seed", "11")
    return made


def offboard(stack: RunningStack, *options: str) -> dict[str, Any]:
    done = stack.command("offboard", TENANT, "--json", *options, check=False)
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)["offboarding"]
    return found


async def forty_days_later(stack: RunningStack) -> None:
    """Make every restore point as old as the least retention needs."""
    settings = StoreSettings(
        ca_file=stack.home.ca_bundle,
        health_port=0,
        nats_url="tls://127.0.0.1:1",
        nats_nkey=SecretStr("unused"),
        mongo_url=documents.url(stack.ports),
        mongo_user="backup-service",
        mongo_password=SecretStr(secrets.mongo_password(stack.home, "backup-service").read_text().strip()),
    )
    db = connect(settings, "backup_service")
    async for point in db["restore_points"].find({"tenant": TENANT}):
        earlier = {"$set": {"taken_at": point["taken_at"] - timedelta(days=40)}}
        await db["restore_points"].update_one({"_id": point["_id"]}, earlier)
    db.client.close()


async def test_a_tenant_is_stopped_exported_shredded_and_proven(
    stack: RunningStack, job: MainJob, tmp_path: Path
) -> None:
    job.command("storage", "add", "local", "--embedded")
    job.command("backup", "configure", "nightly", "--target", "local")
    job.command("backup", "run", "nightly", "--wait")
    offboard(stack, "--stop")
    wait_until(lambda: offboard(stack)["state"] == "stopped", seconds=30, what="nothing runs any more")
    assert {
        one["status"]
        for one in json.loads(stack.command("tenant", "show", TENANT, "--json", check=False).stdout)["tokens"]
    } <= {"deactivated", "unknown"}
    point = json.loads(stack.command("backup", "restore-points", "-t", TENANT, "--json").stdout)["items"][0]["id"]
    stack.command("backup", "export", point, "--out", str(tmp_path / "last.zip"), "-t", TENANT)
    offboard(stack, "--exported", "last.zip to Erika Beispiel")

    refused = tenantkeep(stack.environment, "offboard", TENANT, "--yes-shred", TENANT)
    assert refused.returncode == 1
    assert "retention_floor" in refused.stderr
    await forty_days_later(stack)
    ordered = offboard(stack, "--yes-shred", TENANT)
    assert (ordered["state"], ordered["block"]) == ("shredding", "recovery_key_unattested")
    assert [key["name"] for key in ordered["keys"] if key["kind"] == "transit"] == [f"tenant-{TENANT}"]
    proof = tmp_path / "proof.html"
    done = offboard(stack, "--recovery-key-destroyed-by", "Erika Beispiel", "--language", "de", "--out", str(proof))
    assert done["state"] == "shredded"
    text = proof.read_text(encoding="utf-8")
    assert all(key["name"] in text for key in done["keys"])
    assert "Erika Beispiel" in text

    again = tenantkeep(
        stack.environment,
        "tenant",
        "add",
        TENANT,
        "--entra-tenant-id",
        "50f8131a-b9d3-4679-849e-cbe87444c623",
        "--no-recovery-key",
    )
    assert again.returncode == 1
    assert "offboarded" in again.stderr
    onboarding = json.loads(stack.command("tenant", "onboarding", TENANT, "--json").stdout)
    assert onboarding["cause"] == "offboarded"
