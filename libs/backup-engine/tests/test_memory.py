"""Memory does not grow with what is streamed through."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "stream_memory.py"
MB = 1_000_000
GB = 1_000_000_000


def streamed(folder: Path, size: str) -> list[dict[str, int]]:
    """What the script says of `size` GB."""
    run = subprocess.run([sys.executable, str(SCRIPT), str(folder), size], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_the_measurement_works(tmp_path: Path) -> None:
    (line,) = streamed(tmp_path, "0.02")
    assert line["streamed"] >= 0.02 * GB
    assert line["peak"] >= line["held"] > 0


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_memory_grows_by_less_than_1_mb_per_gb(tmp_path: Path) -> None:
    """The peak, and what is held between two checkpoints, after 1, 5 and 20 GB of one stream in a process of its own.

    One stream, because the peak depends on what happens to be under way at once: from process to process it differs
    by 20 MB at the same length. From 5 GB on every buffer has been full; the first GB must not stay far below, either.
    """
    lines = streamed(tmp_path, "20")
    one, five, all_of_it = (next(line for line in lines if line["streamed"] >= size * GB) for size in (1, 5, 20))
    allowed = (all_of_it["streamed"] - five["streamed"]) / GB * MB
    assert all_of_it["peak"] - five["peak"] < allowed, lines
    assert lines[-2]["held"] - five["held"] < allowed, lines  # the last line is of the commit, not between checkpoints
    assert all_of_it["peak"] - one["peak"] < 40 * MB, lines
