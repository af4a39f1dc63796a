"""What Prometheus is shown of directories."""

from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry
from sync_fakes.service import MemoryService

from contracts.caller import itself
from contracts.operations import directory
from sync_service.adapters.prometheus_sync import SyncMetrics
from sync_service.domain.standing import Standing


def figures(registry: CollectorRegistry) -> dict[str, float]:
    return {
        sample.name.removeprefix("m365_directory_"): sample.value
        for metric in registry.collect()
        for sample in metric.samples
    }


@pytest.fixture
async def service() -> MemoryService:
    made = MemoryService()
    made.directory.put("anna", primary_mail="anna@contoso.example")
    made.directory.add_group("g", "KlarKonform-contoso-Admin")
    made.directory.enrol("g", "anna")
    await made.sync()
    return made


def shown_by(service: MemoryService) -> tuple[SyncMetrics, CollectorRegistry]:
    registry = CollectorRegistry()
    stores = (service.employees, service.standings, service.clock, registry)
    return SyncMetrics(*stores, stale_after=timedelta(days=1), interval=60), registry


async def test_figures_are_those_of_the_store_and_a_day_later_everybody_is_stale(service: MemoryService) -> None:
    metrics, registry = shown_by(service)
    assert await metrics.refresh() == 1
    assert figures(registry) == {
        "employees": 1,
        "stale_employees": 0,
        "admins": 1,
        "last_sync_timestamp_seconds": service.clock.now().timestamp(),
        "sync_interval_seconds": 6 * 3600,
    }
    await service.clock.advance(86_401)
    await metrics.refresh()
    assert figures(registry)["stale_employees"] == 1


async def test_a_schedule_that_is_off_has_no_interval_to_be_late_for(service: MemoryService) -> None:
    metrics, registry = shown_by(service)
    settings = service.app.questions._settings
    await settings("contoso", directory.ChangeSyncSettings(every_hours=0), itself("sync-service"))
    await metrics.refresh()
    assert "sync_interval_seconds" not in figures(registry)


async def test_without_the_store_nothing_is_shown(service: MemoryService) -> None:
    metrics, registry = shown_by(service)
    await metrics.refresh()

    async def away() -> list[Standing]:
        raise ConnectionError

    service.standings.everything = away  # type: ignore[method-assign] # the store is away
    await service.clock.advance(60)
    with pytest.raises(ConnectionError):
        await metrics.refresh()
    assert figures(registry) == {}
