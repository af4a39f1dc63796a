"""Streams gigabytes into a storage that discards them, in one backup; run by test_memory.py.

After each checkpoint, and at the end, a line of JSON: bytes streamed, the peak of this process's memory so far, and
what it holds now, in bytes.
"""

import base64
import itertools
import json
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from backup_engine import NewItem, Repository, Session, Tuning
from backup_engine.storage import LocalStorage
from backup_engine.testing.discarding import DiscardingStorage
from backup_engine.testing.keys import LocalKeyWrapper

GB = 1_000_000_000
CHECKPOINT = 1 << 30  # bytes, as the product does
FILE = 200_000_000
RANDOM = random.Random(1)
NOISE = RANDOM.randbytes(8 << 20)
TEXT = base64.encodebytes(NOISE[: 90 << 10]).replace(b"\n", b"\r\n")


def mail(number: int) -> bytes:
    """About 60 KB with an attachment of its own."""
    start = number * 78 % 60_000
    return (
        b"From: anna@contoso.example\r\nSubject: %d\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
        % number
        + b"Content-Transfer-Encoding: base64\r\n\r\n%076d\r\n" % number
        + TEXT[start : start + 60_000]
        + b"\r\n--b--\r\n"
    )


def pieces(number: int) -> Iterator[bytes]:
    left = FILE
    for n in itertools.count():
        piece = b"%020d%020d" % (number, n) + NOISE[n * 4099 % (7 << 20) :][: 1 << 20]
        yield piece[:left]
        left -= len(piece)
        if left <= 0:
            return


def fill(session: Session, total: int) -> int:
    """Half of the bytes are mails, half files."""
    done = since = items = 0
    while done < total:
        if items % 3500 == 3499:
            stored = session.put_stream(NewItem(f"file{items:09d}", "file", "1", "drive"), pieces(items))
        else:
            item = NewItem(f"{RANDOM.randbytes(60).hex()}{items:09d}", "mail", "c" * 40, "inbox", {"subject": items})
            stored = session.put_item(item, mail(items))
        items += 1
        done += stored.size
        since += stored.size
        if since >= CHECKPOINT:
            session.checkpoint(b"cursor")
            since = 0
            report(done)
    return items


def report(streamed: int) -> None:
    """Files that the process maps are included."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    peak, held = (int(status[name].split()[0]) << 10 for name in ("VmHWM", "VmRSS"))
    sys.stdout.write(json.dumps({"streamed": streamed, "peak": peak, "held": held}) + "\n")


def main(folder: Path, total: int) -> None:
    storage = DiscardingStorage(LocalStorage(folder / "objects"))
    # One thread each: how many packs happen to be under way at once is bounded, but for a measurement it is noise.
    tuning = Tuning(folder=folder, state_memory=4 << 20, compressors=1, uploaders=1)
    repository = Repository.create(storage, LocalKeyWrapper(), tenant="contoso", tuning=tuning)
    now = datetime(2026, 3, 1, tzinfo=UTC)
    with repository.open_session("box", "01ARZ3NDEKTSV4RRFFQ0000001", parent=None) as session:
        items = fill(session, total)
        snapshot = session.commit(
            b"end", listed=items, skipped=[], failed=[], taken_at=now, expires_at=now + timedelta(days=40)
        )
    report(snapshot.bytes)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(float(sys.argv[2]) * GB))
