"""A few words around the first one that was asked for."""

import re
from collections.abc import Sequence

from backup_service.domain.searching.fold import fold

_WORD = re.compile(r"\w+")
_AROUND = 70  # characters before and after
_LOOKED_AT = 65_536


def excerpt(text: str, asked: Sequence[str]) -> str:
    """One line of about 160 characters; the beginning of the text when none of the words is in it."""
    text = text[:_LOOKED_AT]
    at = next((match.start() for match in _WORD.finditer(text) if _is_asked(match[0], asked)), 0) if asked else 0
    start = max(0, at - _AROUND)
    if start:  # begin with a whole word
        start = text.find(" ", start, at) + 1 or start
    piece = " ".join(text[start : at + 2 * _AROUND].split())
    return ("… " if start else "") + piece + (" …" if at + 2 * _AROUND < len(text) else "")


def _is_asked(word: str, asked: Sequence[str]) -> bool:
    folded = fold(word)
    return any(folded.startswith(one) for one in asked)
