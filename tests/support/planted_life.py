"""The rarer ways in which a secret takes part in a life: certificates, consent, SFTP keys, tickets, crashes."""

import asyncio
import datetime as dt
import hashlib
import json
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import psutil
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from main_job import MainJob, settings_of
from two_tenants import Api, Customer

from backup_engine.testing.sftp import ADMIN, KeyPair, SFTPAddress
from chassis.clock import SystemClock
from chassis.openbao import open_vault
from token_service.settings import TokenServiceSettings

CRASHES = {
    "backup-worker": signal.SIGKILL,
    "backup-planner": signal.SIGABRT,
    "gateway": signal.SIGABRT,
    "token-service": signal.SIGSEGV,
    "monitor-service": signal.SIGABRT,
    "vault": signal.SIGKILL,
}
SERVICES = tuple(name for name in CRASHES if name != "vault")

WRONG_TICKET = "PLANTED-no-ticket-at-all-Bv5_9Nc3Kd8"
WRONG_PASSWORD = "PLANTED-wrong-database-password-Jw6~4Ty1"
WRONG_SEED = "SUPLANTEDWRONGSEEDOFTHEBUSXXQ7VNNM3KDJH2LZ4PPWY6TTEA5CGF"

PROFILE = "exchange-restore"


@dataclass
class Planted:
    """What took part, by name; a text may have lines. `outputs` is what dying processes said, by name."""

    texts: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)


def key_pair() -> tuple[str, str]:
    """PEM certificate and PEM private key of an app."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "app")]), dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8
    private = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


def certificates(api: Api, job: MainJob, customer: Customer, planted: Planted) -> None:
    """A pair that does not fit, a key without its certificate's form, one nobody registered, and one that signs in."""
    path = f"/tenants/{customer.tenant}/profiles/{PROFILE}/certificate"
    (public, private), (stranger, other) = key_pair(), key_pair()
    planted.texts |= {"certificate's private key": private, "another private key": other}
    job.simulator("POST", f"tenants/{customer.tenant}/apps/{PROFILE}/certificates", {"certificate": public})
    client = {"client_id": customer.apps["apps"][PROFILE]["client_id"]}
    for pair, status in (
        ({"certificate": public, "private_key": other}, 422),
        ({"certificate": public, "private_key": other[:400]}, 422),
        ({"certificate": other, "private_key": private}, 422),
        ({"certificate": stranger, "private_key": other}, 422),
        ({"certificate": public, "private_key": private}, 200),
    ):
        answer = api.call("PUT", path, {**client, **pair}, tenants=[customer.tenant])
        assert answer.status_code == status, answer.text


def consent(api: Api, customer: Customer, planted: Planted) -> None:
    """A refusal, a grant, and the same state once more."""
    for number, decision in enumerate(("decline", "accept", "accept")):
        answer = api.call(
            "POST", f"/tenants/{customer.tenant}/profiles/{PROFILE}/consent", {}, tenants=[customer.tenant]
        )
        api.answers.pop()  # the one answer that must hold the state
        asked = urlsplit(answer.json()["url"])
        form = dict(parse_qsl(asked.query))
        planted.texts[f"consent state {number}"] = form["state"]
        page = asked._replace(query="").geturl()
        decided = api.client.post(page, data={**form, "decision": decision})
        assert decided.status_code == httpx.codes.FOUND, decided.text
        for _ in range(2):  # the second is refused
            back = api.client.get(decided.headers["location"])
            api.keep(f"{back.status_code} {back.headers} {back.text}")


def vault_keys(api: Api, job: MainJob, customer: Customer) -> None:
    """A key that Microsoft does not know yet, then does; then the next one."""
    path = f"/tenants/{customer.tenant}/profiles/{PROFILE}/vault-key"
    client = {"client_id": customer.apps["apps"][PROFILE]["client_id"]}
    for _ in range(2):
        offer = api.done("POST", path)
        refused = api.call("PUT", path, client, tenants=[customer.tenant])
        assert refused.status_code == httpx.codes.UNPROCESSABLE_ENTITY, refused.text
        job.simulator(
            "POST", f"tenants/{customer.tenant}/apps/{PROFILE}/certificates", {"certificate": offer["certificate"]}
        )
        assert api.done("PUT", path, client)["credential"] == "vault-key"


def sign_in(api: Api, customer: Customer, planted: Planted) -> None:
    """A person who declines, one who signs in, and the same answer of the browser once more."""
    base = f"/tenants/{customer.tenant}"
    for number, decision in enumerate(("decline", "accept")):
        answer = api.call("POST", f"{base}/sign-ins", tenants=[customer.tenant])
        api.answers.pop()  # the one answer that must hold state, nonce and challenge
        asked = urlsplit(answer.json()["url"])
        form = dict(parse_qsl(asked.query))
        kept = asyncio.run(_kept(api, customer.tenant, form["state"]))
        for name in ("state", "code_verifier", "nonce"):
            planted.texts[f"sign-in {name} {number}"] = str(kept[name])
        planted.texts[f"sign-in hashed nonce {number}"] = form["nonce"]
        page = api.client.post(asked._replace(query="").geturl(), data={**form, "decision": decision})
        posted = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', page.text))
        if "code" in posted:
            planted.texts["sign-in code"] = posted["code"]
        for _ in range(2):  # the second is refused
            back = api.client.post(form["redirect_uri"], data=posted)
            api.keep(f"{back.status_code} {back.headers} {back.text}")


