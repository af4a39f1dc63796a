from datetime import datetime

import pytest

from backup_engine import StorageDenied, StorageUnreachable
from backup_engine.storage import MemoryStorage, probe
from backup_engine.testing.faulty import FaultyStorage


class OverwritingStorage(MemoryStorage):
    def put(self, key: str, body: bytes, *, retain_until: datetime | None = None) -> None:
        self.objects[key] = body


def test_a_store_that_overwrites_is_found_out() -> None:
    storage = OverwritingStorage()
    report = probe(storage)
    assert not report.ok
    failed = [step for step in report.steps if not step.ok]
    assert [step.name for step in failed] == ["overwrite_refused"]
    assert "If-None-Match" in failed[0].error
    assert storage.objects == {}


@pytest.mark.parametrize(
    ("error", "words"),
    [(StorageDenied("AccessDenied"), "credentials"), (StorageUnreachable("refused"), "address")],
)
def test_the_first_failure_ends_the_test_in_plain_words(memory: MemoryStorage, error: Exception, words: str) -> None:
    with FaultyStorage(memory) as storage:
        storage.plan("put", "probe/", error)
        report = probe(storage)
    assert [(step.name, step.ok) for step in report.steps] == [("write", False)]
    assert words in report.steps[0].error


def test_the_probe_cleans_up_after_a_failed_read(memory: MemoryStorage) -> None:
    with FaultyStorage(memory) as storage:
        storage.plan("get", "probe/", StorageDenied("write only"))
        report = probe(storage)
    assert [(step.name, step.ok) for step in report.steps] == [
        ("write", True),
        ("read", False),
        ("delete", True),
    ]
    assert memory.objects == {}
