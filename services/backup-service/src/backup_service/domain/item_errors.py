"""How many item problems a document carries; the complete list lies sealed in the restore point."""

from contracts.views import ItemProblem

SHOWN = 100


def shown(problems: list[ItemProblem]) -> tuple[ItemProblem, ...]:
    """The first ones, in the order they happened."""
    return tuple(problems[:SHOWN])
