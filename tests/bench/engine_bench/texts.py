"""Words, sentences and tables of the corpus: compressible as office text is, and nobody's."""

import random
from itertools import accumulate

_SYLLABLES = (
    "ver", "bund", "an", "ge", "sel", "schaft", "ter", "min", "plan", "lie", "fer", "rech", "nung", "be",
    "stell", "auf", "trag", "mus", "ter", "pro", "jekt", "kun", "de", "an", "fra", "ge", "sys", "tem", "da",
    "ten", "si", "cher", "heit", "um", "satz", "quar", "tal", "ab", "tei", "lung", "lei", "tung", "ar",
    "beit", "mei", "ting", "in", "fo", "mail", "ser", "vice",
)  # fmt: skip
_VOCABULARY = 6000
_SENTENCES = 30_000


class Texts:
    """Sentences over a vocabulary with a Zipf distribution."""

    def __init__(self, rng: random.Random) -> None:
        vocabulary = _words(rng, _VOCABULARY)
        weights = list(accumulate(1.0 / (i + 3) for i in range(_VOCABULARY)))
        self._sentences = [_sentence(rng, vocabulary, weights) for _ in range(_SENTENCES)]

    def text(self, rng: random.Random, length: int) -> str:
        """At least `length` characters."""
        parts, total = [], 0
        while total < length:
            sentence = rng.choice(self._sentences)
            parts.append(sentence)
            total += len(sentence) + 1
        return " ".join(parts)

    def subject(self, rng: random.Random) -> str:
        return " ".join(rng.choice(self._sentences).split()[:6])

    def style(self, rng: random.Random) -> bytes:
        """The style sheet a mail program puts into every mail."""
        rules = (
            f'p.Mso{word}{{margin:0cm;font-size:{rng.randint(8, 14)}.0pt;font-family:"Calibri",sans-serif;}}'
            for word in _words(rng, 60)
        )
        return f"<style><!-- /* Font Definitions */ {' '.join(rules)} --></style>".encode()

    def table(self, rng: random.Random, size: int) -> bytes:
        """`size` bytes of comma-separated values."""
        rows, total = [], 0
        while total < size:
            number, text = rng.randint(10000, 99999), rng.choice(self._sentences)[:24]
            row = f"{number};{text};{rng.random() * 9999:.2f};EUR\r\n"
            rows.append(row)
            total += len(row)
        return "".join(rows)[:size].encode()

    def export(self, rng: random.Random, size: int) -> bytes:
        """At least `size` bytes of a numbered table."""
        rows: list[str] = []
        total = 0
        while total < size:
            text, amount = rng.choice(self._sentences)[:40], rng.random() * 1e5
            row = f"{len(rows)};{text};{amount:.2f};{rng.choice(('EUR', 'USD', 'CHF'))}\n"
            rows.append(row)
            total += len(row)
        return "".join(rows).encode()


def _words(rng: random.Random, count: int) -> list[str]:
    return ["".join(rng.choice(_SYLLABLES) for _ in range(rng.choice((1, 2, 2, 3, 3, 4)))) for _ in range(count)]


def _sentence(rng: random.Random, vocabulary: list[str], weights: list[float]) -> str:
    words = " ".join(rng.choices(vocabulary, cum_weights=weights, k=rng.randint(5, 18)))
    return words.capitalize() + rng.choice((".", ".", ".", "?", "!", ";"))
