"""Waiting for a run: asks until it has ended or the time is over, and lives through a gateway that restarts."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from contracts.names import JobState
from contracts.texts import Text
from contracts.views import Job, Run
from tenantkeep.commands.client import Gateway
from tenantkeep.commands.clock import Clock
from tenantkeep.commands.errors import CommandError, Refused, Unreachable
from tenantkeep.exit_codes import ExitCode

INTERVAL = 0.5
_NOT_FOUND = 404


@dataclass(frozen=True)
class Progress:
    """What is known of a run: None until it is planned; `silent` says why the last question got no answer."""

    run: Run | None = None
    jobs: tuple[Job, ...] = ()
    silent: Text | None = None

    @property
    def ended(self) -> bool:
        return self.run is not None and self.run.state.finished

    @property
    def exit_code(self) -> ExitCode:
        """The state of the run as exit code; a run that has not ended is still waiting."""
        return ExitCode.STILL_WAITING if self.run is None else EXIT_CODES[self.run.state]


EXIT_CODES = {
    JobState.WAITING: ExitCode.STILL_WAITING,
    JobState.RUNNING: ExitCode.STILL_WAITING,
    JobState.SUCCEEDED: ExitCode.SUCCEEDED,
    JobState.PARTIAL: ExitCode.PARTIAL,
    JobState.FAILED: ExitCode.FAILED,
}

Watch = Callable[[Progress], None]


def wait_for_run(
    gateway: Gateway,
    tenant: str,
    run: str,
    *,
    clock: Clock,
    timeout: float,
    watch: Watch,
    interval: float = INTERVAL,
) -> Progress:
    """Ask every `interval` seconds until the run has ended, for at most `timeout` seconds.

    A gateway that does not answer is asked again. A request still on its way to the planner is not found yet, so
    404 counts as not planned until the time is over. Any other refusal ends the wait.
    """
    deadline = clock.now() + timeout
    progress = Progress()
    while True:
        with gateway.asking_once():
            progress = _look(gateway, tenant, run, progress)
        watch(progress)
        if progress.ended or clock.now() >= deadline:
            return progress
        clock.pause(min(interval, max(0.0, deadline - clock.now())))


def _look(gateway: Gateway, tenant: str, run: str, before: Progress) -> Progress:
    try:
        found = gateway.run(tenant, run)
        # The run is read first: when it has ended, the jobs read after it are final too.
        return Progress(found, tuple(gateway.jobs(tenant, run)))
    except Unreachable as error:
        return replace(before, silent=error.message)
    except Refused as error:
        if error.problem.status == _NOT_FOUND and before.run is None:
            return before
        raise


def raise_unless_ended(progress: Progress, run: str) -> None:
    """Exit code 4 with the way to go on."""
    if progress.ended:
        return
    why = progress.silent or Text("", "")
    raise CommandError(
        Text(f"The run {run} has not ended yet. {why.en}".strip(), f"Der Lauf {run} läuft noch. {why.de}".strip()),
        Text(
            f"It goes on by itself; look at it with: tenantkeep jobs list {run}",
            f"Er läuft von selbst weiter; ansehen: tenantkeep jobs list {run}",
        ),
        ExitCode.STILL_WAITING,
        code="waiting",
    )
