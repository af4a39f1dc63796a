import hashlib
import json
import random
import signal
import stat
import subprocess
import sys
from collections import Counter
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import pytest

from graph_simulator.database import open_database
from graph_simulator.testing import SimulatorProcess, seed

MBOX = b"""From a@b Thu Jan  1 12:00:00 2026
Subject: one
Date: Fri, 02 Jan 2026 10:00:00 +0100

>From here
>>From there

From c@d Sat Jan  3 00:00:00 2026
Subject: two\r
\r
CRLF\r

"""


def run(*arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "graph_simulator", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_mbox_goes_in_and_the_files_of_dump_are_its_messages(tmp_path: Path) -> None:
    source, manifest = tmp_path / "mail.mbox", tmp_path / "manifest"
    source.write_bytes(MBOX)
    besides = ("--manifest", str(manifest), "--contacts", "3", "--calendars", "2")
    summary = seed(tmp_path / "state", "contoso", "--mbox", str(source), *besides)
    assert (summary["messages"], summary["contacts"], summary["events"]) == (2, 3, 2)
    assert summary["mailboxes"] == {"owner@contoso.onmicrosoft.com": 2, "restore-target@contoso.onmicrosoft.com": 0}
    owner = "owner@contoso.onmicrosoft.com"
    run(
        "dump",
        "--state",
        str(tmp_path / "state"),
        "--tenant",
        "contoso",
        "--user",
        owner,
        "--out",
        str(tmp_path / "out"),
    )
    files = [path.read_bytes() for path in sorted((tmp_path / "out" / "mime").iterdir())]
    assert files[0].endswith(b"\nFrom here\n>From there\n")
    assert files[1] == b"Subject: two\r\n\r\nCRLF\r\n"
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    assert [line["sha256"] for line in lines] == [hashlib.sha256(raw).hexdigest() for raw in files]
    assert [line["received"] for line in lines] == ["2026-01-02T09:00:00Z", "2026-01-03T00:00:00Z"]
    assert {line["folder"] for line in lines} == {"Posteingang"}


def test_seeding_is_deterministic_limited_and_keeps_secrets(tmp_path: Path) -> None:
    hashes, apps = [], []
    for state in ("one", "two"):
        manifest, file = tmp_path / "manifest", tmp_path / "apps"
        options = ("--generate", "30", "--seed", "7", "--manifest", str(manifest), "--apps", str(file))
        seed(tmp_path / state, "contoso", *options)
        hashes.append([json.loads(line)["sha256"] for line in manifest.read_text().splitlines()])
        apps.append(json.loads(file.read_text()))
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert hashes[0] == hashes[1]
    assert apps[0]["tenant_id"] != apps[1]["tenant_id"]
    again = seed(
        tmp_path / "two", "contoso", "--generate", "30", "--max-messages", "5", "--apps", str(tmp_path / "apps")
    )
    assert again["messages"] == 5
    assert sum(again["mailboxes"].values()) == 35
    assert json.loads((tmp_path / "apps").read_text()) == apps[1]
    small = seed(tmp_path / "two", "contoso", "--generate", "30", "--max-bytes", "20000")
    assert small["bytes"] <= 20000


def test_change_does_what_it_says(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    besides = ("--contacts", "20", "--manifest", str(before))
    seed(tmp_path, "contoso", "--generate", "80", "--mailboxes", "2", *besides)
    arguments = ("change", "--state", str(tmp_path), "--tenant", "contoso", "--seed", "3", "--fraction", "0.2")
    counts = run(*arguments, "--manifest", str(after))
    assert sum(counts[kind] for kind in ("created", "deleted", "updated", "moved")) == 16
    old, new = ([json.loads(line) for line in path.read_text().splitlines()] for path in (before, after))
    deleted = [line for line in new if line.get("recoverable")]
    old_hashes, new_hashes = (Counter(line["sha256"] for line in lines) for lines in (old, new))
    assert not old_hashes - new_hashes
    assert (new_hashes - old_hashes).total() == counts["created"]
    was = {line["sha256"]: line for line in old}
    assert len([line for line in deleted if line["sha256"] in was]) == len(deleted) == counts["deleted"]
    kept = [line for line in new if line["sha256"] in was and line not in deleted]
    assert sum(line["folder_path"] != was[line["sha256"]]["folder_path"] for line in kept) == counts["moved"]
    assert sum(line["is_read"] != was[line["sha256"]]["is_read"] for line in kept) == counts["updated"]
    assert counts["users"].keys() == {line["user"] for line in old}
    assert sum(counts["contacts"].values()) == 8
    assert counts["contacts"].keys() == {"created", "deleted", "updated", "moved"}


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    seed(tmp_path, "contoso", "--generate", "4", "--apps", str(tmp_path / "apps"))
    apps = json.loads((tmp_path / "apps").read_text())
    form = apps["apps"]["exchange-restore"] | {
        "grant_type": "client_credentials",
        "scope": "https://graph.microsoft.com/.default",
    }
    with SimulatorProcess(tmp_path) as simulator:
        ca, url = simulator.ca_file.read_bytes(), simulator.url
        with httpx.Client(verify=simulator.tls(), trust_env=False) as http:
            token = http.post(f"{url}/{apps['tenant_id']}/oauth2/v2.0/token", data=form).json()["access_token"]
            headers = {"Authorization": f"Bearer {token}"}
            drafts = f"{url}/v1.0/users/restore-target@contoso.onmicrosoft.com/mailFolders/drafts/messages"
            created = http.post(drafts, json={"subject": "bleibt"}, headers=headers)
            assert created.status_code == 201
        simulator.kill()
        simulator.start()
        assert (simulator.url, simulator.ca_file.read_bytes()) == (url, ca)
        with httpx.Client(verify=simulator.tls(), trust_env=False) as http:
            found = http.get(drafts, headers=headers).json()["value"]
        assert [(each["id"], each["subject"]) for each in found] == [(created.json()["id"], "bleibt")]


def test_large_mail_is_streamed_whole_and_can_break_off(tmp_path: Path, fabrikam: Any, simulator: Any, q: Any) -> None:
    raw = b"Subject: gross\r\n\r\n" + random.Random(5).randbytes(1_500_000).hex().encode() + b"\n"
    (tmp_path / "mbox").write_bytes(b"From a Thu Jan  1 00:00:00 2026\n" + raw + b"\n")
    seed(simulator.state, "fabrikam", "--mbox", str(tmp_path / "mbox"), "--user", "archiv")
    user = fabrikam.user("archiv")
    message = fabrikam.call("GET", f"{user}/messages?$select=subject").json()["value"][0]
    path = f"{user}/messages/{q(message['id'])}/$value"
    assert fabrikam.call("GET", path).content == raw
    simulator.control("POST", "faults", {"kind": "reset-mid-body", "match": "value$", "after_bytes": 2_000_000})
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        fabrikam.call("GET", path)
    assert fabrikam.call("GET", path).content == raw


def test_a_killed_seeding_leaves_whole_messages_and_can_be_repeated(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "graph_simulator", "seed", "--state", str(tmp_path), "--tenant", "contoso"]
    process = subprocess.Popen([*command, "--generate", "3000"])
    connection = open_database(tmp_path)
    deadline = monotonic() + 30
    while connection.execute("SELECT count(*) FROM content").fetchone()[0] == 0:
        assert monotonic() < deadline
        assert process.poll() is None
    process.kill()
    process.wait()
    stored = connection.execute("SELECT count(*), count(mime) FROM message JOIN content ON message_pk = pk").fetchone()
    assert stored[0] == stored[1] == connection.execute("SELECT count(*) FROM message").fetchone()[0]
    connection.close()
    again = seed(tmp_path, "contoso", "--generate", "4")
    assert sum(again["mailboxes"].values()) == stored[0] + 4


def test_opaque_tokens_and_short_lifetimes(tmp_path: Path) -> None:
    seed(tmp_path, "contoso", "--generate", "0", "--apps", str(tmp_path / "apps"))
    apps = json.loads((tmp_path / "apps").read_text())
    form = apps["apps"]["directory"] | {
        "grant_type": "client_credentials",
        "scope": "https://graph.microsoft.com/.default",
    }
    with (
        SimulatorProcess(tmp_path, options=("--opaque-tokens", "--token-lifetime", "1")) as simulator,
        httpx.Client(verify=simulator.tls(), trust_env=False) as http,
    ):
        answer = http.post(f"{simulator.url}/contoso/oauth2/v2.0/token", data=form).json()
        assert answer["expires_in"] == 1
        assert "." not in answer["access_token"]
        headers = {"Authorization": f"Bearer {answer['access_token']}"}
        statuses = [http.get(f"{simulator.graph_url}/users", headers=headers).status_code]
        while statuses[-1] == 200 and len(statuses) < 10_000:
            answered = http.get(f"{simulator.graph_url}/users", headers=headers)
            statuses.append(answered.status_code)
        assert statuses[0] == 200
        assert answered.status_code == 401
        assert "token is expired" in answered.json()["error"]["message"]


def test_faults_from_a_file_are_not_doubled_by_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    file.write_text(json.dumps([{"kind": "throttle", "match": "/users", "count": 3}, {"kind": "delay", "seconds": 0}]))
    with SimulatorProcess(tmp_path, options=("--faults-file", str(file))) as simulator:
        simulator.kill()
        simulator.start()
        assert [rule["kind"] for rule in simulator.control("GET", "faults")["faults"]] == ["throttle", "delay"]


def test_sigterm_ends_it_at_once_even_with_an_idle_client(tmp_path: Path) -> None:
    simulator = SimulatorProcess(tmp_path)
    simulator.start()
    with httpx.Client(verify=simulator.tls(), trust_env=False) as http:
        assert http.get(f"{simulator.url}/nowhere/v2.0/.well-known/openid-configuration").status_code == 400
        process = simulator._process
        assert process is not None
        process.send_signal(signal.SIGTERM)
        assert process.wait(2) in (0, -signal.SIGTERM)
    simulator.stop()


def test_a_taken_port_is_named(tmp_path: Path, simulator: SimulatorProcess) -> None:
    command = [
        sys.executable,
        "-m",
        "graph_simulator",
        "serve",
        "--state",
        str(tmp_path),
        "--port",
        str(simulator.port),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"127.0.0.1:{simulator.port} (option --port): Address already in use" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["seed", "--tenant", "contoso"], "exactly one of"),
        (["change", "--tenant", "contoso", "--seed", "1"], "no tenant contoso"),
        (["dump", "--tenant", "contoso", "--user", "x", "--out", "y"], "no tenant contoso"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_2(tmp_path: Path, arguments: list[str], text: str) -> None:
    command = [sys.executable, "-m", "graph_simulator", *arguments, "--state", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert text in done.stderr
    assert "Traceback" not in done.stderr
