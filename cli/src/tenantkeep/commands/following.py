"""A run that was started: shown until it has ended, or told how to look at it."""

from typing import Annotated

import typer

from contracts.texts import Text
from tenantkeep.commands.client import Gateway
from tenantkeep.commands.clock import SystemClock
from tenantkeep.commands.jobs import show_run
from tenantkeep.commands.output import Screen
from tenantkeep.commands.progress import RunProgress
from tenantkeep.commands.waiting import Progress, raise_unless_ended, wait_for_run
from tenantkeep.exit_codes import ExitCode

Key = Annotated[
    str | None, typer.Option("--idempotency-key", help="The same key never starts a second run (for scripts).")
]


def follow(screen: Screen, gateway: Gateway, tenant: str, run_id: str, timeout: float) -> Progress:
    """Show live progress until the run has ended; `CommandError` with exit code 4 if it has not in time."""
    with RunProgress(screen) as bars:
        progress = wait_for_run(gateway, tenant, run_id, clock=SystemClock(), timeout=timeout, watch=bars.show)
    raise_unless_ended(progress, run_id)
    return progress


def follow_or_tell(screen: Screen, gateway: Gateway, tenant: str, run_id: str, *, wait: bool, timeout: float) -> None:
    """Ends the command: with the exit code of the run, or at once when nobody waits."""
    if not wait:
        if screen.as_json:
            screen.document({"run": run_id})
        screen.say(
            Text(
                "Run {} is requested. See: tenantkeep jobs list {}", "Lauf {} ist angefordert: tenantkeep jobs list {}"
            ),
            run_id,
            run_id,
        )
        raise typer.Exit(ExitCode.SUCCEEDED)
    progress = follow(screen, gateway, tenant, run_id, timeout)
    show_run(screen, progress)
    raise typer.Exit(progress.exit_code)
