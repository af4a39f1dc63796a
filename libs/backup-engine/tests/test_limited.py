import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from backup_engine.storage import LimitedStorage, Limits, MemoryStorage


class Time:
    """Passes only by waiting for it."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waits: list[float] = []

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


class Crowded(MemoryStorage):
    """Knows how many requests were under way at once; each waits until `expected` are, or the time is up."""

    def __init__(self, expected: int) -> None:
        super().__init__()
        self.most = 0
        self._here = 0
        self._crowd = threading.Condition()
        self._expected = expected

    def delete(self, key: str) -> None:
        with self._crowd:
            self._here += 1
            self.most = max(self.most, self._here)
            self._crowd.notify_all()
            self._crowd.wait_for(lambda: self._here > self._expected, timeout=0.05)
            self._here -= 1


@pytest.mark.parametrize("direction", ["upload", "download"])
def test_bytes_pass_at_the_rate_agreed(direction: str) -> None:
    time = Time()
    memory = MemoryStorage()
    storage = LimitedStorage(memory, Limits(**{direction: 1000}), now=lambda: time.now, wait=time.wait)
    for n in range(5):
        if direction == "upload":
            storage.put(f"k{n}", bytes(500))
        else:
            memory.put(f"k{n}", bytes(500))
            storage.get(f"k{n}")
    assert time.now - 100.0 == pytest.approx(1.0)  # 2,500 bytes: a second's worth at once, then half a second each
    storage.put("free" if direction == "download" else "last", b"")


def test_a_large_object_makes_the_next_one_wait() -> None:
    time = Time()
    storage = LimitedStorage(MemoryStorage(), Limits(upload=1000), now=lambda: time.now, wait=time.wait)
    storage.put("pack", bytes(16_000))
    assert time.waits == []
    storage.put("index", bytes(10))
    assert time.waits == [pytest.approx(15.0)]


def test_never_more_requests_at_once_than_agreed() -> None:
    crowded = Crowded(expected=3)
    storage = LimitedStorage(crowded, Limits(requests=3))
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(storage.delete, [f"k{n}" for n in range(24)]))
    assert crowded.most == 3
