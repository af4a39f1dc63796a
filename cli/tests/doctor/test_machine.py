import datetime as dt
import socket
from pathlib import Path

import pytest

from tenantkeep.doctor import machine, running
from tenantkeep.doctor.finding import Answer, Finding
from tenantkeep.stack import home as homes
from tenantkeep.stack import stack
from tenantkeep.stack.home import Home
from tenantkeep.stack.settings import StackSettings, load


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A folder as a first start leaves it, without the servers' data."""
    found = Home(tmp_path / "home")
    homes.prepare(found, stack.furnish)
    homes.write_stamp(found)
    return found


def settings(home: Home, **changed: object) -> StackSettings:
    return load(home.root).model_copy(update={"ports": "auto", **changed})


def check(home: Home, **changed: object) -> list[Finding]:
    return list(machine.check(home, settings(home, **changed), running=False))


def not_good(found: list[Finding]) -> list[tuple[str, str]]:
    return [(one.area, one.subject) for one in found if one.answer is not Answer.GOOD]


def test_a_sound_folder_is_good_in_every_area(home: Home) -> None:
    found = check(home)
    assert not_good(found) == []
    assert {one.area for one in found} == {"versions", "folder", "ports", "certificates"}
    assert {"ca.pem", "nats.pem", "gateway.pem"} <= {one.subject for one in found if one.area == "certificates"}


def test_no_folder_yet_is_unknown_and_says_how_it_comes(tmp_path: Path) -> None:
    home = Home(tmp_path / "none")
    (finding,) = [one for one in check(home) if one.area == "folder"]
    assert finding.answer is Answer.UNKNOWN
    assert "tenantkeep up" in finding.remedy.en


def test_a_secret_that_others_can_read_is_named_with_the_remedy(home: Home) -> None:
    leaky = home.secrets / "vault-unseal.key"
    leaky.chmod(0o644)
    (finding,) = [one for one in check(home) if one.answer is Answer.BAD]
    assert finding.subject == str(leaky)
    assert finding.remedy.en == f"chmod go-rwx {leaky}"


def test_a_taken_port_is_named(home: Home) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        (finding,) = [one for one in check(home, ports="fixed", port_nats=port) if one.area == "ports"]
    assert finding.answer is Answer.BAD
    assert "TENANTKEEP_PORT_" in finding.remedy.en


def test_a_folder_of_a_newer_server_is_bad(home: Home) -> None:
    home.stamp.write_text('{"layout": 1, "components": {"tenantkeep-cli": "99.0"}}')
    (finding,) = [one for one in check(home) if one.answer is Answer.BAD]
    assert "99.0" in finding.detail


def test_a_certificate_near_its_end_is_bad(home: Home) -> None:
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=380)
    found = list(machine.certificates(home.pki.glob("*.pem"), later))
    assert {one.subject for one in found if one.answer is Answer.GOOD} == {"ca.pem", "ca-bundle.pem"}
    assert ("certificates", "nats.pem") in not_good(found)


@pytest.mark.parametrize(
    ("seconds", "answer"), [(0, Answer.GOOD), (4, Answer.GOOD), (-6, Answer.BAD), (90, Answer.BAD)]
)
def test_a_clock_that_is_off_is_bad(seconds: int, answer: Answer) -> None:
    assert running.judged("https://x", dt.timedelta(seconds=seconds)).answer is answer
