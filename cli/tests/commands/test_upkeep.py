"""`tenantkeep backup verify|drill|maintain`: what is asked, and how what came of it is shown."""

from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.errors import ErrorClass
from contracts.names import JobState
from contracts.upkeep import CheckReport, MaintenanceReport, ObjectProblem
from contracts.views import Failure, ItemProblem, StorageTarget

SINCE = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def archive(signed_in: Any) -> Any:
    where = {"endpoint": "https://s3.example.com", "bucket": "backups", "region": "eu", "prefix": ""}
    signed_in.targets = [
        StorageTarget(tenant="contoso", id="t1", name="archive", created_at=SINCE, tested_at=SINCE, **where)
    ]
    return signed_in


@pytest.mark.parametrize(
    ("command", "body"),
    [
        (("verify",), {"kind": "verify", "whole": False}),
        (("verify", "--all"), {"kind": "verify", "whole": True}),
        (("drill",), {"kind": "restore-drill", "whole": False}),
        (("maintain",), {"kind": "maintain", "whole": False}),
    ],
)
def test_each_command_asks_for_its_kind(archive: Any, tenantkeep: Any, command: tuple[str, ...], body: Any) -> None:
    done = tenantkeep("backup", *command, "--target", "archive")
    assert done.exit_code == 0, done.output
    assert archive.bodies[-1] == ("/api/v1/tenants/contoso/storage-targets/t1/runs", body)
    assert "tenantkeep jobs list run-1" in done.stdout


def test_a_verification_shows_its_denominators_and_what_is_lost(
    archive: Any, tenantkeep: Any, run_of: Any, job_of: Any
) -> None:
    check = CheckReport(
        level=2,
        covered=41,
        denominator=42,
        population=840,
        bytes=1_500_000,
        receipt=7,
        read_since=SINCE,
        problem_count=1,
        problems=(ObjectProblem(kind="damaged_pack", key="data/x", detail="record 3 is damaged"),),
        affected_items=1,
        repaired_blobs=12,
    )
    lost = ItemProblem(item="mail-1", error=ErrorClass.INTEGRITY, detail="restore point p1")
    fatal = Failure(error=ErrorClass.INTEGRITY, detail="1 stored objects are damaged")
    job = job_of(JobState.FAILED, check=check, item_errors=(lost,), fatal=fatal)
    archive.script = [(run_of(JobState.FAILED), [job])]
    done = tenantkeep("backup", "verify", "--target", "t1", "--wait")
    assert done.exit_code == 1
    for shown in ("V2", "41/42", "840", "1.5 MB", "damaged_pack", "data/x", "mail-1"):
        assert shown in done.stdout, shown


def test_maintenance_shows_what_was_removed_and_what_waits(
    archive: Any, tenantkeep: Any, run_of: Any, job_of: Any
) -> None:
    report = MaintenanceReport(
        expired=3,
        deleted=17,
        deleted_bytes=2_000_000,
        locked=4,
        rewritten=5,
        merged=6,
        packs=70,
        stored_bytes=1_120_000_000,
        waste_bytes=30_000_000,
    )
    archive.script = [(run_of(JobState.SUCCEEDED), [job_of(JobState.SUCCEEDED, maintenance=report)])]
    done = tenantkeep("backup", "maintain", "--target", "archive", "--wait", "--lang", "de")
    assert done.exit_code == 0, done.output
    for shown in ("17 (2.0 MB)", "1.1 GB", "30.0 MB", "Was die Wartung tat"):
        assert shown in done.stdout, shown


def test_an_unknown_target_names_the_known_ones(archive: Any, tenantkeep: Any) -> None:
    done = tenantkeep("backup", "drill", "--target", "attic")
    assert done.exit_code == 1
    assert "archive" in done.stderr
