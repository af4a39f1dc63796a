"""The simulator's table of Outlook's limits and the client's say the same."""

from graph_client import Limits
from graph_simulator.web.limits import OutlookLimits


def test_client_and_simulator_hold_the_same_table() -> None:
    ours, theirs = Limits(time_scale=0.5), OutlookLimits(time_scale=0.5)
    for name in OutlookLimits.__dataclass_fields__:
        assert getattr(ours, name) == getattr(theirs, name), name
