"""One item to look at: as text, and as HTML that runs nothing, loads nothing and sends nothing."""

import re
from dataclasses import dataclass

import nh3

from backup_service.domain.mime import ParsedMail
from backup_service.domain.searching.html_text import text_of

LONGEST_TEXT = 60_000
LONGEST_HTML = 100_000
"""Characters that fit into one answer on the bus, whatever they are."""

_TAGS = {
    "a", "abbr", "b", "bdi", "bdo", "big", "blockquote", "br", "caption", "center", "cite", "code", "col", "colgroup",
    "dd", "del", "div", "dl", "dt", "em", "font", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd",
    "li", "ol", "p", "pre", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "table", "tbody", "td",
    "tfoot", "th", "thead", "tr", "tt", "u", "ul", "var",
}  # fmt: skip
_SILENT = {"script", "style", "title", "template", "noscript", "iframe", "object", "svg", "math"}
_ATTRIBUTES = {
    "*": {"style", "dir", "lang", "align", "valign"},
    "a": {"href", "title"},
    "font": {"color", "size", "face"},
    "img": {"src", "alt", "width", "height"},
    "table": {"border", "cellpadding", "cellspacing", "width", "bgcolor"},
    "td": {"colspan", "rowspan", "width", "bgcolor"},
    "th": {"colspan", "rowspan", "width", "bgcolor"},
    "ol": {"start", "type"},
}
_STYLES = {
    "color", "background-color", "font-family", "font-size", "font-style", "font-weight", "text-align",
    "text-decoration", "vertical-align", "border", "border-collapse", "padding", "margin", "width", "white-space",
}  # fmt: skip
_LOADS = re.compile(r"url|expression|image|@|\\", re.IGNORECASE)
_PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]+")


@dataclass(frozen=True)
class Shown:
    """`truncated`: longer than what is here."""

    text: str
    html: str
    truncated: bool


def shown(mail: ParsedMail) -> Shown:
    """A mail as text and, when it has HTML, as sanitised HTML."""
    text = text_of(mail.body) if mail.is_html else mail.body
    return limited(text, mail.body if mail.is_html else "")


def limited(text: str, html: str) -> Shown:
    """What fits of both. HTML is cut before it is cleaned, which closes what was cut open."""
    clean = safe_html(html[:LONGEST_HTML])
    too_long = len(text) > LONGEST_TEXT or len(html) > LONGEST_HTML or len(clean) > LONGEST_HTML
    return Shown(text[:LONGEST_TEXT], clean if len(clean) <= LONGEST_HTML else "", too_long)


def safe_html(html: str) -> str:
    """No scripts, forms, frames or remote content; links open nothing by themselves; a few harmless styles."""
    return nh3.clean(
        html,
        tags=_TAGS,
        clean_content_tags=_SILENT,
        attributes=_ATTRIBUTES,
        attribute_filter=_kept,
        url_schemes={"http", "https", "mailto", "data"},
        link_rel="noopener noreferrer nofollow",
        filter_style_properties=_STYLES,
    )


def _kept(tag: str, attribute: str, value: str) -> str | None:
    """Pictures only when they are inside the mail; nothing that could fetch, whatever a browser makes of it."""
    match tag, attribute:
        case "img", "src":
            return value if _PICTURE.fullmatch(value) else None
        case _, "href":
            return value if value.partition(":")[0].strip().lower() in {"http", "https", "mailto"} else None
        case _, "style":
            return None if _LOADS.search(value) else value
    return value
