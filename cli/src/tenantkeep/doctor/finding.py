"""What a check answers: good, bad or unknown, with the next step."""

from dataclasses import dataclass
from enum import StrEnum

from contracts.texts import Text


class Answer(StrEnum):
    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"


ANSWERS: dict[Answer, Text] = {
    Answer.GOOD: Text("Good", "Gut"),
    Answer.BAD: Text("Bad", "Schlecht"),
    Answer.UNKNOWN: Text("Unknown", "Unbekannt"),
}

AREAS: dict[str, Text] = {
    "versions": Text("versions", "Versionen"),
    "folder": Text("state folder", "Zustandsordner"),
    "ports": Text("ports", "Ports"),
    "certificates": Text("certificates", "Zertifikate"),
    "tls": Text("TLS", "TLS"),
    "clock": Text("clock", "Uhr"),
    "processes": Text("processes", "Prozesse"),
    "bus": Text("bus", "Bus"),
    "gateway": Text("gateway", "Gateway"),
}

NOTHING = Text("", "")


@dataclass(frozen=True)
class Finding:
    """One answer. `area` is a key of AREAS; `detail` has no language (names, numbers); `remedy` is the next step."""

    area: str
    subject: str
    answer: Answer
    detail: str = ""
    remedy: Text = NOTHING


def good(area: str, subject: str, detail: str = "") -> Finding:
    return Finding(area, subject, Answer.GOOD, detail)


def bad(area: str, subject: str, detail: str, remedy: Text) -> Finding:
    return Finding(area, subject, Answer.BAD, detail, remedy)


def unknown(area: str, subject: str, detail: str, remedy: Text) -> Finding:
    """The check could not run: never an empty list, never green."""
    return Finding(area, subject, Answer.UNKNOWN, detail, remedy)
