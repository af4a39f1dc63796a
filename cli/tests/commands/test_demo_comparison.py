import hashlib
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.events.jobs import Counts
from contracts.names import JobState
from contracts.texts import Text
from tenantkeep.commands.demo import estimate, manifest, pieces
from tenantkeep.commands.demo.results import BackupFigures, Results, show
from tenantkeep.commands.output import Screen


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def seeded(tmp_path: Path) -> Path:
    lines = [
        {"user": "anna@x", "folder": "Posteingang", "sha256": _sha(b"one"), "size": 3},
        {"user": "anna@x", "folder": "Posteingang", "sha256": _sha(b"one"), "size": 3},
        {"user": "anna@x", "folder": "Rechnungen/Verträge", "sha256": _sha(b"two"), "size": 3},
        {"user": "bert@x", "folder": "Posteingang", "sha256": _sha(b"three"), "size": 5},
    ]
    file = tmp_path / "seeded.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def _compare(seeded: Path, files: dict[str, bytes], zipped: Any) -> manifest.Comparison:
    archive = seeded.with_name("anna.zip")
    archive.write_bytes(zipped(files))
    return manifest.compare(manifest.read(seeded)["anna@x"], manifest.of_archive(archive))


def test_an_export_with_the_same_bytes_holds_whatever_its_names(seeded: Path, zipped: Any) -> None:
    files = {"Posteingang/1.eml": b"one", "Posteingang/2.eml": b"one", "Rechnungen_Vertra\u0308ge/x.eml": b"two"}
    assert _compare(seeded, files, zipped) == manifest.Comparison(equal=3, missing=0, surplus=0)


@pytest.mark.parametrize(
    ("verified", "arrived", "equal", "held"), [(1, 1, 1, True), (0, 1, 1, False), (1, 2, 2, False), (1, 1, 0, False)]
)
def test_one_thing_is_restored_if_the_job_and_the_tenant_say_so(
    *, verified: int, arrived: int, equal: int, held: bool
) -> None:
    assert pieces.Arrival(verified, arrived, equal, days=0).held is held


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"Posteingang/1.eml": b"one", "Rechnungen_Verträge/x.eml": b"two"}, (2, 1, 0)),
        ({"Posteingang/1.eml": b"one", "Posteingang/2.eml": b"one", "Posteingang/x.eml": b"two"}, (2, 1, 1)),
        ({"Posteingang/1.eml": b"one\n", "Posteingang/2.eml": b"one", "Rechnungen Verträge/x.eml": b"two"}, (2, 1, 1)),
        ({}, (0, 3, 0)),
    ],
    ids=["a twin is missing", "in another folder", "one byte more", "empty"],
)
def test_any_difference_fails(
    seeded: Path, zipped: Any, files: dict[str, bytes], expected: tuple[int, int, int]
) -> None:
    found = _compare(seeded, files, zipped)
    assert (found.equal, found.missing, found.surplus) == expected
    assert not found.held


def test_comparing_nothing_with_nothing_proves_nothing() -> None:
    assert not manifest.compare(Counter(), Counter()).held


@pytest.mark.parametrize("block", [1, 2, 7, 4096])
def test_mbox_messages_are_counted_whatever_the_block_size(
    tmp_path: Path, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimate, "_BLOCK", block)
    file = tmp_path / "mail.mbox"
    file.write_bytes(
        b"From a@x Sat Jan  1 00:00:00 2022\nSubject: 1\n\nFrom here on text\n>From quoted\nFrom mid-paragraph\n"
        b"\nFrom b@x Sat Jan  1 00:00:00 2022\r\nSubject: 2\r\n\r\nbody\r\n\r\nFrom c@x\n\nx\n\n\nFrom d@x\n\ny\n"
    )
    found = estimate.of_mbox(file)
    # "From here on text" follows an empty line: an mbox writer has to quote it, so a reader counts it.
    assert found.messages == 5
    assert found.bytes == file.stat().st_size
    assert found.seconds > 0


def test_maildir_messages_are_counted_with_subfolders(tmp_path: Path) -> None:
    for name in ("cur/1:2,S", "new/2", "tmp/3", ".Work/cur/4:2,", ".Work/new/5"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"12345")
    assert estimate.of_maildir(tmp_path) == estimate.Estimate(messages=4, bytes=20)


def test_figures_of_a_run(run_of: Any) -> None:
    start = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
    counts = Counts(listed=2000, stored=500, bytes_read=1000, bytes_stored=250)
    run = run_of(JobState.SUCCEEDED, counts=counts, started_at=start, finished_at=start + timedelta(seconds=10))
    figures = BackupFigures(run, requests=2100, bodies=500)
    assert (figures.per_thousand, figures.items_per_second, figures.stored_per_read) == (1050, 50, 0.25)


def test_a_run_over_nothing_has_unknown_figures_and_not_zero(run_of: Any) -> None:
    figures = BackupFigures(run_of(JobState.SUCCEEDED), requests=3, bodies=0)
    assert (figures.per_thousand, figures.items_per_second, figures.stored_per_read) == (None, None, None)


def test_results_hold_only_if_something_was_compared_and_all_of_it_held(capsys: pytest.CaptureFixture[str]) -> None:
    results = Results()
    assert not results.held
    results.check(Text("Bytes", "Bytes"), held=True, detail=Text("3 equal", "3 gleich"))
    assert results.held
    results.check(Text("Digest", "Digest"), held=False, detail=Text("1 differs", "1 weicht ab"))
    assert not results.held
    show(Screen("de"), results)
    shown = capsys.readouterr().out
    assert "GESCHEITERT" in shown
    assert "1 weicht ab" in shown
