"""How `make test` spreads the tests over two processes: file by file, those that run the embedded stack first.

They take longest; begun last, one process would wait for the other.
"""

from pathlib import Path

import pytest

_ROOT = Path(__file__).parent
_FIRST = ("tests/integration", "tests/chaos", "tests/soak", "cli/tests/commands/test_demo_whole.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not str(item.path.relative_to(_ROOT)).startswith(_FIRST))
