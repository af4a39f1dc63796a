"""What counts as an outage of something that everything here needs: it passes, and nobody is to blame."""

from pymongo.errors import ConnectionFailure

from chassis.bus import BusUnreachable
from chassis.vault import VaultUnreachable

_OUTAGES = (BusUnreachable, VaultUnreachable, ConnectionFailure)
"""ConnectionFailure is the driver's base of lost connections, no answer in time and no primary to be found."""


def is_outage(error: Exception) -> bool:
    """True when the bus, the documents or the vault did not answer; of a group, when each of its errors says so."""
    if isinstance(error, ExceptionGroup):
        return all(is_outage(inner) for inner in error.exceptions)
    return isinstance(error, _OUTAGES)
