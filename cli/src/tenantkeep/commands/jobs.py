"""`tenantkeep jobs …`: runs, their jobs, and why something is missing."""

from collections.abc import Sequence
from typing import Annotated

import typer

from contracts.texts import Text
from contracts.views import Failure, ItemProblem, Job, Run
from tenantkeep.commands import figures, labels
from tenantkeep.commands.choose import tenant_of
from tenantkeep.commands.client import connect
from tenantkeep.commands.contacts import show_support
from tenantkeep.commands.findings import show_findings
from tenantkeep.commands.options import Json, Lang, TenantName
from tenantkeep.commands.output import Screen, reported
from tenantkeep.commands.progress import run_status, status
from tenantkeep.commands.restored import show_restored
from tenantkeep.commands.waiting import Progress

app = typer.Typer(help="Runs and their jobs, with what went wrong and what to do.", no_args_is_help=True)


@app.command("list")
@reported
def list_(
    *,
    run: Annotated[str | None, typer.Argument(help="Id of a run: list its jobs. [default: list the runs]")] = None,
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """List the runs of a tenant, or the jobs of one run.

    Example: tenantkeep jobs list --tenant contoso
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        if run is not None:
            show_run(screen, Progress(gateway.run(slug, run), tuple(gateway.jobs(slug, run))))
            return
        runs = sorted(gateway.runs(slug), key=lambda found: found.requested_at, reverse=True)
    if as_json:
        screen.document({"items": runs})
        return
    headers = (
        labels.RUN,
        labels.KIND,
        labels.STATE,
        labels.REQUESTED,
        labels.DURATION,
        labels.JOBS,
        labels.STORED,
        labels.UNCHANGED,
        labels.FAILED,
        labels.SKIPPED,
    )
    screen.table(headers, [_run_row(item, screen) for item in runs])


@app.command("show")
@reported
def show(
    *,
    job: Annotated[str, typer.Argument(help="Id of the job.")],
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Show a job with its three lists apart: the fatal error, errors of items, items skipped with a cause.

    What a backup counted is shown by source, and who had no job in its run.

    Example: tenantkeep jobs show 01JD… --lang de
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        slug = tenant_of(gateway, tenant)
        found, of = gateway.job(slug, job), gateway.tenant(slug)
        run = gateway.run(slug, found.run)
    if as_json:
        left_out = {"left_out": run.left_out, "left_out_counts": run.left_out_counts}
        screen.document({**found.model_dump(mode="json"), **left_out})
        return
    _job_table(screen, [found])
    _source_table(screen, found)
    _left_out(screen, run)
    show_findings(screen, [found])
    show_restored(screen, [found])
    _problems(screen, [found])
    if found.fatal is not None or found.item_errors:
        show_support(screen, of)


@app.command("problems")
@reported
def problems(
    *,
    job: Annotated[str, typer.Argument(help="Id of a restore job.")],
    tenant: TenantName = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """List every item that a restore could not bring back, or not as it was, and why; `jobs show` has the first 100.

    Example: tenantkeep jobs problems 01JD… --json > missing.json
    """
    screen = Screen(lang, as_json=as_json)
    with connect(screen) as gateway:
        found = gateway.restore_problems(tenant_of(gateway, tenant), job)
    if as_json:
        screen.document({"items": found})
        return
    _items(screen, labels.ITEM_ERRORS, found)


def show_run(screen: Screen, progress: Progress) -> None:
    """A run with its jobs, and their three lists if there are any."""
    if screen.as_json:
        screen.document({"run": progress.run, "jobs": progress.jobs})
        return
    if progress.run is not None:
        run = progress.run
        screen.say(
            Text("Run {}: {} {}", "Lauf {}: {} {}"),
            run.id,
            run_status(run, screen.language),
            figures.between(run.started_at, run.finished_at),
        )
        _fatal(screen, run.fatal)
        _left_out(screen, run)
    _job_table(screen, progress.jobs)
    show_findings(screen, progress.jobs)
    show_restored(screen, progress.jobs)
    _problems(screen, progress.jobs)


def _left_out(screen: Screen, run: Run) -> None:
    """Users without a job; what the run does not name is counted."""
    if not run.left_out:
        return
    rows = [
        (
            one.name or one.resource,
            screen.text(labels.LEFT_OUT_REASONS[one.reason]),
            figures.moment(one.since) if one.since else "",
        )
        for one in run.left_out
    ]
    more = sum(run.left_out_counts.values()) - len(rows)
    rows += [("…", f"+{more}", "")] if more > 0 else []
    screen.table((labels.MAILBOX, labels.REASON, labels.SINCE), rows, title=labels.LEFT_OUT)


def _run_row(run: Run, screen: Screen) -> tuple[str, ...]:
    counts = run.counts
    return (
        run.id,
        screen.text(labels.KINDS[run.kind]),
        run_status(run, screen.language),
        figures.moment(run.requested_at),
        figures.between(run.started_at, run.finished_at),
        str(run.jobs),
        str(counts.stored),
        str(counts.unchanged),
        str(counts.failed),
        str(counts.skipped),
    )


def _source_table(screen: Screen, job: Job) -> None:
    rows = [
        (source, *(str(n) for n in (one.listed, one.stored, one.unchanged, one.failed, one.skipped)))
        for source, one in job.counts.by_source.items()
    ]
    headers = (labels.SOURCE, labels.LISTED, labels.STORED, labels.UNCHANGED, labels.FAILED, labels.SKIPPED)
    if rows:
        screen.table(headers, rows, title=labels.BY_SOURCE)


def _job_table(screen: Screen, jobs: Sequence[Job]) -> None:
    headers = (
        labels.JOB,
        labels.MAILBOX,
        labels.STATE,
        labels.DURATION,
        labels.LISTED,
        labels.STORED,
        labels.UNCHANGED,
        labels.FAILED,
        labels.SKIPPED,
        labels.RESTORE_POINT,
    )
    screen.table(headers, [_job_row(job, screen) for job in jobs])


def _job_row(job: Job, screen: Screen) -> tuple[str, ...]:
    counts = job.counts
    return (
        job.id,
        job.resource_name or job.resource,
        status(job, screen.language),
        figures.between(job.started_at, job.finished_at),
        str(counts.listed),
        str(counts.stored),
        str(counts.unchanged),
        str(counts.failed),
        str(counts.skipped),
        job.restore_point or "",
    )


def _problems(screen: Screen, jobs: Sequence[Job]) -> None:
    for job in jobs:
        _fatal(screen, job.fatal)
    _items(screen, labels.ITEM_ERRORS, [item for job in jobs for item in job.item_errors])
    _items(screen, labels.SKIPPED_ITEMS, [item for job in jobs for item in job.skipped])


def _fatal(screen: Screen, failure: Failure | None) -> None:
    if failure is None:
        return
    language = screen.language
    row = (
        labels.error_title(failure.error, language),
        labels.error_cause(failure.error, language),
        labels.error_remedy(failure.error, language),
        failure.detail,
    )
    screen.table((labels.PROBLEM, labels.CAUSE, labels.MEASURE, labels.DETAIL), [row], title=labels.FATAL_ERROR)


def _items(screen: Screen, title: Text, items: Sequence[ItemProblem]) -> None:
    if not items:
        return
    language = screen.language
    rows = [
        (
            item.item,
            labels.error_title(item.error, language),
            labels.error_remedy(item.error, language),
            item.detail,
        )
        for item in items
    ]
    screen.table((labels.ITEM, labels.PROBLEM, labels.MEASURE, labels.DETAIL), rows, title=title)
