import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import ErrorClass
from contracts.events.jobs import Counts, SourceCounts
from contracts.names import HoldReason, JobState, LeftOutReason
from contracts.problem import Problem, below_floor
from contracts.views import BackupConfiguration, Failure, Hold, ItemProblem, LeftOut, StorageTarget

NOW = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)


@pytest.fixture
def configured(signed_in: Any) -> Any:
    """One storage target and one configuration."""
    target = {"endpoint": "https://s3.example.com", "bucket": "backups", "region": "eu", "prefix": ""}
    signed_in.targets.append(
        StorageTarget(tenant="contoso", id="target-1", name="archive", created_at=NOW, tested_at=NOW, **target)
    )
    signed_in.configurations.append(
        BackupConfiguration(
            tenant="contoso",
            id="configuration-1",
            name="nightly",
            target="target-1",
            sources=("mail",),
            retention_days=90,
            created_at=NOW,
        )
    )
    return signed_in


def test_configure_finds_the_target_by_name(configured: Any, tenantkeep: Any) -> None:
    done = tenantkeep("backup", "configure", "weekly", "--target", "archive", "--retention-days", "365")
    assert done.exit_code == 0, done.output
    assert configured.bodies[-1][1] == {
        "name": "weekly",
        "target": "target-1",
        "sources": ["mail", "calendar", "contacts"],
        "retention_days": 365,
        "retention": None,
        "schedule": "daily 02:00",
        "time_zone": "UTC",
        "automatic": True,
        "include": [],
        "exclude": [],
    }
    assert tenantkeep("backup", "configure", "once", "--target", "archive", "--manual").exit_code == 0
    assert configured.bodies[-1][1]["schedule"] is None
    chosen = ("--source", "address-book", "--source", "mail")
    assert tenantkeep("backup", "configure", "some", "--target", "archive", *chosen).exit_code == 0
    assert configured.bodies[-1][1]["sources"] == ["address-book", "mail"]


def test_configure_takes_a_period_or_generations(configured: Any, tenantkeep: Any) -> None:
    scheme = "30d,weekly=90d,monthly=1y,yearly=10y"
    for keep in ("hgb-10y", scheme):
        done = tenantkeep("backup", "configure", "weekly", "--target", "archive", "--keep", keep)
        assert done.exit_code == 0, done.output
        assert configured.bodies[-1][1]["retention"] == keep
    for wrong in (["--keep", "10"], ["--keep", "1y", "--retention-days", "90"]):
        done = tenantkeep("backup", "configure", "weekly", "--target", "archive", *wrong)
        assert done.exit_code == 2


def test_a_change_sends_what_was_named_and_nothing_else(configured: Any, tenantkeep: Any) -> None:
    done = tenantkeep("backup", "change", "nightly", "--schedule", "weekly sunday 03:30", "--exclude", "x@contoso.com")
    assert done.exit_code == 0, done.output
    assert configured.bodies[-1][1] == {"schedule": "weekly sunday 03:30", "exclude": ["x@contoso.com"]}
    assert "weekly sunday 03:30" in done.stdout
    assert tenantkeep("backup", "change", "nightly", "--everybody").exit_code == 0
    assert configured.bodies[-1][1] == {"include": [], "exclude": []}
    assert tenantkeep("backup", "change", "nightly").exit_code == 2
    assert tenantkeep("backup", "change", "nightly", "--keep", "soon").exit_code == 2


def test_paused_is_shown_until_it_is_resumed(configured: Any, tenantkeep: Any) -> None:
    for command, sent, said in (("pause", True, "angehalten"), ("resume", False, "auf Anforderung")):
        done = tenantkeep("backup", command, "nightly", "--lang", "de")
        assert done.exit_code == 0, done.output
        assert configured.bodies[-1][1] == {"paused": sent}
        assert said in done.stdout
        assert said in tenantkeep("backup", "list", "--lang", "de").stdout
    assert json.loads(tenantkeep("backup", "describe", "nightly", "--json").stdout)["paused"] is False


def test_a_retention_below_the_floor_is_said_in_both_languages(configured: Any, tenantkeep: Any) -> None:
    configured.problem = below_floor("90d", "1y").problem
    for lang, said in (("en", "shorter than this tenant allows"), ("de", "kürzer, als der Mandant erlaubt")):
        done = tenantkeep("backup", "retention", "floor", "90d", "--lang", lang)
        assert done.exit_code == 2
        assert said in " ".join(done.stderr.split())


