"""The real NATS, SecantusDB and OpenBao for tests, each on free ports of 127.0.0.1 and ready when entered.

with SecantusProcess(tmp_path) as documents:
client = AsyncIOMotorClient(documents.url)
"""

import json
import secrets
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from chassis import tls
from chassis.testing.pki import ServerTls
from chassis.testing.process import Server, free_port


class NatsProcess(Server):
    """nats-server with JetStream in `directory`; `config` is further configuration text, such as accounts."""

    def __init__(self, directory: Path, *, config: str = "", server_tls: ServerTls | None = None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.port, self.monitor_port = free_port(), free_port()
        scheme = "nats" if server_tls is None else "tls"
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        lines = [
            f"listen: 127.0.0.1:{self.port}",
            f"http: 127.0.0.1:{self.monitor_port}",
            f"jetstream {{ store_dir: {json.dumps(str(directory / 'jetstream'))}, sync_interval: always }}",
        ]
        if server_tls is not None:
            cert, key = json.dumps(str(server_tls.cert_file)), json.dumps(str(server_tls.key_file))
            lines.append(f'tls {{ cert_file: {cert}, key_file: {key}, min_version: "1.2", handshake_first: auto }}')
        file = directory / "nats.conf"
        file.write_text("\n".join([*lines, config, ""]), encoding="utf-8")
        super().__init__("nats", ["nats-server", "-c", str(file)], directory)

    def __enter__(self) -> Self:
        self.start(lambda: _answers(f"http://127.0.0.1:{self.monitor_port}/healthz"))
        return self


@dataclass(frozen=True)
class MongoUser:
    """Reads and writes `database` and nothing else."""

    name: str
    password: str
    database: str


class SecantusProcess(Server):
    """SecantusDB with its data in `directory`; commits are durable before they are acknowledged.

    With `users` authentication is on: they are created on a first start without it. `url` has no credentials; it
    says tls=false when `server_tls` is None.
    """

    def __init__(
        self, directory: Path, *, users: Sequence[MongoUser] = (), server_tls: ServerTls | None = None
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._users = users
        self._tls = server_tls
        self._directory = directory
        base = f"mongodb://127.0.0.1:{self.port}/?replicaSet=secantus&retryWrites=false"
        self._plain_url = f"{base}&tls=false"
        self.url = self._plain_url if server_tls is None else base
        super().__init__("secantus", ["secantusd-py", "--config", str(directory / "secantus.toml")], directory)

    def __enter__(self) -> Self:
        if self._users and not (self._directory / "data").exists():
            self._configure(auth=False, server_tls=None)
            self.start(lambda: self._pings(self._plain_url, None))
            client: MongoClient[dict[str, object]] = MongoClient(self._plain_url)
            with client:
                for user in self._users:
                    roles = [{"role": "readWrite", "db": user.database}]
                    client.admin.command("createUser", user.name, pwd=user.password, roles=roles)
            self.stop()
        self._configure(auth=bool(self._users), server_tls=self._tls)
        ca_file = None if self._tls is None else self._tls.ca_file
        self.start(lambda: self._pings(self.url, ca_file))
        return self

    def _configure(self, *, auth: bool, server_tls: ServerTls | None) -> None:
        lines = [
            "[server]",
            'host = "127.0.0.1"',
            f"port = {self.port}",
            f"storage_path = {json.dumps(str(self._directory / 'data'))}",
            f"auth = {json.dumps(auth)}",
            "[storage]",
            'cache_size = "128M"',
            "sync_on_commit = true",
        ]
        if server_tls is not None:
            cert, key = json.dumps(str(server_tls.cert_file)), json.dumps(str(server_tls.key_file))
            lines += ["[tls]", f"cert_file = {cert}", f"key_file = {key}"]
        (self._directory / "secantus.toml").write_text("\n".join([*lines, ""]), encoding="utf-8")

    def _pings(self, url: str, ca_file: Path | None) -> bool:
        options: dict[str, Any] = {"serverSelectionTimeoutMS": 300}
        if ca_file is not None:
            options |= {"tls": True, "tlsCAFile": str(ca_file)}
        client: MongoClient[dict[str, object]] = MongoClient(url, **options)
        try:
            client.admin.command("ping")
        except PyMongoError:
            return False
        finally:
            client.close()
        return True


class BaoProcess(Server):
    """OpenBao, unsealed and self-initialised: KV v2 at kv/, transit at transit/, AppRole, one role per policy.

    `policies` maps a role to its policy text; the role's role id is its name, its secret id is in `secret_ids`.
    `token_ttl` and `token_max_ttl` are seconds.
    """

    def __init__(
        self,
        directory: Path,
        server_tls: ServerTls,
        *,
        policies: Mapping[str, str],
        token_ttl: int = 1200,
        token_max_ttl: int = 3600,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        port, cluster = free_port(), free_port()
        self.url = f"https://127.0.0.1:{port}"
        self.secret_ids = {role: secrets.token_urlsafe(24) for role in policies}
        self._trust: ssl.SSLContext = tls.client_context(server_tls.ca_file)
        unseal_key = directory / "unseal.key"
        if not unseal_key.exists():
            unseal_key.touch(mode=0o600)
            unseal_key.write_bytes(secrets.token_bytes(32))
        (directory / "data").mkdir(exist_ok=True)
        roles = {"token_ttl": f"{token_ttl}s", "token_max_ttl": f"{token_max_ttl}s"}
        text = "\n".join(
            [
                *_listener(port, cluster, directory, unseal_key, server_tls),
                _initialize(
                    "mounts",
                    {
                        "sys/mounts/kv": {"type": "kv", "options": {"version": "2"}},
                        "sys/mounts/transit": {"type": "transit"},
                        "sys/auth/approle": {"type": "approle"},
                    },
                ),
                _initialize("policies", {f"sys/policies/acl/{role}": {"policy": policies[role]} for role in policies}),
                _initialize("roles", self._role_requests(roles)),
            ]
        )
        file = directory / "bao.hcl"
        file.touch(mode=0o600)
        file.write_text(text, encoding="utf-8")
        super().__init__("bao", ["bao", "server", f"-config={file}"], directory)

    def __enter__(self) -> Self:
        self.start(self._ready)
        return self

    def _role_requests(self, lifetimes: Mapping[str, object]) -> dict[str, Mapping[str, object]]:
        requests: dict[str, Mapping[str, object]] = {}
        for role, secret_id in self.secret_ids.items():
            base = f"auth/approle/role/{role}"
            requests[base] = {"token_policies": [role], **lifetimes}
            requests[f"{base}/role-id"] = {"role_id": role}
            requests[f"{base}/custom-secret-id"] = {"secret_id": secret_id}
        return requests

    def _ready(self) -> bool:
        role, secret_id = next(iter(self.secret_ids.items()))
        try:
            answer = httpx.post(
                f"{self.url}/v1/auth/approle/login",
                json={"role_id": role, "secret_id": secret_id},
                verify=self._trust,
                trust_env=False,
            )
        except httpx.TransportError:
            return False
        return answer.is_success


def _listener(port: int, cluster: int, directory: Path, unseal_key: Path, server_tls: ServerTls) -> Sequence[str]:
    quoted = {name: json.dumps(str(getattr(server_tls, name))) for name in ("cert_file", "key_file")}
    return [
        "ui = false",
        f'api_addr = "https://127.0.0.1:{port}"',
        f'cluster_addr = "https://127.0.0.1:{cluster}"',
        'listener "tcp" {',
        f'  address = "127.0.0.1:{port}"',
        f'  cluster_address = "127.0.0.1:{cluster}"',
        f"  tls_cert_file = {quoted['cert_file']}",
        f"  tls_key_file = {quoted['key_file']}",
        '  tls_min_version = "tls12"',
        "}",
        'storage "raft" {',
        f"  path = {json.dumps(str(directory / 'data'))}",
        '  node_id = "n1"',
        '  performance_multiplier = "1"',
        "}",
        'seal "static" {',
        '  current_key_id = "k1"',
        f"  current_key = {json.dumps(f'file://{unseal_key.resolve()}')}",
        "}",
    ]


def _initialize(name: str, requests: Mapping[str, Mapping[str, object]]) -> str:
    lines = [f'initialize "{name}" {{']
    for number, (path, body) in enumerate(requests.items()):
        lines += [
            f'  request "{name}-{number}" {{',
            '    operation = "update"',
            f"    path = {json.dumps(path)}",
            "    data = {",
            *(f"      {key} = {_hcl(value)}" for key, value in body.items()),
            "    }",
            "  }",
        ]
    return "\n".join([*lines, "}", ""])


def _hcl(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_hcl(inner)}" for key, inner in value.items()) + " }"
    return json.dumps(value)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False
