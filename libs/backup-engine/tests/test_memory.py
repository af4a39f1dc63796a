"""Memory does not grow with what is streamed through."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "stream_memory.py"
MB = 1_000_000


def peak(folder: Path, gigabytes: float) -> tuple[int, int]:
    """Bytes of memory, and bytes streamed, of a process of its own."""
    folder.mkdir()
    run = subprocess.run(
        [sys.executable, str(SCRIPT), str(folder), str(gigabytes)], capture_output=True, text=True, check=True
    )
    found = json.loads(run.stdout)
    return found["peak"], found["bytes"]


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_peak_memory_grows_by_less_than_1_mb_per_gb(tmp_path: Path) -> None:
    """Between 5 GB, when every buffer is full, and 20 GB; the first GB must not stay far below, either."""
    early, _ = peak(tmp_path / "1", 1)
    base, first = peak(tmp_path / "5", 5)
    found, streamed = peak(tmp_path / "20", 20)
    assert (found - base) / MB < (streamed - first) / 1e9, f"{base / MB:.0f} MB, then {found / MB:.0f} MB"
    assert found - early < 40 * MB, f"{early / MB:.0f} MB, then {found / MB:.0f} MB"