def test_the_offered_retentions_have_texts_in_both_languages(tenantkeep: Any) -> None:
    assert "Legal, tax records (HGB)" in tenantkeep("backup", "retention", "offers").stdout
    offered = json.loads(tenantkeep("backup", "retention", "offers", "--lang", "de", "--json").stdout)["items"]
    assert {"keep": "90d", "text": "Standard, allgemeiner Schutz"} in offered
    assert [one["keep"] for one in offered][:7] == ["30d", "90d", "1y", "3y", "6y", "8y", "10y"]


def test_the_floor_is_shown_and_set(signed_in: Any, tenantkeep: Any) -> None:
    shown = tenantkeep("backup", "retention", "floor")
    assert "kept 30d at the least" in shown.stdout
    done = tenantkeep("backup", "retention", "floor", "1y", "--lang", "de")
    assert done.exit_code == 0, done.output
    assert "mindestens 1y" in done.stdout
    assert "anna" in done.stdout
    assert tenantkeep("backup", "retention", "floor", "soon").exit_code == 2


def test_configure_with_an_unknown_target_names_the_known_ones(configured: Any, tenantkeep: Any) -> None:
    done = tenantkeep("backup", "configure", "weekly", "--target", "archiv")
    assert done.exit_code == 1
    assert "There are: archive" in done.stderr


def test_a_retention_outside_the_product_is_a_usage_error(configured: Any, tenantkeep: Any) -> None:
    done = tenantkeep("backup", "configure", "weekly", "--target", "archive", "--retention-days", "7")
    assert done.exit_code == 2
    assert "retention_days" in done.stderr


def test_run_without_wait_says_where_to_look(configured: Any, tenantkeep: Any) -> None:
    done = tenantkeep("backup", "run", "nightly", "--idempotency-key", "night-1")
    assert done.exit_code == 0
    assert "tenantkeep jobs list run-1" in done.stdout
    assert configured.keys[-1] == "night-1"


@pytest.mark.parametrize(("ended", "exit_code"), [(JobState.SUCCEEDED, 0), (JobState.FAILED, 1), (JobState.PARTIAL, 3)])
def test_the_end_of_a_run_is_the_exit_code(
    *, configured: Any, tenantkeep: Any, run_of: Any, job_of: Any, ended: JobState, exit_code: int
) -> None:
    configured.script = [(run_of(JobState.RUNNING), [job_of(JobState.RUNNING)]), (run_of(ended), [job_of(ended)])]
    done = tenantkeep("backup", "run", "nightly", "--wait")
    assert done.exit_code == exit_code, done.output
    assert "anna@contoso.com" in done.stdout


def test_a_run_that_does_not_end_in_time_is_still_waiting(
    configured: Any, tenantkeep: Any, run_of: Any, job_of: Any
) -> None:
    held = Hold(reason=HoldReason.NO_VALID_TOKEN, since=NOW)
    configured.script = [(run_of(JobState.RUNNING), [job_of(JobState.WAITING, hold=held)])]
    done = tenantkeep("backup", "run", "nightly", "--wait", "--timeout", "0", "--lang", "de")
    assert done.exit_code == 4
    assert "Kein gültiges Token; Warten auf Erneuerung" in done.stdout
    assert "tenantkeep jobs list run-1" in done.stderr


def test_waiting_lives_through_a_planner_that_is_late_and_a_gateway_that_restarts(
    configured: Any, tenantkeep: Any, run_of: Any, job_of: Any
) -> None:
    configured.script = [
        Problem(code="not-found", status=404, title="run not found"),
        (run_of(JobState.RUNNING), [job_of(JobState.RUNNING)]),
        Problem(code="unavailable", status=503, title="Temporarily unavailable"),
        (run_of(JobState.SUCCEEDED), [job_of(JobState.SUCCEEDED)]),
    ]
    done = tenantkeep("backup", "run", "nightly", "--wait", "--json")
    assert done.exit_code == 0, done.output
    shown = json.loads(done.stdout)
    assert shown["run"]["state"] == "succeeded"
    assert [job["state"] for job in shown["jobs"]] == ["succeeded"]


def test_a_run_that_vanishes_is_an_error_and_not_waited_for(
    configured: Any, tenantkeep: Any, run_of: Any, job_of: Any
) -> None:
    gone = Problem(code="not-found", status=404, title="run not found")
    configured.script = [(run_of(JobState.RUNNING), [job_of(JobState.RUNNING)]), gone]
    assert tenantkeep("backup", "run", "nightly", "--wait").exit_code == 1


