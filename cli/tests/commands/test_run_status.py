"""A run that waits says for what."""

from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.names import HoldReason, JobKind, JobState
from contracts.views import Hold, Run
from tenantkeep.commands.progress import run_status

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
HOLD = Hold(reason=HoldReason.CONSENT_LOST, since=NOW)


def run(**facts: Any) -> Run:
    return Run(tenant="contoso", id="r1", kind=JobKind.BACKUP, requested_at=NOW, **facts)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (run(state=JobState.WAITING), "Waiting"),
        (run(state=JobState.WAITING, hold=HOLD), "Admin consent is missing"),
        (run(state=JobState.RUNNING, held=2), "Running (2 held)"),
        (run(state=JobState.FAILED, hold=HOLD, held=2), "Failed"),
    ],
    ids=["plain", "held itself", "with held jobs", "over"],
)
def test_words_of_a_run(found: Run, words: str) -> None:
    assert run_status(found, "en") == words
