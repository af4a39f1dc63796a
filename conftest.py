"""How `make test` spreads the tests over its processes: file by file, the longest files first.

Begun last, such a file would keep one process busy when the others have ended.
"""

import pytest

_FIRST = (
    "tests/integration/test_worker_kills.py",
    "tests/integration/test_stack.py",
    "cli/tests/commands/test_demo_whole.py",
    "services/token-service/tests/contract/test_process.py",
    "services/monitor-service/tests/contract/test_process.py",
    "services/gateway/tests/contract/test_schema_conformance.py",
    "libs/graph-simulator/tests/test_process.py",
    "tests/",  # whatever else runs the embedded stack
    "cli/tests/recover/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _rank(item.nodeid))


def _rank(name: str) -> int:
    return next((rank for rank, start in enumerate(_FIRST) if name.startswith(start)), len(_FIRST))