def test_jobs_keep_the_three_lists_apart_in_both_languages(
    signed_in: Any, tenantkeep: Any, run_of: Any, job_of: Any
) -> None:
    job = job_of(
        JobState.FAILED,
        counts=Counts(listed=10, stored=7, failed=1, skipped=2),
        fatal=Failure(error=ErrorClass.STORAGE_DENIED, detail="403"),
        item_errors=(ItemProblem(item="AAk=", error=ErrorClass.CORRUPT_SOURCE_ITEM),),
        skipped=(ItemProblem(item="AAm=", error=ErrorClass.UNSUPPORTED_ITEM, detail="sharing message"),),
    )
    signed_in.script = [(run_of(JobState.FAILED), [job])]
    english, german = tenantkeep("jobs", "list", "run-1"), tenantkeep("jobs", "show", "job-1", "--lang", "de")
    assert (english.exit_code, german.exit_code) == (0, 0)
    for title in ("Fatal error", "Item errors", "Skipped with a cause", "Storage access denied"):
        assert title in english.stdout
    for title in ("Abbruchfehler", "Fehler einzelner Elemente", "Mit Grund übersprungen", "Speicherzugriff verweigert"):
        assert title in german.stdout
    order = [english.stdout.index(title) for title in ("Fatal error", "AAk=", "AAm=")]
    assert order == sorted(order)
    assert "Element in Outlook öffnen" in german.stdout


def test_a_job_is_shown_with_the_counts_of_its_sources_and_who_its_run_left_out(
    signed_in: Any, tenantkeep: Any, run_of: Any, job_of: Any
) -> None:
    sources = {"mail": SourceCounts(listed=9, stored=7), "calendar": SourceCounts(listed=1, failed=1)}
    left_out = LeftOut(resource="user-9", name="guest@partner.example", reason=LeftOutReason.GUEST)
    run = run_of(JobState.PARTIAL, left_out=(left_out,), left_out_counts={"guest": 3})
    signed_in.script = [(run, [job_of(JobState.PARTIAL, counts=Counts(by_source=sources))])]
    done = tenantkeep("jobs", "show", "job-1")
    assert done.exit_code == 0, done.output
    shown = done.stdout
    for text in ("By source", "calendar", "guest@partner.example", "+2"):
        assert text in shown
    told = json.loads(tenantkeep("jobs", "show", "job-1", "--json").stdout)
    assert (told["id"], told["counts"]["by_source"]["mail"]["stored"]) == ("job-1", 7)
    assert [one["name"] for one in told["left_out"]] == ["guest@partner.example"]


def test_restore_points_show_coverage_with_its_denominator_newest_first(
    signed_in: Any, tenantkeep: Any, point_of: Any
) -> None:
    signed_in.points = [point_of("old", "anna@contoso.com", age=1), point_of("new", "anna@contoso.com")]
    done = tenantkeep("backup", "restore-points")
    assert done.exit_code == 0
    assert "V0 7/7" in done.stdout
    assert done.stdout.index("new") < done.stdout.index("old")


def test_restore_points_of_a_mailbox_that_is_gone_say_so(signed_in: Any, tenantkeep: Any, point_of: Any) -> None:
    gone = point_of("p-1", "anna@contoso.com").model_copy(update={"departed_since": NOW})
    signed_in.points = [gone, point_of("p-2", "bert@contoso.com")]
    shown = " ".join(tenantkeep("backup", "restore-points", "--lang", "de").stdout.split())
    assert shown.count("fort seit") == 1


def test_restore_takes_the_newest_point_of_a_mailbox(
    signed_in: Any, tenantkeep: Any, point_of: Any, run_of: Any, job_of: Any
) -> None:
    signed_in.points = [
        point_of("new", "anna@contoso.com"),
        point_of("old", "anna@contoso.com", age=1),
        point_of("other", "bert@contoso.com"),
    ]
    signed_in.script = [(run_of(JobState.SUCCEEDED), [job_of(JobState.SUCCEEDED)])]
    done = tenantkeep("backup", "restore", "anna@contoso.com", "--to", "target@contoso.com", "--wait")
    assert done.exit_code == 0, done.output
    sent = signed_in.bodies[-1][1]
    assert (sent["restore_point"], sent["target_user"], sent["target_folder"]) == ("new", "target@contoso.com", "")


def test_an_unknown_restore_point_says_how_to_list_them(signed_in: Any, tenantkeep: Any) -> None:
    done = tenantkeep("backup", "restore", "carl@contoso.com", "--to", "x@contoso.com")
    assert done.exit_code == 1
    assert "tenantkeep backup restore-points" in done.stderr


FILES = {"Inbox/1 Hello.eml": b"Subject: Hello\r\n\r\n" + b"x" * 5000, "Sent/2.eml": b""}


