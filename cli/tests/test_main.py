"""The command as a whole: every entry of its table is there, and each loads no more than it needs."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from tenantkeep.main import COMMANDS, app

HEAVY = {"backup_engine", "circus", "cryptography", "jinja2", "nkeys", "pymongo", "starlette", "uvicorn"}
"""What the embedded stack, papers and recovery need: a second of every start, if each command loaded it."""


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    shown = CliRunner().invoke(app, [name, "--help"])
    assert shown.exit_code == 0, shown.output
    assert f"Usage: tenantkeep {name} " in shown.output


def test_the_help_lists_every_command_in_the_order_of_the_table() -> None:
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "120"}).output
    places = [shown.index(f"│ {name} ") for name in COMMANDS]
    assert places == sorted(places)


def test_a_slip_of_the_pen_is_answered_with_what_was_meant() -> None:
    shown = CliRunner().invoke(app, ["bakup"])
    assert shown.exit_code == 2
    assert "Did you mean 'backup'?" in shown.output


@pytest.mark.parametrize("command", ["backup", "jobs", "tenant", "health"])
def test_a_question_to_the_gateway_loads_nothing_of_the_stack(command: str) -> None:
    script = (
        "import sys; from tenantkeep.main import app\n"
        f"try: app(['{command}', '--help'])\n"
        f"except SystemExit: print('loaded:', *sorted({HEAVY!r} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("loaded:"), done.stdout
