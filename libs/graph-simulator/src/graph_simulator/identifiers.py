"""Ids in the shape Exchange and Entra give them, derived from the state's secret instead of drawn.

Exchange's ids in REST are base64 with `-` and `_` for `/` and `+` (EWS has the latter), so they may stand in a path as
they are; O365 puts them there. A client that percent-encodes the `=` is understood as well.
"""

import base64
import hashlib
import hmac
from datetime import date
from uuid import UUID

# Prefixes that make the base64 text begin as the real ones do: AAMk, AAkALg, AAQk.
_REGULAR = bytes.fromhex("000324")
_IMMUTABLE = bytes.fromhex("0009002e00")
_CONVERSATION = bytes.fromhex("000424")
_CHANGE_KEY = bytes.fromhex("09000000")
IMMUTABLE_START = "AAkALg"
_PLACE_LENGTH = 12


def derived_guid(secret: bytes, *names: str) -> str:
    """Return the GUID that this state gives to the named thing, the same one every time."""
    return str(UUID(bytes=_digest(secret, *names)[:16], version=4))


def regular_id(secret: bytes, kind: str, pk: int, moves: int = 0) -> str:
    """Return an Exchange id of an item that changes whenever the item moves."""
    return _encode(_REGULAR, _digest(secret, kind, str(pk), str(moves)) * 2)


def immutable_id(secret: bytes, kind: str, pk: int) -> str:
    """Return the id an item keeps for its whole life in one mailbox.

    https://learn.microsoft.com/graph/outlook-immutable-id
    """
    return _encode(_IMMUTABLE, _digest(secret, "immutable", kind, str(pk)) * 2)


def occurrence_id(secret: bytes, master: str, pk: int, day: str) -> str:
    """Return the id of one day of a series, in the format of its master's id; `read_occurrence_id` reads it."""
    prefix = _IMMUTABLE if master.startswith(IMMUTABLE_START) else _REGULAR
    place = pk.to_bytes(8) + date.fromisoformat(day).toordinal().to_bytes(4)
    return _encode(prefix, _digest(secret, "occurrence", master, day) + place)


def read_occurrence_id(text: str) -> tuple[int, str] | None:
    """Return the master's key and the day that an occurrence's id claims; None for other ids.

    Whoever asks compares the id with `occurrence_id`, as anybody can write one.
    """
    try:
        payload = base64.b64decode(text, altchars=b"_-", validate=True)
        place = payload[-_PLACE_LENGTH:]
        return int.from_bytes(place[:8]), date.fromordinal(int.from_bytes(place[8:])).isoformat()
    except (ValueError, OverflowError):
        return None


def attachment_id(message_id: str, ordinal: int) -> str:
    """Return an attachment's id; it follows its message's id, hence exists in both formats."""
    return _encode(_REGULAR, hashlib.sha512(f"{message_id}/{ordinal}".encode()).digest())


def conversation_id(thread: str) -> str:
    """Return the id that all messages of one thread share."""
    return _encode(_CONVERSATION, hashlib.sha256(thread.encode()).digest()[:24])


def change_key(seq: int) -> str:
    """Return the change key of an item whose latest change has this number."""
    return base64.b64encode(_CHANGE_KEY + hashlib.sha256(seq.to_bytes(8)).digest()[:21]).decode()


def _encode(prefix: bytes, payload: bytes) -> str:
    return base64.b64encode(prefix + payload, altchars=b"_-").decode()


def _digest(secret: bytes, *names: str) -> bytes:
    return hmac.digest(secret, "\0".join(names).encode(), "sha256")
