"""What an error of Graph says about one item."""

from contracts.errors import ErrorClass
from graph_client.errors import BodyTooLarge, Forbidden, ItemUnreadable

_CLASSES: tuple[tuple[type[Exception], ErrorClass], ...] = (
    (Forbidden, ErrorClass.ACCESS_DENIED),
    (BodyTooLarge, ErrorClass.UNSUPPORTED_ITEM),
    (ItemUnreadable, ErrorClass.CORRUPT_SOURCE_ITEM),
)


def class_of(error: Exception) -> ErrorClass:
    return next((code for kind, code in _CLASSES if isinstance(error, kind)), ErrorClass.INTERNAL)


def reason(error: Exception) -> str:
    """What Graph said, without the address: that repeats the item's id."""
    code, text = getattr(error, "code", ""), getattr(error, "text", "")
    return ": ".join(part for part in (code, text) if part) or type(error).__name__
