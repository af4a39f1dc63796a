"""One mail out of 100,000 items comes back at once; figures to `tests/soak/out/restore.json`."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from backup_fakes.exchange import ANNA, Exchange

from backup_engine import NewItem
from backup_service.domain.calendar import CALENDAR, EVENT
from backup_service.domain.mail import FOLDER, MAIL
from contracts.names import JobState
from contracts.restoring import RestoreSelection

ITEMS = 100_000
NOW = datetime(2026, 3, 1, tzinfo=UTC)
OUT = Path(__file__).parents[4] / "tests/soak/out/restore.json"


def mailbox() -> Iterator[tuple[NewItem, bytes]]:
    for number in range(ITEMS):
        if number % 10 == 9:
            yield NewItem(f"e{number:06d}", EVENT, "1", "c0"), json.dumps({"event": {"id": f"e{number}"}}).encode()
            continue
        meta = {"receivedDateTime": NOW.isoformat(), "isRead": True, "internetMessageId": f"<{number}@x.example>"}
        body = f"Message-ID: <{number}@x.example>\r\nSubject: letter {number}\r\n\r\n{'text ' * 50}\r\n"
        yield NewItem(f"m{number:06d}", MAIL, "1", f"f{number % 40}", meta), body.encode()


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_one_mail_of_100_000_items_is_back_within_two_seconds(worker: Any, exchange: Exchange) -> None:
    repository = await worker.repositories.open("contoso", "t1")
    with repository.open_session(f"c1/{ANNA}", "01ARZ3NDEKTSV4RRFFQ0000001", parent=None) as session:
        session.put_record("c0", CALENDAR, "", "", {"name": "Kalender", "is_default": True})
        for number in range(40):
            session.put_record(f"f{number}", FOLDER, "", "", {"name": f"Ordner {number}", "hidden": False})
        for item, body in mailbox():
            (session.put_item if item.kind == MAIL else session.put_page_item)(item, body)
        point = session.commit(
            b"", listed=ITEMS, skipped=[], failed=[], taken_at=NOW, expires_at=NOW + timedelta(days=90)
        )
    seconds = []
    for number in (7, 40_000, 99_998):
        begun = time.perf_counter()
        chosen = RestoreSelection(items=(f"m{number:06d}",))
        job = await worker.deliver(worker.queue_restore(point.id, ANNA, "Restored", selection=chosen))
        seconds.append(round(time.perf_counter() - begun, 2))
        assert (job.state, job.counts.verified) == (JobState.SUCCEEDED, 1)
    assert len(exchange.letters[ANNA]) == 3
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"items": ITEMS, "one_mail_s": seconds}) + "\n")
    assert max(seconds) < 2
