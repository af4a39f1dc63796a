import contextlib
from typing import Any

import pytest

from contracts.errors import ErrorClass
from contracts.events.jobs import Counts
from contracts.names import Health, JobState
from contracts.texts import Text
from contracts.views import Failure
from tenantkeep.commands import figures, progress
from tenantkeep.commands.errors import Unreachable
from tenantkeep.commands.waiting import Progress, wait_for_run


class VirtualClock:
    """Pausing moves the clock."""

    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> float:
        return self.at

    def pause(self, seconds: float) -> None:
        self.at += seconds


def test_health_shows_ratios_with_denominators_and_the_reason(signed_in: Any, tenantkeep: Any, health_of: Any) -> None:
    critical = {"failed": 1, "succeeded": 8, "partial": 1, "failure_ratio": 0.1, "reason": "failures"}
    signed_in.health = [health_of(Health.CRITICAL, **critical)]
    english, german = tenantkeep("health"), tenantkeep("health", "--lang", "de")
    assert (english.exit_code, german.exit_code) == (1, 1)
    assert "10.0 % (1/10)" in english.stdout
    assert "Critical" in english.stdout
    assert "Kritisch" in german.stdout
    assert "10 % Fehler oder mehr" in german.stdout


@pytest.mark.parametrize(("health", "exit_code"), [(Health.HEALTHY, 0), (Health.UNKNOWN, 1), (Health.CRITICAL, 1)])
def test_only_healthy_is_green(signed_in: Any, tenantkeep: Any, health_of: Any, health: Health, exit_code: int) -> None:
    signed_in.health = [health_of(health)]
    assert tenantkeep("health", "--json").exit_code == exit_code


def test_health_of_nothing_is_not_green(signed_in: Any, tenantkeep: Any) -> None:
    assert tenantkeep("health").exit_code == 1


def test_progress_counts_what_needs_no_more_work(job_of: Any) -> None:
    job = job_of(JobState.RUNNING, counts=Counts(listed=10, stored=3, unchanged=2, failed=1, skipped=1))
    assert (progress.done(job), progress.total(job)) == (7, 10)
    assert progress.total(job_of(JobState.RUNNING, counts=Counts())) is None


def test_a_failed_job_says_why(job_of: Any) -> None:
    job = job_of(JobState.FAILED, fatal=Failure(error=ErrorClass.STORAGE_DENIED))
    assert progress.status(job, "en") == "Failed: Storage access denied"
    assert progress.status(job, "de") == "Fehlgeschlagen: Speicherzugriff verweigert"


class _Silent:
    """A gateway that never answers."""

    def asking_once(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def run(self, tenant: str, run: str) -> Any:
        raise Unreachable(Text("does not answer", "antwortet nicht"), Text("wait", "warten"))


def test_waiting_for_a_silent_gateway_ends_with_the_time_and_says_why() -> None:
    clock, seen = VirtualClock(), []
    gateway: Any = _Silent()
    found = wait_for_run(gateway, "contoso", "run-1", clock=clock, timeout=10, watch=seen.append, interval=3)
    assert clock.now() == 10
    assert len(seen) == 5
    assert not found.ended
    assert found.silent is not None


def test_a_run_nobody_planned_is_still_waiting() -> None:
    assert Progress().exit_code == 4


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 KB"), (1_500_000, "1.5 MB"), (7e15, "7000.0 TB")]
)
def test_sizes(count: float, shown: str) -> None:
    assert figures.size(count) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.04, "0.0 s"), (59.94, "59.9 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")]
)
def test_durations(seconds: float, shown: str) -> None:
    assert figures.duration(seconds) == shown


def test_an_unknown_ratio_is_not_shown_as_zero() -> None:
    assert figures.percent(None) == "–"
