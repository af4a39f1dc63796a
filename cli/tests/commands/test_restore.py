"""`backup restore`: what it asks for, and what it shows when it has ended."""

import json
from typing import Any

import pytest

from contracts.errors import ErrorClass
from contracts.names import JobKind, JobState, Source
from contracts.restoring import RestoredSource, RestoreReport
from contracts.views import Failure, ItemProblem


@pytest.fixture
def point(signed_in: Any, point_of: Any) -> None:
    signed_in.points = [point_of("p1", "anna@contoso.com")]


@pytest.fixture
def restored(signed_in: Any, run_of: Any, job_of: Any, point: None) -> Any:
    """A restore that ends as the test says."""

    def end(state: JobState, *, dry_run: bool = False, **fields: Any) -> Any:
        source = RestoredSource(source=Source.MAIL, selected=9, created=5, replaced=2, skipped=1, verified=7, failed=1)
        report = RestoreReport(dry_run=dry_run, sources=(source,), problems=1)
        job = job_of(state).model_copy(update={"kind": JobKind.RESTORE, "restored": report, **fields})
        signed_in.script = [(run_of(state), [job])]
        return job

    return end


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ([], {"target_user": "", "target_folder": "", "place": "folder", "conflict": "copy", "dry_run": False}),
        (["--to", "b@contoso.com", "--into", "Back"], {"target_user": "b@contoso.com", "target_folder": "Back"}),
        (["--original"], {"place": "original", "conflict": "skip"}),
        (["--original", "--conflict", "replace", "--dry-run"], {"conflict": "replace", "dry_run": True}),
        (
            ["--item", "AAkA", "--item", "AAkB", "--folder", "AAMk", "--source", "mail"],
            {"selection": {"items": ["AAkA", "AAkB"], "folders": ["AAMk"], "sources": ["mail"]}},
        ),
    ],
)
def test_it_asks_for_what_was_typed(
    signed_in: Any, tenantkeep: Any, point: None, arguments: list[str], sent: dict[str, Any]
) -> None:
    done = tenantkeep("backup", "restore", "anna@contoso.com", *arguments)
    assert done.exit_code == 0, done.output
    body = signed_in.bodies[-1][1]
    assert sent.items() <= body.items()
    assert body["restore_point"] == "p1"


@pytest.mark.parametrize("arguments", [["--original", "--into", "Back"], ["--conflict", "overwrite"]])
def test_what_contradicts_itself_is_refused_before_anything_is_asked(
    signed_in: Any, tenantkeep: Any, point: None, arguments: list[str]
) -> None:
    assert tenantkeep("backup", "restore", "anna@contoso.com", *arguments).exit_code == 2
    assert signed_in.bodies == []


def test_too_many_ids_say_what_to_do(signed_in: Any, tenantkeep: Any, point: None) -> None:
    ids = [part for n in range(1001) for part in ("--item", f"A{n}")]
    done = tenantkeep("backup", "restore", "anna@contoso.com", *ids)
    assert done.exit_code == 2
    assert "folders" in done.stderr


def test_a_partial_restore_names_its_items_and_ends_with_3(tenantkeep: Any, restored: Any) -> None:
    problem = ItemProblem(item="AAkX", error=ErrorClass.INTEGRITY, detail="the restored mail differs in: received")
    restored(JobState.PARTIAL, item_errors=(problem,))
    done = tenantkeep("backup", "restore", "anna@contoso.com", "--wait", "--lang", "de")
    assert done.exit_code == 3
    for shown in ("Wiederhergestellt und verglichen", "AAkX", "differs in: received"):
        assert shown in done.stdout


def test_problems_beyond_the_first_are_listed_by_their_own_command(
    signed_in: Any, tenantkeep: Any, restored: Any
) -> None:
    report = RestoreReport(problems=250)
    job = restored(JobState.PARTIAL, restored=report)
    done = tenantkeep("backup", "restore", "anna@contoso.com", "--wait")
    assert f"250 items have problems. All of them: tenantkeep jobs problems {job.id}" in " ".join(done.stdout.split())
    signed_in.restore_problems = [
        ItemProblem(item=f"AAk{n}", error=ErrorClass.INTEGRITY, detail="differs") for n in range(250)
    ]
    listed = json.loads(tenantkeep("jobs", "problems", job.id, "--json").stdout)
    assert [problem["item"] for problem in listed["items"]] == [f"AAk{n}" for n in range(250)]


def test_a_dry_run_is_called_one(tenantkeep: Any, restored: Any) -> None:
    restored(JobState.SUCCEEDED, dry_run=True)
    done = tenantkeep("backup", "restore", "anna@contoso.com", "--original", "--dry-run", "--wait")
    assert (done.exit_code, "Dry run" in done.stdout) == (0, True)


def test_the_report_is_in_the_document(tenantkeep: Any, restored: Any) -> None:
    restored(JobState.SUCCEEDED)
    done = tenantkeep("backup", "restore", "anna@contoso.com", "--wait", "--json")
    (job,) = json.loads(done.stdout)["jobs"]
    assert job["restored"]["sources"][0]["replaced"] == 2


@pytest.mark.parametrize(("lang", "offer"), [("en", "another user with --to"), ("de", "in ein anderes Postfach")])
def test_a_mailbox_that_is_gone_leads_to_another_one_or_an_export(
    tenantkeep: Any, restored: Any, lang: str, offer: str
) -> None:
    restored(JobState.FAILED, restored=None, fatal=Failure(error=ErrorClass.NOT_FOUND, detail="no mailbox"))
    done = tenantkeep("backup", "restore", "anna@contoso.com", "--original", "--wait", "--lang", lang)
    assert done.exit_code == 1
    assert offer in done.stdout
    assert "tenantkeep backup export" in done.stdout
