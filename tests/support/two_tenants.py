"""Two customers on one running stack, each with a backup, driven through the API; every answer is kept."""

import asyncio
import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from jwt import encode
from stack_fixture import RunningStack, wait_until

from tenantkeep.stack import issuer, issuer_server, objects, trust

Json = dict[str, Any]
DONE = {"succeeded", "partial", "failed"}
MINE, THEIRS = "rightful", "foreign"
PROFILES = ("directory", "exchange-backup", "exchange-restore")


@dataclass
class Customer:
    """Names and ids of one tenant's things."""

    tenant: str
    apps: Json
    target: str
    configuration: str
    run: str
    job: str
    resource: str
    restore_point: str
    hold: str
    folder: str
    item: str


@dataclass
class Api:
    """The gateway of a stack, and whoever the test wants to be."""

    stack: RunningStack
    client: httpx.Client
    answers: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    def token(self, tenants: Sequence[str], roles: Sequence[str] = ("operator",)) -> str:
        """A bearer token of the stack's issuer for a caller of these tenants only."""
        source = issuer_server.load(self.stack.home, self.stack.ports["issuer"])
        now = dt.datetime.now(dt.UTC)
        claims = {
            "iss": source.issuer,
            "aud": issuer.AUDIENCE,
            "sub": f"caller-of-{'-'.join(tenants)}",
            "roles": list(roles),
            "tenants": list(tenants),
            "nbf": now - dt.timedelta(seconds=5),
            "exp": now + dt.timedelta(minutes=10),
        }
        made = encode(claims, source.key, algorithm="RS256", headers={"kid": source.key_id})
        self.tokens.append(made)
        return made

    def call(
        self, method: str, path: str, body: Any = None, *, tenants: Sequence[str], roles: Sequence[str] = ("operator",)
    ) -> httpx.Response:
        """Ask as a caller of `tenants`; `path` is below /api/v1."""
        bearer = {"authorization": f"Bearer {self.token(tenants, roles)}"}
        answer = self.client.request(method, f"/api/v1{path}", json=body, headers=bearer)
        self.keep(f"{method} {path} {answer.status_code} {dict(answer.headers)} {answer.text}")
        return answer

    def keep(self, text: str) -> None:
        self.answers.append(text)

    def done(self, method: str, path: str, body: Any = None) -> Any:
        """Ask as the path's tenant; the answer, which must be a success."""
        parts = path.split("/")
        tenants = [parts[2]] if len(parts) > 2 else ["*"]
        answer = self.call(method, path, body, tenants=tenants)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if "json" in answer.headers["content-type"] else answer.content

    def finished(self, tenant: str, run: str) -> Json:
        """The run, once it has ended."""

        def ended() -> Json | None:
            answer = self.call("GET", f"/tenants/{tenant}/runs/{run}", tenants=[tenant])
            found: Json = answer.json()
            return found if answer.is_success and found["state"] in DONE else None

        found = wait_until(ended, seconds=120, what=f"run {run} of {tenant} ends")
        assert found is not None
        return found


@dataclass
class Pair:
    """Two tenants with a backup each."""

    api: Api
    mine: Customer
    theirs: Customer


def connect(stack: RunningStack) -> httpx.Client:
    return httpx.Client(
        base_url=f"https://127.0.0.1:{stack.ports['gateway']}",
        verify=trust.context(stack.home.ca_bundle),
        trust_env=False,
        timeout=30,
    )


def seed(api: Api, folder: Path, tenant: str, mails: int) -> Json:
    """Mail in the simulator; ids and secrets of the tenant's apps."""
    file = folder / f"{tenant}.json"
    arguments = ("--tenant", tenant, "--generate", str(mails), "--mailboxes", "1", "--apps", str(file))
    done = api.stack.command("simulator", "seed", *arguments)
    api.keep(done.stdout + done.stderr)
    apps: Json = json.loads(file.read_text())
    return apps


def onboard(api: Api, apps: Json) -> str:
    """Register the tenant with its credentials; a storage target of its own. Returns the target's id."""
    tenant = apps["tenant"]
    body = {"tenant": tenant, "entra_tenant_id": apps["tenant_id"], "display_name": tenant.title()}
    assert api.call("POST", "/tenants", body, tenants=[tenant]).status_code == httpx.codes.CREATED
    for profile in PROFILES:
        api.done("PUT", f"/tenants/{tenant}/profiles/{profile}/credential", apps["apps"][profile])
    made: Json = api.done("POST", f"/tenants/{tenant}/storage-targets", target_body(api.stack, tenant))
    return str(made["target"]["id"])


def target_body(stack: RunningStack, tenant: str) -> Json:
    """The tenant's own place in the embedded object store."""
    place = asyncio.run(objects.create_tenant_identity(stack.home, stack.ports, tenant))
    keys = {name: place.pop(name) for name in ("access_key", "secret_key")}
    return {"name": "main", **place, "credentials": keys}


def back_up(api: Api, apps: Json, target: str) -> Customer:
    """One backup; what came of it."""
    tenant = apps["tenant"]
    base = f"/tenants/{tenant}"
    configuration = api.done("POST", f"{base}/backup-configurations", {"name": "nightly", "target": target})["id"]
    run = api.done("POST", f"{base}/backup-configurations/{configuration}/runs")["run"]
    ended = api.finished(tenant, run)
    assert ended["state"] == "succeeded", ended
    jobs = api.done("GET", f"{base}/runs/{run}/jobs")["items"]
    points = api.done("GET", f"{base}/restore-points")["items"]
    point = max(points, key=lambda p: int(p["items"]))
    held = {"restore_point": point["id"], "reason": "a lawsuit"}
    hold = api.done("POST", f"{base}/legal-holds", held)["id"]
    folder, item = held_in(api, f"{base}/restore-points/{point['id']}")
    return Customer(
        tenant, apps, target, configuration, run, jobs[0]["id"], point["resource"], point["id"], hold, folder, item
    )


def held_in(api: Api, point: str) -> tuple[str, str]:
    """A folder of the restore point and an item in it, as soon as a worker has its search file."""

    def answered() -> Json | None:
        answer = api.call("GET", f"{point}/folders", tenants=[point.split("/")[2]])
        found: Json = answer.json()
        return found if answer.is_success else None

    folders = wait_until(answered, seconds=60, what=f"{point} can be browsed")
    folder = next(one["id"] for one in folders["items"] if one["items"])
    items = api.done("GET", f"{point}/folders/{quote(folder, safe='')}/items")["items"]
    return folder, items[0]["id"]
