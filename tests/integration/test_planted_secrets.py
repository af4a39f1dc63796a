"""After a whole life of a tenant, crashes included, no secret is anywhere but in the vault and in 0600 files."""

import asyncio
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import planted_life
import pytest
import secret_scan
from main_job import MainJob, settings_of
from minio import Minio
from planted_life import Planted
from secret_scan import Scan
from stack_fixture import RunningStack, wait_until
from two_tenants import MINE, PROFILES, Api, Customer, Pair, target_body
from urllib3 import PoolManager

from backup_engine.derivation import derive
from backup_engine.testing.openssh import OpenSSHServer
from chassis.clock import SystemClock
from chassis.openbao import open_vault
from contracts.audit_chain import AuditHead, check
from tenantkeep.recover.transit import VaultAccess, transit_key
from tenantkeep.stack import objects, secrets, trust, vault
from token_service.settings import TokenServiceSettings

pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(600)]

TENANT = MINE
WRONG = {
    "client_secret": "PLANTED-wrong-client-secret-Zk3~8Qp1",
    "access_key": "PLANTEDwrongaccesskey",
    "secret_key": "PLANTED-wrong-storage-key-Xv9_2Lm4",
    "bearer": "PLANTED-no-token-at-all-Hq7.4Rt2",
}
USES = ("id", "data", "meta", "chunk", "proof")
NO_LEAK = {"planted access_key in logs:objects.log"}
"""An S3 server names the access key id it does not know; it is the name of a key, and travels with every request."""


@dataclass
class Life:
    api: Api
    customer: Customer
    planted: Planted


