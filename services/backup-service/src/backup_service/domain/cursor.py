"""Where the reading of a resource stands. It is stored sealed in the repository, together with what it covers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

MAIL_SECTION = "mail"


class CursorUnreadable(ValueError):
    """The bytes are no cursor of a version this release reads."""


@dataclass
class Section:
    """What one source remembers; the values of `cursor` and `progress` are whatever JSON can say.

    `cursor` lasts from run to run, e.g. delta links. `progress` is of the job under way, so that a worker that takes
    over does not begin again. `retry` are items that could not be read, with the session that met them first; they are
    tried again at every run, because no delta names them again. `tally` are the numbers of the job so far, `counted`
    the final ones, once its restore point is made.
    """

    cursor: dict[str, Any] = field(default_factory=dict)
    progress: dict[str, Any] = field(default_factory=dict)
    retry: dict[str, str] = field(default_factory=dict)
    tally: dict[str, int] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)


@dataclass
class Cursor:
    """One section per source, the numbers that are of no single one, and whose job the numbers are.

    A section whose source is not read by this job stays as it is.
    """

    sections: dict[str, Section] = field(default_factory=dict)
    tally: dict[str, int] = field(default_factory=dict)
    job: str = ""

    VERSION = 2

    def section(self, source: str) -> Section:
        return self.sections.setdefault(source, Section())

    def dump(self) -> bytes:
        document = {
            "version": self.VERSION,
            "sections": {name: vars(section) for name, section in self.sections.items()},
            "tally": self.tally,
            "job": self.job,
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def load(cls, raw: bytes | None) -> Self:
        """Read a stored cursor; None or empty bytes = a fresh one. Raises CursorUnreadable."""
        if not raw:
            return cls()
        try:
            document: dict[str, Any] = json.loads(raw)
            version = document["version"]
            if version == 1:
                return cls._of_mail_alone(document)
            if version != cls.VERSION:
                raise CursorUnreadable(f"cursor version {version} is not {cls.VERSION}")
            sections = {str(name): _section(stored) for name, stored in document["sections"].items()}
            return cls(sections, dict(document["tally"]), str(document["job"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CursorUnreadable("the stored cursor cannot be read") from error

    @classmethod
    def _of_mail_alone(cls, document: Mapping[str, Any]) -> Self:
        """Version 1, of releases that read nothing but mail."""
        tally = dict(document["tally"])
        shared = {name: tally.pop(name) for name in ("requests", "bytes_stored") if name in tally}
        progress = {"done": dict.fromkeys(document["done"], 1), "moved_out": dict(document["moved_out"])}
        mail = Section({"links": dict(document["links"])}, progress, dict(document["retry"]), tally)
        return cls({MAIL_SECTION: mail}, shared, str(document["job"]))

    def belongs_to(self, job: str) -> None:
        """Go on for `job`: forget what belonged to the one before; the cursors and the unread items stay."""
        if self.job != job:
            self.job = job
            self.tally.clear()
            for section in self.sections.values():
                section.progress.clear()
                section.tally.clear()
                section.counted.clear()


def _section(stored: Mapping[str, Any]) -> Section:
    # What earlier releases wrote has no `counted`.
    return Section(**{f.name: dict(stored[f.name]) for f in fields(Section) if f.name in stored or f.name != "counted"})
