"""MessagePack, with types."""

from typing import Any

import msgpack  # type: ignore[import-untyped]  # it ships no type information


def encode(value: Any) -> bytes:
    packed: bytes = msgpack.packb(value)
    return packed


def decode(packed: bytes) -> Any:
    """Raises ValueError for bytes that are no single MessagePack value."""
    return msgpack.unpackb(packed)
