import pytest

from chassis.testing.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()
