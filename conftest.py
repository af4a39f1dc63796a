"""How `make test` spreads the tests over two processes.

A file stays together, because its servers are started once for it. Everything that runs the embedded stack stays
together, too: it is the longest work, so it goes first, and two stacks at once would only wait for each other.
"""

from collections.abc import Generator
from pathlib import Path

import pytest

_ROOT = Path(__file__).parent
_STACK = ("tests/integration", "tests/chaos", "tests/soak", "tests/bench", "cli/tests/commands/test_demo_whole.py")


def _group(path: Path) -> str:
    name = str(path.relative_to(_ROOT))
    return "stack" if name.startswith(_STACK) else name


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    """Around the others: xdist reads the groups in this hook."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item.path)))
    items.sort(key=lambda item: _group(item.path) != "stack")
    return (yield)
