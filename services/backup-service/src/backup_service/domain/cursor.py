"""Where a mailbox's delta stands. It is stored sealed in the repository, together with what it covers, nowhere else."""

import json
from dataclasses import dataclass, field
from typing import Any


class CursorUnreadable(ValueError):
    """The bytes are no cursor of a version this release reads."""


@dataclass
class MailCursor:
    """One link per folder: a nextLink inside a round, a deltaLink between rounds.

    `done` are the folders whose round of this run is over. `moved_out` are ids a folder reported as removed: a
    message that moved appears elsewhere under the same immutable id, so removals count only at the end of the run.
    `retry` are items that could not be read, with the session that met them first; they are tried again at every
    run, because no delta names them again. `tally` are the numbers of the run so far, so that a worker that takes
    over goes on counting; `job` says whose they are.
    """

    links: dict[str, str] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    moved_out: dict[str, str] = field(default_factory=dict)
    retry: dict[str, str] = field(default_factory=dict)
    tally: dict[str, int] = field(default_factory=dict)
    job: str = ""

    VERSION = 1

    def dump(self) -> bytes:
        document = {
            "version": self.VERSION,
            "links": self.links,
            "done": sorted(self.done),
            "moved_out": self.moved_out,
            "retry": self.retry,
            "tally": self.tally,
            "job": self.job,
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def load(cls, raw: bytes | None) -> "MailCursor":
        """Read a stored cursor; None or empty bytes = a fresh one. Raises CursorUnreadable."""
        if not raw:
            return cls()
        try:
            document: dict[str, Any] = json.loads(raw)
            if document["version"] != cls.VERSION:
                raise CursorUnreadable(f"cursor version {document['version']} is not {cls.VERSION}")
            return cls(
                dict(document["links"]),
                set(document["done"]),
                dict(document["moved_out"]),
                dict(document["retry"]),
                dict(document["tally"]),
                str(document["job"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise CursorUnreadable("the stored cursor cannot be read") from error

    def belongs_to(self, job: str) -> None:
        """Go on for `job`: forget what belonged to the one before; the links and the unread items stay."""
        if self.job != job:
            self.job = job
            self.done.clear()
            self.tally.clear()
            self.moved_out.clear()
