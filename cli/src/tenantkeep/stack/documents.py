"""The document store: SecantusDB with authentication, TLS and a synced commit, one database per service."""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError, ServerSelectionTimeoutError

from tenantkeep.stack import files, secrets
from tenantkeep.stack.errors import StackError, StartFailed
from tenantkeep.stack.home import Home, wipe
from tenantkeep.stack.ports import Ports
from tenantkeep.stack.process import (
    SERVER_GRACE,
    NotReady,
    ProcessSpec,
    bound_to_launcher,
    server_binary,
    server_environment,
)

NAME = "documents"
DATABASES = {
    "token-service": "token_service",
    "sync-service": "sync_service",
    "backup-service": "backup_service",
    "monitor-service": "monitor_service",
    "gateway": "gateway",
}
"""Database of each user. Collection-scoped roles do not hold in this server, so trust ends at the database."""

_PROBE_TIMEOUT_MS = 3_000
_FIRST_START_SECONDS = 60.0


def url(ports: Ports) -> str:
    # Retryable writes make this server scan up to 10,000 remembered replies for each write.
    return f"mongodb://127.0.0.1:{ports[NAME]}/?replicaSet=secantus&retryWrites=false"


def spec(home: Home, ports: Ports) -> ProcessSpec:
    """The server; `initialise` must have run once before."""
    return ProcessSpec(
        name=NAME,
        argv=_argv(home, ports, auth=True),
        env=server_environment(home.documents),
        cwd=home.documents,
        log=home.log(NAME),
        ports={"tls": ports[NAME]},
        probe=lambda: asyncio.to_thread(probe, home, ports),
    )


def initialise(home: Home, ports: Ports) -> None:
    """Create the users, once: a first run without authentication on loopback, before anything else exists."""
    done = home.documents / "initialised.json"
    if done.is_file():
        if set(json.loads(done.read_text())) == set(DATABASES):
            return
        raise StackError(
            "The document store was initialised for other services.",
            remedy="Choose another folder with TENANTKEEP_HOME, or use the version that made this one.",
        )
    wipe(home.documents)
    with _unprotected(home, ports) as client:
        for user, database in DATABASES.items():
            client.admin.command(
                "createUser",
                user,
                pwd=secrets.mongo_password(home, user).read_text(),
                roles=[{"role": "readWrite", "db": database}],
                mechanisms=["SCRAM-SHA-256"],
            )
    files.write_json(done, sorted(DATABASES))


def probe(home: Home, ports: Ports) -> None:
    """Sign in as a service over TLS and read one document of its database."""
    user = "gateway"
    client: MongoClient[dict[str, Any]] = MongoClient(
        url(ports),
        username=user,
        password=secrets.mongo_password(home, user).read_text(),
        tls=True,
        tlsCAFile=str(home.ca),
        serverSelectionTimeoutMS=_PROBE_TIMEOUT_MS,
        connectTimeoutMS=_PROBE_TIMEOUT_MS,
        socketTimeoutMS=_PROBE_TIMEOUT_MS,
    )
    try:
        client[DATABASES[user]]["probe"].find_one({"_id": 0})
    except PyMongoError as error:
        raise NotReady(f"no signed-in answer on port {ports[NAME]} ({type(error).__name__})") from error
    finally:
        client.close()


@contextmanager
def _unprotected(home: Home, ports: Ports) -> Iterator["MongoClient[dict[str, Any]]"]:
    """A run without authentication and TLS, which ends before the real one starts."""
    log = home.log(NAME)
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 -- the command is built here, no shell
            bound_to_launcher(_argv(home, ports, auth=False)),
            env=server_environment(home.documents),
            cwd=home.documents,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for the launcher, which stops this itself
        )
    try:
        client: MongoClient[dict[str, Any]] = MongoClient(url(ports), serverSelectionTimeoutMS=500)
        try:
            _wait(client, process, home)
            yield client
        finally:
            client.close()
    finally:
        process.terminate()
        try:
            process.wait(SERVER_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(client: "MongoClient[dict[str, Any]]", process: "subprocess.Popen[bytes]", home: Home) -> None:
    deadline = monotonic() + _FIRST_START_SECONDS
    while process.poll() is None and monotonic() < deadline:
        try:
            client.admin.command("ping")
        except (ServerSelectionTimeoutError, OperationFailure):
            continue
        return
    why = "died" if process.poll() is not None else f"was not ready in {_FIRST_START_SECONDS:.0f} s"
    raise StartFailed(NAME, f"{why} at its first start", home.log(NAME))


def _argv(home: Home, ports: Ports, *, auth: bool) -> tuple[str, ...]:
    config = home.documents / ("server.toml" if auth else "first-start.toml")
    # --config is always given: without it the server would load files from the user's home and /etc.
    lines = [
        "[server]",
        'host = "127.0.0.1"',
        f"port = {ports[NAME]}",
        f"storage_path = {_toml(home.documents / 'data')}",
        f"auth = {str(auth).lower()}",
        "[storage]",
        'cache_size = "256M"',
        "sync_on_commit = true",
    ]
    if auth:
        certificate, key = home.certificate(NAME)
        lines += ["[tls]", f"cert_file = {_toml(certificate)}", f"key_file = {_toml(key)}"]
    files.write(config, "\n".join(lines) + "\n")
    return (server_binary("secantusd-py", "secantusdb"), "--config", str(config), "--sync-on-commit")


def _toml(path: Path) -> str:
    return json.dumps(str(path), ensure_ascii=False)
