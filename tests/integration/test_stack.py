"""The embedded stack's life: start, death of a part, death of the launcher, stop, start again."""

import asyncio
import gc
import json
import os
import signal
import socket
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from pymongo import MongoClient
from stack_fixture import (
    SERVERS,
    RunningStack,
    environment_for,
    launch,
    running_stack,
    tenantkeep,
    wait_until,
)

from tenantkeep.stack import documents, nats, secrets

pytestmark = pytest.mark.integration

GONE_SECONDS = 10.0


def _mongo(stack: RunningStack, user: str = "token-service") -> "MongoClient[dict[str, object]]":
    return MongoClient(
        documents.url(stack.ports),
        username=user,
        password=secrets.mongo_password(stack.home, user).read_text(),
        tls=True,
        tlsCAFile=str(stack.home.ca),
        serverSelectionTimeoutMS=5_000,
    )


def _alive(pids: list[int]) -> list[int]:
    found = []
    for pid in pids:
        try:
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.append(pid)
        except psutil.NoSuchProcess:
            continue
    return found


@pytest.fixture
def own(tmp_path: Path) -> Iterator[RunningStack]:
    with running_stack(tmp_path, only=SERVERS) as stack:
        yield stack


def test_status_says_ready_and_exits_0(servers: RunningStack) -> None:
    done = servers.command("status", "--json")
    status = json.loads(done.stdout)
    assert status["ready"]
    assert [p["name"] for p in status["processes"]] == list(SERVERS)
    assert all(p["ready"] and p["pid"] and p["ports"] for p in status["processes"])


def test_a_probe_closes_its_connection_though_its_loop_ends_at_once(servers: RunningStack) -> None:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        for _ in range(100):  # one in twenty stayed open
            asyncio.run(nats.probe(servers.home, servers.ports))
        gc.collect()
    assert [str(warning.message) for warning in heard if issubclass(warning.category, ResourceWarning)] == []


def test_secrets_and_keys_are_for_the_owner_only(servers: RunningStack) -> None:
    private = [*servers.home.secrets.iterdir(), *servers.home.pki.glob("*.key")]
    assert len(private) > 15
    assert {path.stat().st_mode & 0o077 for path in private} == {0}


def test_a_second_up_says_that_it_runs_already(servers: RunningStack) -> None:
    done = servers.command("up", check=False)
    assert done.returncode == 1
    assert "running already" in done.stderr
    assert "tenantkeep down" in done.stderr


@pytest.mark.parametrize("name", SERVERS)
def test_a_killed_server_is_started_again(servers: RunningStack, name: str) -> None:
    before = servers.pid(name)
    os.kill(before, signal.SIGKILL)

    def is_another() -> bool:
        identity = servers.state.processes[name].identity
        return identity is not None and identity.pid != before

    wait_until(is_another, seconds=30, what=f"{name} runs as another process")
    wait_until(servers.is_ready, seconds=60, what=f"{name} is ready again")
    assert servers.state.processes[name].restarts >= 1


def test_a_killed_launcher_leaves_no_process_behind_and_the_stack_starts_again(
    own: RunningStack, tmp_path: Path
) -> None:
    pids = own.pids()
    assert len(pids) == len(SERVERS)
    own.launcher.kill()
    own.launcher.wait()
    wait_until(lambda: not _alive(pids), seconds=GONE_SECONDS, what="all children are gone")
    assert own.command("status", check=False).returncode == 1
    with running_stack(tmp_path, only=SERVERS) as again:
        assert again.status()["ready"]


def test_ctrl_c_stops_everything_in_order_and_exits_0(own: RunningStack) -> None:
    pids = own.pids()
    own.launcher.send_signal(signal.SIGINT)
    assert own.launcher.wait(20) == 0
    assert _alive(pids) == []
    assert not own.home.processes.exists()


