"""Prometheus metrics: one registry per process, handed in, and label values that cannot grow without bound."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector

OTHER = "other"


def new_registry(service: str, version: str) -> CollectorRegistry:
    """Build the process's registry with memory, CPU and file figures and `m365_build_info`."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    info = Gauge("m365_build_info", "Which release runs here; always 1.", ["service", "version"], registry=registry)
    info.labels(service=service, version=version).set(1)
    return registry


class BoundedLabel:
    """Lets the first `limit` distinct values of a label through and calls the rest "other"."""

    def __init__(self, limit: int, known: Iterable[str] = ()) -> None:
        self._limit = limit
        self._seen = set(known)

    def __call__(self, value: str) -> str:
        """Return `value`, or "other" once the limit is reached and it was not seen before."""
        if value in self._seen:
            return value
        if len(self._seen) >= self._limit:
            return OTHER
        self._seen.add(value)
        return value
