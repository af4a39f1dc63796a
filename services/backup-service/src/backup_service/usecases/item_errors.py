"""What an error of Graph says: about one item, or about Microsoft 365 as a whole."""

from contracts.errors import ErrorClass
from graph_client.errors import (
    BadResponse,
    BodyTooLarge,
    Forbidden,
    GraphError,
    ItemUnreadable,
    NotFound,
    Refused,
    Unreachable,
)

_CLASSES: tuple[tuple[type[Exception], ErrorClass], ...] = (
    (Forbidden, ErrorClass.ACCESS_DENIED),
    (BodyTooLarge, ErrorClass.UNSUPPORTED_ITEM),
    (GraphError, ErrorClass.CORRUPT_SOURCE_ITEM),
)
_SERVER_ERROR = 500
_SURRENDER = 8
"""Items in a row without a usable answer: then it is not the items."""

OF_A_CONTAINER = (NotFound, Forbidden, ItemUnreadable, Refused, BadResponse)
"""What a folder or calendar may answer while the others of the mailbox are fine."""


def class_of(error: Exception) -> ErrorClass:
    return next((code for kind, code in _CLASSES if isinstance(error, kind)), ErrorClass.INTERNAL)


def reason(error: Exception) -> str:
    """What Graph said, without the address: that repeats the item's id."""
    code, text = getattr(error, "code", ""), getattr(error, "text", "")
    return ": ".join(part for part in (code, text) if part) or type(error).__name__


class Suspicion:
    """Tells whether an error is of one item.

    One that answers 500 or nonsense however often it is asked must not cost its mailbox; but when many do so in a row,
    Graph is away, and the job waits for it.
    """

    def __init__(self) -> None:
        self._in_a_row = 0

    def cleared(self) -> None:
        """An item came."""
        self._in_a_row = 0

    def falls_on_item(self, error: GraphError) -> bool:
        if isinstance(error, ItemUnreadable | Forbidden | BodyTooLarge):
            return True
        unusable = isinstance(error, Unreachable) and error.status >= _SERVER_ERROR
        if not unusable and not isinstance(error, Refused | BadResponse):
            return False
        self._in_a_row += 1
        return self._in_a_row < _SURRENDER
