"""How much a verification reads, so that together they keep their promise."""

from pathlib import Path

import pytest

from backup_service.app import _upkeep_pace
from backup_service.settings import BackupSettings

HOME = Path("home")
DAY = 86_400.0


@pytest.mark.parametrize(
    "chosen", [{}, {"verify_within": 7 * DAY}, {"verify_interval": 3600.0}, {"verify_interval": 60 * DAY}]
)
def test_everything_is_read_in_time_though_one_verification_in_six_is_missed(chosen: dict[str, float]) -> None:
    settings = BackupSettings.model_construct(home=HOME, **chosen)
    share = _upkeep_pace(settings).share
    runs = settings.verify_within / settings.verify_interval
    assert share == 1 or 1 <= share * runs * 5 / 6 <= 1.25
    assert share <= 1


def test_the_promise_is_thirty_days() -> None:
    settings = BackupSettings.model_construct(home=HOME)
    assert (settings.verify_within, settings.verify_interval) == (30 * DAY, DAY)