@pytest.fixture
def exported(signed_in: Any, point_of: Any, zipped: Callable[[dict[str, bytes]], bytes]) -> Any:
    signed_in.points = [point_of("point-1", "anna@contoso.com")]
    signed_in.archive = zipped(FILES)
    return signed_in


def test_export_streams_the_archive_as_it_is(exported: Any, tenantkeep: Any, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "anna.zip"
    done = tenantkeep("backup", "export", "point-1", "--out", str(out))
    assert done.exit_code == 0, done.output
    assert out.read_bytes() == exported.archive
    assert list(out.parent.iterdir()) == [out]


def test_export_into_a_folder_unpacks_the_exact_bytes(exported: Any, tenantkeep: Any, tmp_path: Path) -> None:
    out = tmp_path / "anna"
    assert tenantkeep("backup", "export", "anna@contoso.com", "--out", str(out)).exit_code == 0
    found = {str(file.relative_to(out)): file.read_bytes() for file in out.rglob("*") if file.is_file()}
    assert found == FILES


def test_a_cut_off_export_leaves_no_file(exported: Any, tenantkeep: Any, tmp_path: Path) -> None:
    exported.cut_after = 3000
    out = tmp_path / "anna.zip"
    done = tenantkeep("backup", "export", "point-1", "--out", str(out))
    assert done.exit_code == 1
    assert "The export is damaged" in done.stderr
    assert not any(file.suffix in (".zip", ".part") for file in tmp_path.iterdir())


def test_export_never_overwrites(exported: Any, tenantkeep: Any, tmp_path: Path) -> None:
    out = tmp_path / "anna.zip"
    out.write_bytes(b"precious")
    assert tenantkeep("backup", "export", "point-1", "--out", str(out)).exit_code == 2
    assert out.read_bytes() == b"precious"


@pytest.mark.parametrize("name", ["../evil.eml", "/etc/evil.eml", "a/../../evil.eml", "a\\..\\evil.eml"])
def test_names_that_lead_out_of_the_folder_are_refused(
    exported: Any, tenantkeep: Any, tmp_path: Path, zipped: Any, name: str
) -> None:
    exported.archive = zipped({name: b"x"})
    done = tenantkeep("backup", "export", "point-1", "--out", str(tmp_path / "out" / "anna"))
    assert done.exit_code == 1
    assert not list(tmp_path.rglob("evil.eml"))


def test_holds_are_placed_on_a_restore_point_a_mailbox_or_a_target(
    configured: Any, tenantkeep: Any, point_of: Any
) -> None:
    configured.points = [point_of("p1", "anna@contoso.com"), point_of("p2", "anna@contoso.com", 1)]
    for arguments, expected in (
        (["p1"], {"restore_point": "p1"}),
        (["--target", "archive"], {"target": "target-1"}),
        (["--mailbox", "anna@contoso.com"], {"resource": configured.points[0].resource}),
    ):
        done = tenantkeep("backup", "hold", "place", *arguments, "--reason", "lawsuit", "--lang", "de")
        assert done.exit_code == 0, done.output
        assert "Wird eingerichtet" in done.stdout
        sent = configured.bodies[-1][1]
        assert sent["reason"] == "lawsuit"
        assert expected.items() <= sent.items()
    assert tenantkeep("backup", "hold", "place", "--reason", "why").exit_code == 2
    assert tenantkeep("backup", "hold", "place", "--mailbox", "nobody", "--reason", "why").exit_code == 2


def test_holds_are_listed_and_released(configured: Any, tenantkeep: Any) -> None:
    tenantkeep("backup", "hold", "place", "--target", "archive", "--reason", "lawsuit")
    listed = json.loads(tenantkeep("backup", "hold", "list", "--json").stdout)["items"]
    assert [(one["id"], one["state"]) for one in listed] == [("hold-0", "placing")]
    assert "lawsuit" in tenantkeep("backup", "hold", "list").stdout
    done = tenantkeep("backup", "hold", "release", "hold-0", "--reason", "settled")
    assert "Being released" in done.stdout
    assert configured.bodies[-1] == ("/api/v1/tenants/contoso/legal-holds/hold-0/release", {"reason": "settled"})


def test_an_export_that_holds_nothing_says_so(
    exported: Any, tenantkeep: Any, tmp_path: Path, zipped: Callable[[dict[str, bytes]], bytes]
) -> None:
    exported.archive = zipped({"manifest.jsonl": b""})
    for out in ("leer.zip", "leer"):
        done = tenantkeep("backup", "export", "point-1", "--out", str(tmp_path / out), "--lang", "de")
        assert (done.exit_code, "Er ist leer" in done.stdout) == (0, True)
