"""`tenantkeep doctor` and `tenantkeep support-bundle` on real servers."""

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from secret_scan import Scan
from stack_fixture import RunningStack

from contracts.streams import DURABLES, STREAMS
from tenantkeep.stack import services
from tenantkeep.stack.settings import load

pytestmark = pytest.mark.integration


def _findings(stack: RunningStack, exit_code: int) -> dict[tuple[str, str], dict[str, str]]:
    done = stack.command("doctor", "--json", check=False)
    assert done.returncode == exit_code, done.stdout + done.stderr
    return {(one["area"], one["subject"]): one for one in json.loads(done.stdout)["findings"]}


def test_what_is_missing_on_the_bus_is_named_until_it_is_there(servers: RunningStack) -> None:
    before = _findings(servers, 1)
    missing = {subject for (area, subject), one in before.items() if area == "bus" and one["answer"] == "bad"}
    assert missing == {s.name for s in STREAMS} | {d.name for d in DURABLES}
    assert [one for (area, _), one in before.items() if area != "bus" and one["answer"] != "good"] == []

    environment = services.bootstrap_environment(servers.home, servers.ports, load(servers.home.root))
    subprocess.run([sys.executable, "-m", "chassis.bootstrap"], env=environment, check=True, capture_output=True)
    after = _findings(servers, 0)
    assert after["bus", "streams and durables"]["detail"] == f"{len(STREAMS)} and {len(DURABLES)}"
    assert {"processes", "tls", "clock", "certificates", "folder", "versions", "bus"} == {area for area, _ in after}


def test_the_support_bundle_helps_and_holds_no_secret(servers: RunningStack, tmp_path: Path) -> None:
    log = servers.home.log("planted")
    operator = json.loads((servers.home.secrets / "operator.json").read_text())
    log.write_text(f"a crash told {operator['client_secret']} of anna@contoso.example\n")
    out = tmp_path / "case.zip"
    try:
        servers.command("support-bundle", "--out", str(out))
    finally:
        log.unlink()
    assert out.stat().st_mode & 0o077 == 0

    scan = Scan()
    for path in [*servers.home.secrets.iterdir(), *servers.home.pki.glob("*.key")]:
        if not path.name.endswith(".pem") and path.suffix != ".key":
            scan.know_file(path)
    with zipfile.ZipFile(out) as archive:
        assert archive.testzip() is None
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    for name, content in parts.items():
        scan.read(f"bundle:{name}", content)
        assert not re.search(r"PRIVATE KEY-----\n", content), name
    assert scan.found == []
    assert {"doctor.json", "versions.json", "environment.json", "jobs.json", "logs/nats.log"} <= parts.keys()
    assert re.fullmatch(r"a crash told \[redacted\] of person-[0-9a-f]{10}\n", parts["logs/planted.log"])
    assert "not signed in" in parts["jobs.json"]