async def _kept(api: Api, tenant: str, state: str) -> dict[str, Any]:
    """What the sign-in that was begun has left in the vault."""
    settings = TokenServiceSettings(**settings_of(api.stack, "token-service"))
    async with open_vault(settings, SystemClock()) as vault:
        found = await vault.kv_read(f"tenants/{tenant}/sign-in/{hashlib.sha256(state.encode()).hexdigest()}")
    assert found is not None
    kept: dict[str, Any] = json.loads(found[0]["kept"])
    return kept


def sftp(api: Api, customer: Customer, address: SFTPAddress, planted: Planted) -> None:
    """A key the server refuses, one that is none, and one that stores a backup."""
    wrong, right = KeyPair.fresh().private, address.keys[ADMIN].private
    planted.texts |= {"SFTP key": right, "wrong SFTP key": wrong, "passphrase": "PLANTED-passphrase-of-no-key-Rf3"}
    base = f"/tenants/{customer.tenant}"
    body = {
        "name": "offsite",
        "kind": "sftp",
        "endpoint": f"sftp://127.0.0.1:{address.port}",
        "prefix": address.folder,
        "user": address.users[ADMIN],
        "host_keys": [" ".join(address.host_key.split()[:2])],
    }
    for credentials in (
        {"private_key": wrong},
        {"private_key": wrong[:200], "passphrase": planted.texts["passphrase"]},
        {"private_key": right, "password": planted.texts["passphrase"]},
    ):
        answer = api.call(
            "POST", f"{base}/storage-targets", {**body, "credentials": credentials}, tenants=[customer.tenant]
        )
        assert answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY, answer.text
    made = api.done("POST", f"{base}/storage-targets", {**body, "credentials": {"private_key": right}})
    wanted = {"name": "offsite", "target": made["target"]["id"]}
    configuration = api.done("POST", f"{base}/backup-configurations", wanted)["id"]
    run = api.done("POST", f"{base}/backup-configurations/{configuration}/runs")["run"]
    assert api.finished(customer.tenant, run)["state"] == "succeeded"


def tickets(api: Api, customer: Customer, planted: Planted) -> None:
    """One that is used twice, one that nobody uses, and one that nobody gave."""
    path = f"/tenants/{customer.tenant}/restore-points/{customer.restore_point}/exports"
    urls = []
    for name in ("used", "unused"):
        answer = api.call("POST", path, {"format": "eml"}, tenants=[customer.tenant])
        api.answers.pop()  # the one answer that must hold the ticket
        urls.append(str(answer.json()["url"]))
        planted.texts[f"{name} download ticket"] = urls[-1].rpartition("/")[2]
    planted.texts["invented download ticket"] = WRONG_TICKET
    invented = f"{urls[0].rpartition('/')[0]}/{WRONG_TICKET}"
    for url, status in ((urls[0], 200), (urls[0], 404), (invented, 404)):
        got = api.client.get(url, headers={"authorization": f"Bearer {api.token([customer.tenant])}"})
        assert got.status_code == status, got.text
        api.keep(str(got.headers) + (got.text if got.is_error else ""))


def unhandled(api: Api, planted: Planted) -> None:
    """Let each service end by an error nobody handles, as at a bad start: everything it says is kept."""
    planted.texts |= {"wrong database password": WRONG_PASSWORD, "wrong seed": WRONG_SEED}
    with tempfile.TemporaryDirectory() as folder:
        for service in SERVICES:
            running = psutil.Process(api.stack.pid(service))
            own = running.environ()
            for name, change in _changes(own, Path(folder)):
                done = subprocess.run(
                    running.cmdline(),
                    env={**own, **change},
                    cwd=running.cwd(),
                    capture_output=True,
                    text=True,
                    timeout=60,
                    check=False,
                )
                said = done.stdout + done.stderr
                assert done.returncode not in {0, -signal.SIGKILL}, f"{service} lived with {name}"
                assert "Traceback" in said, f"{service} with {name} says only: {said}"
                planted.outputs[f"{service} {name}"] = said


def _changes(own: Mapping[str, str], folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """What is wrong in the environment of the second process."""
    yield "its port taken", {}
    for name, value in {"MONGO_PASSWORD": WRONG_PASSWORD, "NATS_NKEY": WRONG_SEED}.items():
        variable = f"TENANTKEEP_{name}_FILE"
        if variable in own:
            file = folder / name
            file.touch(mode=0o600)
            file.write_text(value)
            yield f"a wrong {name}", {variable: str(file)}
