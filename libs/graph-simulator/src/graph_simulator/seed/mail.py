"""One mail on its way into a mailbox."""

from dataclasses import dataclass

from graph_simulator.messages import Arrival


class SourceInvalidError(Exception):
    """The mail source given by the user cannot be read as what it should be; the text says why."""


@dataclass(frozen=True, slots=True)
class SeedMail:
    """Exact bytes, the mailbox they belong to, the folder (names from the top level down), and their state."""

    mailbox: str
    folder: tuple[str, ...]
    raw: bytes
    arrival: Arrival
    hidden_folder: bool = False
