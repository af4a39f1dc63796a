"""The page of measured outages, written by the run that measured them."""

import os
from collections.abc import Sequence
from pathlib import Path

from drill import HEADER, Result

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "outages.md"

_TEXT = """# Outages that were tried

Written by `make soak` (tests/chaos/test_outages.py); do not edit. Seed {seed}, {cores} cores, load {load:.1f}. Every
interval is scaled down as in tests/support/drill.py: an outage of 12 seconds stands for one of ten minutes. "Moment" is
the share of the Graph calls of an undisturbed run at which the fault struck; times are seconds, counted from the kill
or from the end of the outage. Every run below spent no attempt, stored nothing twice and left no dead letter.

{table}
"""


def write(results: Sequence[Result], seed: int) -> None:
    """Replace the page; the first result of each fault stands for it."""
    first = {result.fault: result for result in reversed(results)}
    rows = [result.row() for result in dict.fromkeys(results) if first[result.fault] is result]
    facts = {"seed": seed, "cores": os.cpu_count(), "load": os.getloadavg()[0]}
    PAGE.write_text(_TEXT.format(**facts, table="\n".join([HEADER, *rows])), encoding="utf-8")