def test_down_stops_a_running_stack_and_state_survives(own: RunningStack, tmp_path: Path) -> None:
    with closing(_mongo(own)) as client:
        client["token_service"]["kept"].insert_one({"_id": "one", "value": 7})
    identity = json.loads(own.command("objects", "identity", "contoso", "--json").stdout)
    done = own.command("down")
    assert "stopped" in done.stdout
    assert own.launcher.wait(5) == 0
    with running_stack(tmp_path, only=SERVERS) as again:
        with closing(_mongo(again)) as client:
            assert client["token_service"]["kept"].find_one({"_id": "one"}) == {"_id": "one", "value": 7}
        assert json.loads(again.command("objects", "identity", "contoso", "--json").stdout) == identity


def test_down_without_a_stack_says_what_to_do(tmp_path: Path) -> None:
    done = tenantkeep(environment_for(tmp_path / "home"), "down")
    assert done.returncode == 1
    assert "tenantkeep up" in done.stderr


def test_a_taken_port_names_port_setting_and_owner(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        environment = environment_for(tmp_path / "home", {"TENANTKEEP_PORT_NATS": str(port)})
        done = tenantkeep(environment, "up", "--only=nats")
    assert done.returncode == 1
    assert f"Port {port} (nats) is taken" in done.stderr
    assert f"process {os.getpid()}" in done.stderr
    assert "TENANTKEEP_PORT_NATS" in done.stderr


def test_a_first_start_that_was_killed_is_made_anew(tmp_path: Path) -> None:
    first = launch(tmp_path, only=SERVERS)
    wait_until(first.home.processes.exists, seconds=30, what="the first process has started")
    pids = first.pids()
    first.launcher.kill()
    first.launcher.wait()
    assert not first.home.stamp.exists()
    wait_until(lambda: not _alive(pids), seconds=GONE_SECONDS, what="all children are gone")
    with running_stack(tmp_path, only=SERVERS) as stack:
        assert stack.status()["ready"]
        assert stack.home.stamp.exists()


def test_a_process_that_cannot_start_shows_the_end_of_its_log(tmp_path: Path) -> None:
    with running_stack(tmp_path, only=("issuer",)) as stack:
        assert stack.status()["ready"]
    secrets.issuer_key(stack.home).write_text("not a key")
    done = tenantkeep(stack.environment, "up", "--only=issuer")
    assert done.returncode == 1
    assert "issuer ended at its start (exit code 1)" in done.stderr
    assert "Unable to load PEM" in done.stderr
    assert str(stack.home.log("issuer")) in done.stderr


def test_detached_up_returns_when_ready_and_down_ends_it(tmp_path: Path) -> None:
    environment = environment_for(tmp_path / "home")
    done = tenantkeep(environment, "up", "--detach", "--only=nats,issuer")
    try:
        assert done.returncode == 0, done.stderr
        assert json.loads(tenantkeep(environment, "status", "--json").stdout)["ready"]
    finally:
        stopped = tenantkeep(environment, "down")
    assert stopped.returncode == 0, stopped.stderr


def test_the_whole_stack_comes_up_recovers_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with running_stack(tmp_path, extra={"TENANTKEEP_WORKERS": "2"}) as stack:
        status = stack.status()
        assert status["ready"]
        assert {"simulator", "token-service", "sync-service", "backup-planner", "monitor-service", "gateway"} < set(
            stack.state.processes
        )
        assert {"backup-worker", "backup-worker-2"} < set(stack.state.processes)
        killed = {name: stack.pid(name) for name in ("backup-worker", "gateway", "simulator")}
        for pid in killed.values():
            os.kill(pid, signal.SIGKILL)
        wait_until(
            lambda: all(stack.state.processes[name].restarts for name in killed),
            seconds=30,
            what="all three were started again",
        )
        wait_until(stack.is_ready, seconds=60, what="everything is ready again")
        stack.command("doctor")
        pids = stack.pids()
        stack.launcher.kill()
        stack.launcher.wait()
        wait_until(lambda: not _alive(pids), seconds=GONE_SECONDS, what="all children are gone")
