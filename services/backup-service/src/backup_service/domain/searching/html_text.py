"""The words of an HTML page, in reading order: for search and for people who want plain text."""

import re
from html.parser import HTMLParser

_SILENT = {"script", "style", "head", "template", "noscript", "svg", "title"}
_BREAKS = {
    "p",
    "div",
    "br",
    "tr",
    "li",
    "ul",
    "ol",
    "table",
    "blockquote",
    "pre",
    "hr",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
}
_CELLS = {"td", "th"}
_BLANKS = re.compile(r"[ \t\r\f\v\xa0]+")
_LINES = re.compile(r" *\n *")
_EMPTY = re.compile(r"\n{3,}")


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self.silent: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - of the base class
        if tag in _SILENT:
            self.silent.append(tag)
        elif tag == "body":
            self.silent.clear()  # nobody has to close <head>
        elif tag in _BREAKS:
            self.pieces.append("\n")
        elif tag in _CELLS:
            self.pieces.append(" ")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _SILENT:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.silent:
            del self.silent[self.silent.index(tag) :]
        elif tag in _BREAKS:
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.pieces.append(data.replace("\n", " "))


def text_of(html: str) -> str:
    """Plain text with line breaks where blocks end; never fails, whatever the page is."""
    parser = _Words()
    try:
        parser.feed(html)
        parser.close()
    except (AssertionError, ValueError):  # declarations the standard library gives up on
        return _without_tags(html)
    text = _tidied("".join(parser.pieces))
    # Whoever opens <style> and never closes it must not hide his mail.
    return text or (_without_tags(html) if parser.silent else "")


def _without_tags(html: str) -> str:
    return _tidied(re.sub(r"<[^>]*>", " ", html))


def _tidied(text: str) -> str:
    return _EMPTY.sub("\n\n", _LINES.sub("\n", _BLANKS.sub(" ", text))).strip()
