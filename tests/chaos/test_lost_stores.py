"""A store is lost for good, everything in it: what comes back, from what, and how long it takes."""

import json
import zipfile
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import pytest
from drill import QUICK
from main_job import Json, MainJob
from stack_fixture import RunningStack, running_stack, wait_until

from tenantkeep.stack import documents, secrets, trust, vault
from tenantkeep.stack.home import wipe

pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(400)]

SETTINGS = {**QUICK, "TENANTKEEP_EXPORT_INTERVAL": "1"}
ENTRA = "--entra-tenant-id"


def known(job: MainJob) -> Json:
    """What people created and what came of it."""
    return {
        "tenant": job.command("tenant", "show", job.tenant)["tenant"]["entra_tenant_id"],
        "configurations": [item["id"] for item in job.command("backup", "list")["items"]],
        "restore_points": sorted(point["id"] for point in job.restore_points()),
    }


def target_of(job: MainJob) -> Any:
    return job.command("storage", "list")["items"][0]


def keep_something_of(job: MainJob) -> Json:
    """Say something of an employee that Microsoft 365 does not know, and change the settings; the employee."""
    wait_until(lambda: people(job), seconds=60, what="the first sync is finished")
    chosen = people(job)[0]["id"]
    job.command("sync", "settings", "--every-hours", "12")
    job.command("employees", "edit", chosen, "--remote", "--gdpr-exempt", "--gdpr-reason", "court order")
    person: Json = job.command("employees", "show", chosen)
    return person


def people(job: MainJob) -> list[Json]:
    found: list[Json] = job.command("employees", "list")["items"]
    return found


def assert_kept(job: MainJob, before: Json) -> None:
    """Local fields, history and settings are as they were; the sync that follows changes nothing of it."""
    after = job.command("employees", "show", before["id"])
    assert (after["local"], after["imported_at"]) == (before["local"], before["imported_at"])
    job.command("sync", "start", "--full", "--wait")
    after = job.command("employees", "show", before["id"])
    assert (after["local"], after["fields"], after["roles"]) == (before["local"], before["fields"], before["roles"])
    log = job.command("employees", "activity", before["id"])["items"]
    assert [entry["new"] for entry in log if entry["field"] == "gdpr_reason"] == ["court order"]
    assert job.command("sync", "settings")["every_hours"] == 12


def export(job: MainJob, point: str, name: str) -> list[bytes]:
    file = job.folder / f"{name}.zip"
    job.command("backup", "export", point, "--out", str(file))
    with zipfile.ZipFile(file) as archive:
        return sorted(archive.read(entry) for entry in archive.namelist() if entry.endswith(".eml"))


def test_the_documents_are_lost(tmp_path: Path) -> None:
    """The tenant is registered again, its target added again: configurations, restore points and tokens come back."""
    with running_stack(tmp_path, extra=SETTINGS) as stack:
        job = MainJob(stack, tmp_path)
        job.onboard("--generate", "60")
        job.configure("main")
        job.backup("main")
        before = known(job)
        point = before["restore_points"][0]
        mails = export(job, point, "before")
        person = keep_something_of(job)
        exported = target_of(job)["exported_at"]
        wait_until(lambda: target_of(job)["exported_at"] != exported, seconds=30, what="an export that began before")
        exported = target_of(job)["exported_at"]
        wait_until(lambda: target_of(job)["exported_at"] != exported, seconds=30, what="documents are exported")
        ports, home = stack.ports, stack.home
    wipe(home.documents)
    documents.initialise(home, ports)
    with running_stack(tmp_path, extra=SETTINGS) as stack:
        job = MainJob(stack, tmp_path)
        assert job.command("tenant", "list")["items"] == []
        began = monotonic()
        # No --apps: the vault still holds the credentials.
        job.command("tenant", "add", job.tenant, ENTRA, before["tenant"], "--recovery-key-file", str(job.recovery_key))
        job.command("storage", "add", "main", "--embedded", "--prefix", "main")
        recovery = job.command("storage", "recover", "main")["recovery"]
        took = monotonic() - began
        assert (recovery["configurations"], recovery["restore_points"]) == (1, len(before["restore_points"]))
        assert recovery["employees"] == 1
        assert known(job) == before
        assert_kept(job, person)
        assert export(job, point, "after") == mails
        counts = job.backup(before["configurations"][0])["run"]["counts"]
        assert (counts["stored"], counts["unchanged"] > 0, counts["failed"]) == (0, True, 0)
        print(f"documents lost: known again after {took:.1f} s, {recovery['restore_points']} restore points")


def test_the_vault_is_lost(tmp_path: Path) -> None:
    """Keys are wrapped to the new vault with the recovery key; people give the credentials again."""
    with running_stack(tmp_path, extra=SETTINGS) as stack:
        job = MainJob(stack, tmp_path)
        job.onboard("--generate", "60")
        job.configure("main")
        job.backup("main")
        before = known(job)
        mails = export(job, before["restore_points"][0], "before")
        home = stack.home
    wipe(home.vault)
    with running_stack(tmp_path, extra=SETTINGS) as stack:
        job = MainJob(stack, tmp_path)
        began = monotonic()
        apps = str(job.folder / f"{job.tenant}.apps.json")
        job.command("tenant", "add", job.tenant, "--apps", apps, "--recovery-key-file", str(job.recovery_key))
        keys = job.stack.command("objects", "identity", job.tenant, "--json").stdout
        identity = json.loads(keys)
        secret = job.folder / "s3.secret"
        secret.write_text(identity["secret_key"])
        target = target_of(job)
        put_back(stack, job.tenant, target["id"], identity)
        prefix = target["prefix"].strip("/")
        place = f"s3://127.0.0.1:{stack.ports['objects']}/{identity['bucket']}/{prefix}/{job.tenant}"
        options = ("--storage", place, "--access-key", identity["access_key"], "--secret-key-file", str(secret))
        passphrase = ("--passphrase-file", str(job.folder / "passphrase"))
        opened_by = ("--key", str(job.recovery_key), *passphrase, "--ca-file", str(home.ca_bundle))
        role = ("--vault", vault.url(stack.ports), "--role-id", "backup-service")
        file = ("--secret-id-file", str(secrets.vault_secret_id(home, "backup-service")))
        job.command("recover", *options, *opened_by, "rewrap", *role, *file)
        took = monotonic() - began
        assert known(job) == before
        assert export(job, before["restore_points"][0], "after") == mails
        counts = job.backup(before["configurations"][0])["run"]["counts"]
        assert (counts["stored"], counts["unchanged"] > 0, counts["failed"]) == (0, True, 0)
        print(f"vault lost: at work again after {took:.1f} s")


def put_back(stack: RunningStack, tenant: str, target: str, identity: dict[str, str]) -> None:
    """What docs/reference/recovery.md has people do: the credentials of a target there was, into the new vault."""
    login = {"role_id": "gateway", "secret_id": secrets.vault_secret_id(stack.home, "gateway").read_text()}
    data = {name: identity[name] for name in ("access_key", "secret_key")}
    with httpx.Client(base_url=vault.url(stack.ports), verify=trust.context(stack.home.ca), trust_env=False) as http:
        token = http.post("/v1/auth/approle/login", json=login).raise_for_status().json()["auth"]["client_token"]
        path = f"/v1/kv/data/tenants/{tenant}/storage/{target}"
        http.post(path, json={"data": data}, headers={"X-Vault-Token": token}).raise_for_status()
