"""What has been asked of this process since it started or was reset."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Stats:
    """Counters by method and route, by status and in bytes; in memory, as they describe this process only."""

    requests: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    tokens_issued: Counter[str] = field(default_factory=Counter)
    bytes_out: int = 0
    unpublished: Counter[str] = field(default_factory=Counter)
    """What `--check-answers` found, by `METHOD template problem`; a reset keeps it."""

    def reset(self) -> None:
        self.requests.clear()
        self.statuses.clear()
        self.tokens_issued.clear()
        self.bytes_out = 0

    def as_json(self) -> dict[str, object]:
        """Return requests (by `METHOD template`), statuses, tokens issued (by app id), totals and bytes."""
        return {
            "requests": dict(sorted(self.requests.items())),
            "requests_total": self.requests.total(),
            "graph_requests_total": sum(n for key, n in self.requests.items() if "/v1.0" in key),
            "statuses": dict(sorted(self.statuses.items())),
            "tokens_issued": dict(sorted(self.tokens_issued.items())),
            "bytes_out": self.bytes_out,
            "unpublished": dict(sorted(self.unpublished.items())),
        }
