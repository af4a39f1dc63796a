"""One spelling for all: case, accents, umlauts.

ä, ae and a are the same, as are ö, oe, o and ü, ue, u, and ß and ss: people write Müller, Mueller and, on a keyboard
without umlauts, Muller. An e is dropped after a, o or u unless a vowel or q stands before these, because German writes
no umlaut there (neue, Frauen, Quelle). What begins alike still begins alike afterwards, so that prefixes can be
searched. The price: blue and blu, Israel and Isral are the same word here.
"""

import re
import unicodedata

_WORD = re.compile(r"\w+")
_WRITTEN_OUT = re.compile(r"(?<![aeiouyq])([aou])e")
_MARKS = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff]+")  # of Latin, Greek and Cyrillic letters
_LETTERS = {"ø": "o", "œ": "oe", "æ": "ae", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
_OTHERS = re.compile(f"[{''.join(_LETTERS)}]")


def fold(text: str) -> str:
    """The text in the one spelling; words stay words, in their order."""
    text = text.casefold()  # ß becomes ss
    if not text.isascii():
        text = _MARKS.sub("", unicodedata.normalize("NFKD", text))
        text = _OTHERS.sub(lambda letter: _LETTERS[letter[0]], text)
    return _WRITTEN_OUT.sub(r"\1", text)


def words(text: str) -> list[str]:
    """The folded words of the text. An underscore is no part of a word, as the index sees it."""
    return [word for found in _WORD.findall(fold(text)) for word in found.split("_") if word]
