"""Another team connects as docs/reference/connect.md says: its scripts, as they are, against the real stack."""

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nacl
import nats
import nkeys
import pytest
from main_job import MainJob
from stack_fixture import running_stack

from contracts import envelope
from tenantkeep.stack import nats as stack_nats

pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(240)]

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "docs" / "reference" / "connect"
SUPPORT = ROOT / "tests" / "support"
MODES = pytest.mark.parametrize("mode", ["binary", "structured"])
NODE_PACKAGE = "nats@2.29.3"


@dataclass
class Stranger:
    """A system with a bus user of its own, and nothing of ours but the page."""

    job: MainJob
    folder: Path
    configuration: str
    environment: dict[str, str]

    def python(self, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
        """The Python script; -S and -I leave it the standard library and the three packages in `lib`."""
        start = (
            f"import runpy, sys; sys.path.insert(0, {str(self.folder / 'lib')!r}); "
            "import importlib.util as u; assert not any(map(u.find_spec, ('contracts', 'chassis', 'tenantkeep'))); "
            "runpy.run_path(sys.argv.pop(1), run_name='__main__')"
        )
        command = [sys.executable, "-I", "-S", "-c", start, str(SCRIPTS / "request_backup.py")]
        return self._lines(command, *arguments)

    def node(self, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
        return self._lines(["node", str(self.folder / "request_backup.mjs")], *arguments)

    def shell(self, mode: str) -> subprocess.CompletedProcess[str]:
        stack = self.job.stack
        place = (stack_nats.url(stack.ports), str(stack.home.ca_bundle), str(self.folder / "crm.nk"))
        return self._run(["sh", str(SCRIPTS / "request_backup.sh"), *place, "crm", "contoso", "open", mode])

    def _lines(self, command: list[str], *arguments: str) -> tuple[int, list[dict[str, Any]]]:
        stack = self.job.stack
        place = ["--server", stack_nats.url(stack.ports), "--ca", str(stack.home.ca_bundle)]
        place += ["--seed", str(self.folder / "crm.nk"), "--source", "crm", "--tenant", "contoso", "--wait", "90"]
        done = self._run([*command, *place, *arguments])
        assert done.stdout, done.stderr
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=120, check=False
        )


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stranger]:
    folder = tmp_path_factory.mktemp("connect")
    home = folder / "theirs"
    (home / "bin").mkdir(parents=True)
    with running_stack(folder) as stack:
        job = MainJob(stack, folder)
        job.onboard("--generate", "10", "--mailboxes", "1", "--seed", "5")
        configuration = job.configure("open")
        added = job.command("source", "add", "crm", "--tenant", "contoso", "--credentials", str(home / "crm.nk"))
        assert (added["durable"], added["credentials"]) == ("source-crm", str(home / "crm.nk"))
        _furnish(home)
        environment = {"PATH": f"{home / 'bin'}:{os.environ['PATH']}", "HOME": str(home)}  # noqa: TID251 - their own
        yield Stranger(job, home, configuration["id"], environment)


def _furnish(home: Path) -> None:
    """nats-py and what it needs, and a `nats` command: the real one if there is one."""
    lib = home / "lib"
    lib.mkdir()
    site = Path(nats.__file__).parents[1]
    for package in (nats, nkeys, nacl):
        place = Path(package.__file__).parent
        (lib / place.name).symlink_to(place)
    for name in ("cffi", *(path.name for path in site.glob("_cffi_backend*")), "pycparser"):
        if (site / name).exists():
            (lib / name).symlink_to(site / name)
    if shutil.which("nats") is None:
        command = home / "bin" / "nats"
        command.write_text(f'#!/bin/sh\nexec {sys.executable} {SUPPORT / "nats_command.py"} "$@"\n')
        command.chmod(0o755)


