"""Fixtures of every test here; the fakes themselves are in backup_fakes."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # importlib mode has no sibling imports

from backup_fakes.exchange import ANNA, BERT, Exchange
from backup_fakes.fuse import Fuse

from chassis.testing.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def exchange() -> Exchange:
    """Two users without folders."""
    made = Exchange()
    made.add_user(ANNA, "anna@contoso.example")
    made.add_user(BERT, "bert@contoso.example")
    return made


@pytest.fixture
def fuse() -> Fuse:
    return Fuse()