@pytest.fixture(scope="module")
def life(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Life:
    """Fail in every way a secret can take part in, crash during a backup, export, restore."""
    api, customer, planted = pair.api, pair.mine, Planted()
    _fail(api, customer.apps)
    _crash_during_a_backup(api, customer)
    planted_life.tickets(api, customer, planted)
    planted_life.certificates(api, MainJob(api.stack, tmp_path_factory.mktemp("life"), TENANT), customer, planted)
    planted_life.consent(api, customer, planted)
    planted_life.vault_keys(api, MainJob(api.stack, tmp_path_factory.mktemp("keys"), TENANT), customer)
    planted_life.sign_in(api, customer, planted)
    with OpenSSHServer() as server:
        planted_life.sftp(api, customer, server.address, planted)
    planted_life.unhandled(api, planted)
    wish = {"restore_point": customer.restore_point, "target_user": f"restore-target@{TENANT}.onmicrosoft.com"}
    ends = {}
    for target in (wish["target_user"], "nobody@nowhere.example"):
        run = api.done("POST", f"/tenants/{TENANT}/restores", {**wish, "target_user": target})["run"]
        ends[target] = api.finished(TENANT, run)["state"]
    assert list(ends.values()) == ["succeeded", "failed"]
    return Life(api, customer, planted)


def _fail(api: Api, apps: Any) -> None:
    base = f"/tenants/{TENANT}"
    good, wrong = target_body(api.stack, TENANT), {n: WRONG[n] for n in ("access_key", "secret_key")}
    credential = {"client_id": apps["apps"]["directory"]["client_id"], "client_secret": WRONG["client_secret"]}
    attempts = [
        ("PUT", f"{base}/profiles/directory/credential", credential, 422),
        ("PUT", f"{base}/profiles/directory/credential", apps["apps"]["directory"], 200),
        ("PUT", f"{base}/profiles/directory/credential", {**credential, "client_id": [WRONG["client_secret"]]}, 422),
        ("POST", f"{base}/storage-targets", {**good, "credentials": wrong}, 422),
        ("POST", f"{base}/storage-targets", {**good, "endpoint": "https://127.0.0.1:1", "credentials": wrong}, 422),
        ("POST", f"{base}/storage-targets", {**good, "credentials": WRONG["secret_key"]}, 422),
        ("POST", f"{base}/storage-targets", {**good, "name": {"x": wrong}}, 422),
    ]
    for method, path, body, status in attempts:
        answer = api.call(method, path, body, tenants=[TENANT])
        assert answer.status_code in {status, 400}, answer.text
    refused = api.client.get(f"/api/v1{base}", headers={"authorization": f"Bearer {WRONG['bearer']}"})
    assert refused.status_code == 401
    api.keep(refused.text + str(refused.headers))
    cut = api.token([TENANT])[:-5]
    refused = api.client.get(f"/api/v1{base}", headers={"authorization": f"Bearer {cut}"})
    assert refused.status_code == 401
    api.keep(refused.text + str(refused.headers))
    for arguments in (("login",), ("tenant", "show", TENANT)):
        done = api.stack.command(*arguments, check=False)
        api.keep(done.stdout + done.stderr)


def _crash_during_a_backup(api: Api, customer: Customer) -> None:
    stack = api.stack
    run = api.done("POST", f"/tenants/{TENANT}/backup-configurations/{customer.configuration}/runs")["run"]
    before = {name: stack.pid(name) for name in planted_life.CRASHES}
    for name, how in planted_life.CRASHES.items():
        os.kill(before[name], how)
    wait_until(lambda: all(_restarted(stack, n, pid) for n, pid in before.items()), seconds=150, what="all run again")
    wait_until(stack.is_ready, seconds=150, what="the stack is ready again")
    assert api.finished(TENANT, run)["state"] == "succeeded"


def _restarted(stack: RunningStack, name: str, before: int) -> bool:
    identity = stack.state.processes[name].identity
    return identity is not None and identity.pid != before


async def _secrets_of(life: Life) -> Scan:
    stack, scan = life.api.stack, Scan()
    for path in secret_scan.known_to(stack):
        scan.know_file(path)
    apps, pairs = life.customer.apps["apps"], {p.name: secrets.read_pair(p) for p in stack.home.secrets.glob("*.json")}
    known = {
        **{f"{file} {name}": keys[name] for file, keys in pairs.items() for name in keys if "secret" in name},
        **{f"client secret of {profile}": apps[profile]["client_secret"] for profile in PROFILES},
        **{f"access token of {profile}": token for profile, token in (await _access_tokens(stack)).items()},
        **{f"planted {name}": value for name, value in WRONG.items()},
        **{f"bearer token {number}": token for number, token in enumerate(life.api.tokens)},
    }
    for name, value in known.items():
        scan.know(name, value)
    for name, text in life.planted.texts.items():
        scan.know_text(name, text)
    for name, key in (await asyncio.to_thread(_data_keys, stack)).items():
        scan.know(name, key)
    return scan


def _data_keys(stack: RunningStack) -> dict[str, bytes]:
    """Every data key of the tenant's repositories, and every key that comes from one (format, section 3)."""
    role = VaultAccess(
        vault.url(stack.ports), "backup-service", secrets.vault_secret_id(stack.home, "backup-service"), stack.home.ca
    )
    found: dict[str, bytes] = {}
    with transit_key(role, f"tenant-{TENANT}") as transit:
        for name, body in _objects(stack):
            if "/keys/" in name:
                for wrap in json.loads(body)["wraps"]:
                    if wrap["kind"] == "transit":
                        key = found[f"data key {name}"] = transit.unwrap(wrap["ciphertext"])
                        found |= {f"{use} key of {name}": derive(key, f"tenantkeep/1/{use}") for use in USES}
    return found


async def _access_tokens(stack: RunningStack) -> dict[str, str]:
    settings = TokenServiceSettings(**settings_of(stack, "token-service"))
    async with open_vault(settings, SystemClock()) as vault:
        found = {profile: await vault.kv_read(f"tenants/{TENANT}/tokens/{profile}") for profile in PROFILES}
    return {profile: kept[0]["access_token"] for profile, kept in found.items() if kept is not None}


def _read_metrics(scan: Scan, stack: RunningStack) -> None:
    ports = ("token_service", "sync_service", "backup_planner", "backup_worker", "monitor_service", "gateway_health")
    with httpx.Client(verify=trust.context(stack.home.ca), trust_env=False) as client:
        for name in ports:
            for path in ("metrics", "readyz", "livez"):
                answer = client.get(f"https://127.0.0.1:{stack.ports[name]}/{path}")
                scan.read(f"metrics:{name}/{path}", answer.text + str(answer.headers))


def _objects(stack: RunningStack) -> Iterator[tuple[str, bytes]]:
    keys = target_body(stack, TENANT)["credentials"]
    pool = PoolManager(ssl_context=trust.context(stack.home.ca))
    client = Minio(f"127.0.0.1:{stack.ports['objects']}", **keys, region="us-east-1", http_client=pool)
    for entry in client.list_objects(objects.BUCKET, prefix=f"{TENANT}/", recursive=True):
        yield entry.object_name, client.get_object(objects.BUCKET, entry.object_name).data
    pool.clear()


def _read_objects(scan: Scan, stack: RunningStack) -> None:
    for name, body in _objects(stack):
        scan.read(f"objects:{name}", body)


def _audit(api: Api) -> list[dict[str, Any]]:
    """All records of the tenant; each page is kept as an answer and scanned with the others."""
    records: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = api.done("GET", f"/tenants/{TENANT}/audit?oldest_first=true&limit=20{cursor}")
        records += page["items"]
        if page["cursor"] is None:
            return records
        cursor = f"&cursor={page['cursor']}"


def test_every_change_of_that_life_is_in_the_audit_and_its_chain_is_whole(life: Life) -> None:
    api = life.api
    expected = {
        "tenant.register",
        "profile.set-credential",
        "profile.offer-key",
        "profile.ask-consent",
        "profile.answer-consent",
        "target.create",
        "configuration.create",
        "legal-hold.place",
        "run.start",
        "restore-point.export",
    }
    wait_until(lambda: expected <= {record["action"] for record in _audit(api)}, seconds=60, what="all is recorded")
    seals = [AuditHead.model_validate(seal) for seal in api.done("GET", f"/tenants/{TENANT}/audit/seals")["items"]]
    assert seals, "the first export of documents has sealed a head"
    records = _audit(api)
    assert check(TENANT, records, seals).faults == ()
    assert len({record["event"] for record in records}) == len(records)
    refused = [record for record in records if record["object"] == "directory"]
    assert [record["action"] for record in refused] == ["profile.set-credential"] * 2, (
        "what was refused changed nothing"
    )
    assert not [record for record in records if record["tenant"] != TENANT or not record["actor"]]


async def test_no_secret_is_in_anything_that_can_be_read(life: Life) -> None:
    stack = life.api.stack
    scan = await _secrets_of(life)
    assert "access token of exchange-backup" in scan.needles.values()
    assert "data" in {name.partition(" ")[0] for name in scan.needles.values() if "/keys/" in name}
    secret_scan.files(scan, stack.home.logs.iterdir(), "logs")
    secret_scan.files(scan, [stack.home.root.with_name("up.log")], "logs")
    secret_scan.files(scan, stack.home.run.iterdir(), "state")
    for cache in ("engine", "search", "scratch"):
        secret_scan.files(scan, (stack.home.root / cache).rglob("*"), "cache of the workers")
    configurations = [stack.home.nats / "nats.conf", stack.home.vault / "bao.hcl", stack.home.documents / "server.toml"]
    secret_scan.files(scan, configurations, "configuration")
    secret_scan.files(scan, stack.home.root.rglob("core*"), "crash output")
    secret_scan.processes(scan, stack)
    secret_scan.databases(scan, stack)
    await secret_scan.streams(scan, stack)
    _read_metrics(scan, stack)
    await asyncio.to_thread(_read_objects, scan, stack)
    for name, said in life.planted.outputs.items():
        scan.read(f"crash output:{name}", said)
    for answer in life.api.answers:
        scan.read(f"answers:{answer[:80]}", answer)
    print(f"{len(scan.needles)} forms of secrets looked for in bytes: {json.dumps(scan.bytes_read)}")
    assert set(scan.found) <= NO_LEAK
    places = {
        "logs",
        "state",
        "cache of the workers",
        "configuration",
        "arguments",
        "environment",
        "documents",
        "streams",
        "metrics",
        "objects",
        "answers",
        "crash output",
    }
    assert {place for place, size in scan.bytes_read.items() if size > 1_000} >= places, "not read is not proven"


@pytest.mark.parametrize("text", ["x {} y", "x%22{}", '{{"detail": "{}"}}'])
def test_the_scan_finds_what_is_there(text: str) -> None:
    scan = Scan()
    value = "An+example/of=a-secret.that_is~long-enough-to-be-cut"
    scan.know("example", value)
    for leak in (value, value[:25], value[-22:], value.encode().hex()):
        scan.read("logs:x", text.format(leak))
    scan.read("logs:y", text.format("nothing"))
    scan.read("logs:z", text.format("hvs.CAESIJ0aBcDeFgHiJkLmNoPqRsTuVwXyZ"))
    scan.read("logs:z", text.format("eyJhbGciOiJQUzI1NiJ9.eyJhdWQiOiJodHRwczovL3gifQ.c2lnbmF0dXJl"))
    assert scan.found == ["example in logs:x"] * 4 + ["a token of the vault in logs:z", "a JWT in logs:z"]
