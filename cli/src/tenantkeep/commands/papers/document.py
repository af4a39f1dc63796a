"""A document in one language: what it says as data, and the two formats it is rendered in."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+!|~-])")


class PaperFormat(StrEnum):
    """HTML is one file without anything it loads; Markdown is CommonMark with tables."""

    HTML = "html"
    MARKDOWN = "markdown"

    @property
    def suffix(self) -> str:
        return ".html" if self is PaperFormat.HTML else ".md"


@dataclass(frozen=True)
class Section:
    """A point: `done` is its tick, None where there is nothing to tick. `facts` are label and value."""

    title: str
    done: bool | None = None
    text: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    link: tuple[str, str] | None = None
    """What is shown, and an https address."""


@dataclass(frozen=True)
class Paper:
    """A document; nothing in it is markup, whatever it looks like."""

    language: str
    title: str
    subject: str
    made: str
    """The sentence below it, which says when it was made."""
    sections: tuple[Section, ...]


def render(paper: Paper, wanted: PaperFormat) -> str:
    """The document in that format. HTML and Markdown of what people wrote are shown, not obeyed."""
    name = "paper.html.j2" if wanted is PaperFormat.HTML else "paper.md.j2"
    return _templates().get_template(name).render(paper=paper)


def stamp(at: datetime | None) -> str:
    """A moment with its offset from UTC, as a document must say it; a dash for none."""
    return "–" if at is None else at.astimezone().strftime("%Y-%m-%d %H:%M:%S %z")


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("tenantkeep.commands.papers"),
        autoescape=select_autoescape(("html.j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["plain"] = _plain
    return environment


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
