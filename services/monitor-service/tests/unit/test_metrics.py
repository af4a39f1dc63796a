"""What Prometheus reads: the ledger at that moment, or nothing."""

from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from chassis.testing.clock import START, ManualClock
from contracts.events import JobEvent
from monitor_service.domain.health import Expected
from monitor_service.entrypoints.metrics import application
from monitor_service.ports import Ledger, LedgerUnavailable
from monitor_service.usecases import record_events

Make = Callable[..., JobEvent]


async def answer(ledger: Ledger, path: str = "/metrics") -> httpx.Response:
    app = application(ledger, ManualClock(), Expected(timedelta(hours=26), timedelta(days=8)), {}, CollectorRegistry())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://monitor") as client:
        return await client.get(path)


async def samples(ledger: Ledger) -> dict[tuple[str, ...], float]:
    """Values by metric name and label values in the order of the labels' names, of kind backup alone."""
    text = (await answer(ledger)).text
    return {
        (sample.name, *(value for name, value in sorted(sample.labels.items()) if name not in {"kind", "tenant"})): (
            sample.value
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels.get("kind") == "backup"
    }


async def test_every_figure_of_a_class(ledger: Ledger, event: Make) -> None:
    await record_events(
        ledger,
        [
            *(event("succeeded", f"job-{n}") for n in range(8)),
            event("partial", "job-8"),
            event("failed", "job-9"),
            event("failed", "job-10", error="cancelled"),
            event("held", "job-11", reason="storage_unreachable"),
            event("succeeded", "run-1", scope="run"),
        ],
    )
    found = await samples(ledger)
    assert {key[1]: value for key, value in found.items() if key[0] == "m365_jobs_finished_total"} == {
        "succeeded": 8,
        "partial": 1,
        "failed": 1,
        "cancelled": 1,
    }
    assert {key[1]: value for key, value in found.items() if key[0] == "m365_job_health"} == {
        "healthy": 0,
        "critical": 1,
        "unknown": 0,
    }
    assert found["m365_jobs_held", "storage_unreachable"] == 1
    assert found["m365_jobs_held", "no_valid_token"] == 0
    assert found["m365_last_success_timestamp_seconds",] == START.timestamp()


async def test_a_tenant_first_seen_shows_zeros_before_anything_ends(ledger: Ledger, event: Make) -> None:
    await record_events(ledger, [event("queued")])
    text = (await answer(ledger)).text
    for kind in ("backup", "restore"):
        for outcome in ("succeeded", "partial", "failed", "cancelled"):
            assert f'm365_jobs_finished_total{{kind="{kind}",outcome="{outcome}",tenant="contoso"}} 0.0' in text


async def test_the_scrape_fails_when_the_store_does(
    memory_ledger: type[Ledger], event: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = memory_ledger()
    await record_events(ledger, [event("succeeded")])
    assert (await answer(ledger)).is_success

    async def away(tenant: str | None = None) -> None:
        raise LedgerUnavailable("away")

    monkeypatch.setattr(ledger, "tallies", away)
    refused = await answer(ledger)
    assert refused.status_code == 503
    assert "m365" not in refused.text
    assert (await answer(ledger, "/livez")).is_success
