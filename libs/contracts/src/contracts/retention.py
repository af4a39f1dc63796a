"""How long restore points are kept, as people write it, and what is offered to them."""

from typing import Annotated, NamedTuple

from pydantic import StringConstraints

from contracts.texts import Text

_PERIOD = r"([1-9][0-9]{0,3}d|[1-9][0-9]{0,2}m|(hgb-)?([1-9]|10)y)"

PeriodText = Annotated[str, StringConstraints(pattern=rf"^{_PERIOD}$")]
"""`90d`, `18m`, `6y`: from the restore point on; `hgb-6y`: from the end of its calendar year (§ 257 HGB)."""

SchemeText = Annotated[
    str, StringConstraints(pattern=rf"^{_PERIOD}(,(daily|weekly|monthly|yearly)={_PERIOD})*$", max_length=100)
]
"""A period for every restore point and, optionally, longer ones for the first of a day, week, month or year."""

DEFAULT_FLOOR = "30d"
"""What holds for a tenant whose floor nobody has set; no configuration gets below it."""


class Offer(NamedTuple):
    """A retention that is offered by name; any other from the tenant's floor to ten years can be written."""

    scheme: str
    text: Text


_STANDARD = Text("Standard, general protection", "Standard, allgemeiner Schutz")
_EXTENDED = Text("Extended, archive", "Erweitert, Archiv")
_LEGAL = Text("Legal, tax records (HGB)", "Gesetzlich, Steuerunterlagen (HGB)")
_FROM_YEAR_END = Text(
    "Legal (HGB), counted from the end of the calendar year", "Gesetzlich (HGB), gezählt ab Ende des Kalenderjahres"
)

OFFERS: tuple[Offer, ...] = (
    Offer("30d", _STANDARD),
    Offer("90d", _STANDARD),
    Offer("1y", _EXTENDED),
    Offer("3y", _EXTENDED),
    Offer("6y", _LEGAL),
    Offer("8y", _LEGAL),
    Offer("10y", _LEGAL),
    Offer("hgb-6y", _FROM_YEAR_END),
    Offer("hgb-8y", _FROM_YEAR_END),
    Offer("hgb-10y", _FROM_YEAR_END),
    Offer(
        "30d,weekly=90d,monthly=1y,yearly=10y",
        Text(
            "Generations: the first of each week, month and year is kept longer",
            "Generationen: der erste jeder Woche, jedes Monats und Jahres bleibt länger",
        ),
    ),
)
