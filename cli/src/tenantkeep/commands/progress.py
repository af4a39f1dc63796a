"""Live progress of a run: a bar per mailbox on a terminal, a line per change elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bars

from contracts.names import JobState
from contracts.texts import Text, render
from contracts.views import Job, Run
from tenantkeep.commands import labels
from tenantkeep.commands.output import Screen
from tenantkeep.commands.waiting import Progress

_WITH_HELD = Text("{} ({} held)", "{} ({} angehalten)")


def done(job: Job) -> int:
    """Items of the job that need no more work."""
    counts = job.counts
    return counts.stored + counts.unchanged + counts.failed + counts.skipped


def total(job: Job) -> int | None:
    """Items the job has to look at; None while it has not counted them."""
    return job.counts.listed or None


def status(job: Job, language: str) -> str:
    """State of a job in words; a held one says why."""
    if job.hold is not None and not job.state.finished:
        return labels.code(job.hold.reason, language)
    if job.fatal is not None:
        return f"{labels.code(job.state, language)}: {labels.error_title(job.fatal.error, language)}"
    return labels.code(job.state, language)


def run_status(run: Run, language: str) -> str:
    """State of a run in words; one that waits says for what, one with held jobs how many."""
    if run.hold is not None and not run.state.finished:
        return labels.code(run.hold.reason, language)
    state = labels.code(run.state, language)
    return render(_WITH_HELD, language).format(state, run.held) if run.held and not run.state.finished else state


@contextmanager
def download_bar(screen: Screen, expected: int) -> Iterator[Callable[[int], None]]:
    """A bar for a download of about `expected` bytes; call the result with the length of each block."""
    columns = (BarColumn(bar_width=30), DownloadColumn(), TransferSpeedColumn())
    with Bars(*columns, console=screen.console, disable=not screen.console.is_terminal) as bars:
        task = bars.add_task("", total=expected or None)
        yield lambda length: bars.advance(task, length)


class RunProgress:
    """A context in which `show` may be called at every look at the run."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._bars = Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[status]}", markup=False),
            console=screen.console,
            transient=False,
            disable=not screen.console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._said: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def show(self, progress: Progress) -> None:
        if progress.run is not None and progress.run.hold is not None:
            self._say(progress.run.id, run_status(progress.run, self._screen.language))
        for job in progress.jobs:
            if self._screen.console.is_terminal:
                self._draw(job)
            else:
                self._tell(job)

    def _draw(self, job: Job) -> None:
        if job.id not in self._tasks:
            name = job.resource_name or job.resource
            self._tasks[job.id] = self._bars.add_task(name, total=None, status="", start=False)
        task = self._tasks[job.id]
        if job.state is not JobState.WAITING:
            self._bars.start_task(task)
        finished = done(job)
        # What has ended has no unknown total any more; an empty mailbox is 0 of 0.
        whole = (total(job) or finished) if job.state.finished else total(job)
        completed = whole if job.state is JobState.SUCCEEDED and whole is not None else finished
        self._bars.update(task, total=whole, completed=completed, status=status(job, self._screen.language))
        if job.state.finished:
            self._bars.stop_task(task)

    def _tell(self, job: Job) -> None:
        words = status(job, self._screen.language)
        self._say(job.id, words, f"{job.resource_name or job.resource}: {words} ({done(job)})")

    def _say(self, what: str, words: str, line: str = "") -> None:
        """Print a line when the words about it are others than last time."""
        if self._said.get(what) == words or self._screen.as_json:
            return
        self._said[what] = words
        self._screen.console.print(line or words, markup=False)
