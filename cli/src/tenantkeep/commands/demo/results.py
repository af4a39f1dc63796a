"""What the demo found out: comparisons that held or not, and figures."""

from dataclasses import dataclass, field
from typing import Any

from contracts.texts import Text
from contracts.views import Run
from tenantkeep.commands import figures
from tenantkeep.commands.output import Screen

_THOUSAND = 1000


@dataclass(frozen=True)
class Check:
    """One comparison, with its figures in plain words."""

    name: Text
    held: bool
    detail: Text


@dataclass(frozen=True)
class BackupFigures:
    """One backup run: its counts and time, and what the tenant was asked meanwhile."""

    run: Run
    requests: int
    bodies: int

    @property
    def seconds(self) -> float:
        if self.run.started_at is None or self.run.finished_at is None:
            return 0.0
        return (self.run.finished_at - self.run.started_at).total_seconds()

    @property
    def seconds_to_start(self) -> float | None:
        """From the request to the first running job."""
        if self.run.started_at is None:
            return None
        return (self.run.started_at - self.run.requested_at).total_seconds()

    @property
    def per_thousand(self) -> float | None:
        """Graph requests per 1,000 items of the mailboxes; None when there are none."""
        listed = self.run.counts.listed
        return None if listed == 0 else self.requests * _THOUSAND / listed

    @property
    def items_per_second(self) -> float | None:
        return None if self.seconds == 0 else self.run.counts.stored / self.seconds

    @property
    def stored_per_read(self) -> float | None:
        read = self.run.counts.bytes_read
        return None if read == 0 else self.run.counts.bytes_stored / read

    def document(self) -> dict[str, Any]:
        return {
            "counts": self.run.counts.model_dump(),
            "seconds": round(self.seconds, 2),
            "seconds_to_start": _rounded(self.seconds_to_start, 3),
            "graph_requests": self.requests,
            "bodies_fetched": self.bodies,
            "requests_per_1000_items": _rounded(self.per_thousand),
            "items_per_second": _rounded(self.items_per_second),
            "bytes_stored_per_byte_read": _rounded(self.stored_per_read, 3),
        }


@dataclass
class Results:
    """Collected step by step; `held` only when at least one comparison was made and none failed."""

    checks: list[Check] = field(default_factory=list)
    backups: list[BackupFigures] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    peak_memory: int | None = None

    def check(self, name: Text, *, held: bool, detail: Text) -> None:
        self.checks.append(Check(name, held, detail))

    @property
    def held(self) -> bool:
        return bool(self.checks) and all(check.held for check in self.checks)

    def document(self) -> dict[str, Any]:
        return {
            "held": self.held,
            "checks": [{"name": c.name.en, "held": c.held, "detail": c.detail.en} for c in self.checks],
            "backups": [backup.document() for backup in self.backups],
            "worker_peak_memory_bytes": self.peak_memory,
            "seconds": {name: round(value, 2) for name, value in self.seconds.items()},
        }


def show(screen: Screen, results: Results) -> None:
    """The short table at the end."""
    titles = (Text("First backup", "Erste Sicherung"), Text("After the changes", "Nach den Änderungen"))
    headers = (Text("Figures", "Zahlen"), *titles[: len(results.backups)])
    if results.backups:
        screen.table(headers, [(screen.text(name), *values) for name, values in _rows(results.backups)])
    if results.peak_memory is not None:
        screen.say(
            Text("Peak memory of the worker: {}", "Höchster Speicherbedarf des Workers: {}"),
            figures.size(results.peak_memory),
        )
    mark = (Text("held", "stimmt"), Text("FAILED", "GESCHEITERT"))
    rows = [
        (screen.text(c.name), screen.text(mark[0] if c.held else mark[1]), screen.text(c.detail))
        for c in results.checks
    ]
    screen.table((Text("Comparison", "Vergleich"), Text("Result", "Ergebnis"), Text("Figures", "Zahlen")), rows)


def _rows(backups: list[BackupFigures]) -> list[tuple[Text, list[str]]]:
    return [
        (
            Text("Items in the mailboxes", "Elemente in den Postfächern"),
            [str(b.run.counts.listed) for b in backups],
        ),
        (Text("Items stored", "Elemente gespeichert"), [str(b.run.counts.stored) for b in backups]),
        (Text("Message bodies fetched", "Inhalte von Nachrichten geladen"), [str(b.bodies) for b in backups]),
        (Text("Bytes read", "Bytes gelesen"), [figures.size(b.run.counts.bytes_read) for b in backups]),
        (Text("Bytes stored", "Bytes gespeichert"), [figures.size(b.run.counts.bytes_stored) for b in backups]),
        (
            Text("Stored per byte read", "Gespeichert je gelesenem Byte"),
            [_shown(b.stored_per_read, 2) for b in backups],
        ),
        (Text("Graph requests", "Graph-Anfragen"), [str(b.requests) for b in backups]),
        (
            Text("Requests per 1,000 items", "Anfragen je 1.000 Elemente"),
            [_shown(b.per_thousand) for b in backups],
        ),
        (
            Text("Request to first running job", "Anforderung bis zum ersten Auftrag"),
            [_seconds(b.seconds_to_start) for b in backups],
        ),
        (Text("Items per second", "Elemente je Sekunde"), [_shown(b.items_per_second) for b in backups]),
        (Text("Duration", "Dauer"), [figures.duration(b.seconds) for b in backups]),
    ]


def _shown(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _seconds(value: float | None) -> str:
    return "–" if value is None else figures.duration(value)


def _rounded(value: float | None, digits: int = 1) -> float | None:
    return None if value is None else round(value, digits)
