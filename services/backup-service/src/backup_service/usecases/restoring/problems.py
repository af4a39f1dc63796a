"""Items that a restore could not bring back, or not as they were."""

from contracts.errors import ErrorClass
from contracts.views import ItemProblem

_LONGEST = 400


class Problems:
    """All of them, in the order they happened; no subject or name of an item is among it."""

    def __init__(self) -> None:
        self._found: list[ItemProblem] = []

    def add(self, key: str, error: ErrorClass, detail: str) -> None:
        self._found.append(ItemProblem(item=key, error=error, detail=detail[:_LONGEST]))

    def __len__(self) -> int:
        return len(self._found)

    def all(self) -> list[ItemProblem]:
        return list(self._found)