def _check_course(events: list[dict[str, Any]], end: str = "succeeded") -> None:
    stored, *course = events
    assert not stored["repeat"]
    assert {event["causation"] for event in course} == {stored["id"]}
    assert {event["requested_by"] for event in course} == {"crm"}
    runs = [event["type"] for event in course if event["scope"] == "run"]
    assert (runs[0], runs[-1]) == ("m365.job.queued.v1", f"m365.job.{end}.v1")
    assert {event["run"] for event in course} == {envelope.run_id("crm", stored["id"])}


@MODES
def test_a_plain_nats_py_script_asks_and_hears(stranger: Stranger, mode: str) -> None:
    code, events = stranger.python("--configuration", "open", "--mode", mode)
    _check_course(events)
    assert code == 0
    assert {"run", "job"} == {event["scope"] for event in events[1:]}


@MODES
def test_a_node_script_asks_and_hears(stranger: Stranger, mode: str) -> None:
    if not (stranger.folder / "node_modules").exists():
        assert shutil.which("npm"), "node and npm are missing; on Debian: apt-get install nodejs npm"
        shutil.copy(SCRIPTS / "request_backup.mjs", stranger.folder)
        install = ["npm", "install", "--no-audit", "--no-fund", "--no-save", "--prefix", str(stranger.folder)]
        subprocess.run([*install, NODE_PACKAGE], check=True, capture_output=True, timeout=120)
    code, events = stranger.node("--configuration", stranger.configuration, "--mode", mode)
    _check_course(events)
    assert code == 0


@MODES
def test_the_nats_command_asks_and_hears(stranger: Stranger, mode: str) -> None:
    done = stranger.shell(mode)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Stored in Stream: M365_EXT" in done.stdout
    assert "ce-type: m365.job.succeeded.v1" in done.stdout


def test_the_same_request_is_the_same_run(stranger: Stranger) -> None:
    identity = str(uuid.uuid4())
    first, _ = stranger.python("--configuration", "open", "--id", identity)
    again, events = stranger.python("--configuration", "open", "--id", identity, "--wait", "3", "--mode", "structured")
    runs = [
        run for run in stranger.job.command("jobs", "list")["items"] if run["id"] == envelope.run_id("crm", identity)
    ]
    assert (first, again, events[0]["repeat"], len(runs)) == (0, 4, True, 1)


def test_what_cannot_be_done_is_told(stranger: Stranger) -> None:
    code, events = stranger.python("--configuration", "missing")
    _check_course(events, "failed")
    assert (code, events[-1]["error"]) == (1, "not_found")
    code, [stored, rejected] = stranger.python("--configuration", "no such name", "--mode", "structured")
    assert (code, rejected["type"]) == (1, "m365.request.rejected.v1")
    assert (rejected["sequence"], rejected["causation"]) == (stored["stored"], stored["id"])
    assert rejected["reason"].startswith("unreadable: configuration: ")
    letters = stranger.job.command("dead-letters", "list")["items"]
    assert [letter["durable"] for letter in letters] == ["backup-requested"]


def test_commands_name_what_is_wrong(stranger: Stranger) -> None:
    stack = stranger.job.stack
    for arguments, code, text in (
        (("add", "shop", "--tenant", "fabrikam"), 2, "No such tenant: fabrikam. There are: contoso"),
        (("add", "gateway", "--tenant", "contoso"), 2, "gateway cannot name a source"),
        (("add", "Shop", "--tenant", "contoso"), 2, "Shop cannot name a source"),
        (("remove", "shop"), 1, "There is no foreign source shop."),
    ):
        done = stack.command("source", *arguments, check=False)
        assert (done.returncode, text in done.stderr) == (code, True), done.stderr
    listed = stranger.job.command("source", "list")["items"]
    assert [(source["name"], source["tenants"]) for source in listed] == [("crm", ["contoso"])]
    config = json.loads(stack.command("source", "config").stdout)
    assert config.keys() == {"M365", "source-crm"}
    again = stranger.job.command("source", "add", "crm", "--tenant", "contoso")
    assert again["credentials"] is None
