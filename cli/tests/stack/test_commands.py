"""What the commands say when they cannot do what was asked."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tenantkeep.main import app


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TENANTKEEP_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_an_unknown_process_names_the_known_ones(empty: Path) -> None:
    done = run("up", "--only=database")
    assert done.exit_code == 1
    assert "No such process: database" in done.stderr
    assert "documents" in done.stderr
    assert not empty.exists()


def test_services_without_the_bus_are_refused(empty: Path) -> None:
    done = run("up", "--only=gateway")
    assert done.exit_code == 1
    assert "Add nats to --only" in done.stderr


@pytest.mark.parametrize("command", [("status",), ("down",), ("objects", "identity", "contoso")])
def test_without_a_stack_the_next_step_is_up(empty: Path, command: tuple[str, ...]) -> None:
    done = run(*command)
    assert done.exit_code == 1
    assert "tenantkeep up" in done.stderr


def test_a_tenant_is_a_slug(empty: Path) -> None:
    done = run("objects", "identity", "Contoso AG/..")
    assert done.exit_code == 2
    assert "a-z" in done.stderr


def test_a_folder_of_somebody_else_is_refused(empty: Path) -> None:
    empty.mkdir()
    (empty / "thesis.txt").write_text("mine")
    done = run("up", "--only=nats")
    assert done.exit_code == 1
    assert "was not made by Tenantkeep" in done.stderr
