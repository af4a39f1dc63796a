"""`tenantkeep simulator …`: the simulator's own commands on the embedded stack's tenant."""

import subprocess
import sys
from typing import Annotated

import typer

from tenantkeep.commands import settings
from tenantkeep.commands.output import reported
from tenantkeep.stack.errors import StackError
from tenantkeep.stack.home import Home

app = typer.Typer(help="Fill and change the simulated Microsoft 365 tenant.", no_args_is_help=True)

# The simulator checks its own options, so that they are described in one place.
_PASS = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
Rest = Annotated[list[str] | None, typer.Argument(help="Options of the simulator's command; see its --help.")]


def command(home: Home, name: str, arguments: list[str]) -> tuple[str, ...]:
    """The command line of one simulator command on the state of `home`."""
    return (sys.executable, "-m", "graph_simulator", name, "--state", str(home.simulator), *arguments)


@app.command("seed", context_settings=_PASS)
@reported
def seed(*, arguments: Rest = None) -> None:
    """Put mail into a tenant: generated, from an mbox file or from a Maildir.

    Example: tenantkeep simulator seed --tenant contoso --mbox archive.mbox --apps contoso-apps.json
    """
    _run("seed", arguments)


@app.command("change", context_settings=_PASS)
@reported
def change(*, arguments: Rest = None) -> None:
    """Change some mail: new, deleted, read, moved.

    Example: tenantkeep simulator change --tenant contoso --seed 7 --fraction 0.01
    """
    _run("change", arguments)


@app.command("dump", context_settings=_PASS)
@reported
def dump(*, arguments: Rest = None) -> None:
    """Write a mailbox as the simulator has it, to compare with.

    Example: tenantkeep simulator dump --tenant contoso --user anna@contoso.onmicrosoft.com --out anna/
    """
    _run("dump", arguments)


def _run(name: str, arguments: list[str] | None) -> None:
    given, home = arguments or [], settings.home()
    if not home.is_ours and "--help" not in given:
        # Filling the folder before its first start would make `up` refuse it.
        raise StackError(f"There is no stack in {home.root}.", remedy="Start one: tenantkeep up")
    done = subprocess.run(command(home, name, given), check=False)  # noqa: S603 -- our interpreter and module, no shell
    raise typer.Exit(done.returncode)
