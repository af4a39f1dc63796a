"""The starters that other members' tests rely on."""

import signal
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import nats
import psutil
import pytest
from pymongo import MongoClient

from chassis import tls
from chassis.testing.pki import ServerTls
from chassis.testing.process import Server, ServerFailed
from chassis.testing.servers import NatsProcess, SecantusProcess


async def test_nats_speaks_tls_and_keeps_messages_over_a_restart(tmp_path: Path, server_tls: ServerTls) -> None:
    trust: ssl.SSLContext = tls.client_context(server_tls.ca_file)
    with NatsProcess(tmp_path, config="max_payload: 65536", server_tls=server_tls) as server:
        for restarted in (False, True):
            client = await nats.connect(server.url, tls=trust)
            assert client.max_payload == 65536
            stream = client.jetstream()
            if restarted:
                assert (await stream.get_last_msg("THINGS", "things.a")).data == b"kept"
            else:
                await stream.add_stream(name="THINGS", subjects=["things.>"])
                await stream.publish("things.a", b"kept")
            await client.close()
            if not restarted:
                server.kill()
                server.__enter__()


def test_acknowledged_documents_survive_a_killed_server(tmp_path: Path) -> None:
    with SecantusProcess(tmp_path) as server:
        client: MongoClient[dict[str, object]] = MongoClient(server.url)
        with client:
            client.any.things.insert_many({"_id": number} for number in range(200))
        server.kill()
        server.__enter__()
        again: MongoClient[dict[str, object]] = MongoClient(server.url)
        with again:
            assert len(list(again.any.things.find({}))) == 200


def test_a_server_that_ends_shows_the_tail_of_its_log(tmp_path: Path) -> None:
    with pytest.raises(ServerFailed, match=r"(?s)ended with code .*no_such_option"):
        NatsProcess(tmp_path, config="no_such_option: 1").__enter__()


def test_a_missing_server_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ServerFailed, match="make setup"):
        Server("none", ["no-such-server"], tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux offers a death signal")
def test_a_killed_parent_leaves_no_server(tmp_path: Path) -> None:
    text = (
        "from pathlib import Path\nimport sys, threading\n"
        "from chassis.testing.servers import NatsProcess\n"
        "with NatsProcess(Path(sys.argv[1])) as server:\n"
        "    print(server.pid, flush=True)\n    threading.Event().wait()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", text, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    assert child.name() == "nats-server"
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    deadline = time.monotonic() + 10
    pause = threading.Event()
    while runs(child) and time.monotonic() < deadline:
        pause.wait(0.02)
    assert not runs(child)


def runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
