"""Where items are stored: on the event loop while the session takes them at once, in a thread while it does not."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import pytest
from backup_fakes.exchange import ANNA
from backup_fakes.fuse import Fuse
from backup_fakes.jobs import MemoryJobs

from backup_engine import NewItem, Repository, Session, Tuning
from backup_engine.storage import MemoryStorage
from backup_engine.testing.keys import LocalKeyWrapper
from backup_service.domain.cursor import Cursor, Section
from backup_service.usecases.reading.checkpoints import BackupPace, Checkpoints
from backup_service.usecases.reading.frame import Frame
from chassis.testing.clock import ManualClock
from contracts.events import Counts

SESSION = "01ARZ3NDEKTSV4RRFFQ0000001"
ITEMS = 64
PAGES = 3  # of 32 items


class SlowStorage(MemoryStorage):
    """Says when a pack arrives, and keeps it waiting until it is told otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.open = threading.Event(), threading.Event()

    def put(self, key: str, body: bytes, *, retain_until: datetime | None = None) -> None:
        if key.startswith("data/"):
            self.asked.set()
            assert self.open.wait(10), "nobody opened the storage: the event loop waits for it"
        super().put(key, body, retain_until=retain_until)


class Threads(ThreadPoolExecutor):
    """Counts what it is given to do."""

    calls = 0

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        self.calls += 1
        return super().submit(*args, **kwargs)


async def frame_of(session: Session) -> Frame:
    clock, pace = ManualClock(), BackupPace()
    jobs = MemoryJobs(clock, Fuse())
    claim = await jobs.claim(jobs.wake(jobs.add("j1", ANNA).job), 1)
    assert claim is not None
    checkpoints = Checkpoints(claim, session, Cursor(), jobs=jobs, clock=clock, pace=pace)
    return Frame(
        claim,
        session,
        Section(),
        lost=[],
        held=0,
        pace=pace,
        clock=clock,
        checkpoints=checkpoints,
        counts=Counts,
    )


def opened(storage: MemoryStorage, tuning: Tuning) -> Session:
    repository = Repository.create(storage, LocalKeyWrapper(), tenant="contoso", tuning=tuning)
    return repository.open_session(f"c1/{ANNA}", SESSION, parent=None)


async def put_all(frame: Frame, size: int = 100) -> None:
    for number in range(ITEMS):
        await frame.put_item(NewItem(f"m{number}", "mail", "1", "inbox"), bytes([number]) * size)
    await frame.flush()


async def put_pages(frame: Frame) -> None:
    for number in range(PAGES * 32):
        await frame.put_page_item(NewItem(f"e{number}", "event", "1", "calendar"), b"%d" % number)
    await frame.flush()


@pytest.fixture
def threads() -> Iterator[Threads]:
    with Threads() as executor:
        yield executor


@pytest.mark.parametrize(
    ("compressors", "size", "handed_over"),
    [(2, 100, 0), (0, 100, ITEMS // 32), (2, 5 << 20, ITEMS)],
    ids=["small", "nobody else compresses", "large"],
)
async def test_what_takes_a_moment_needs_no_thread(
    threads: Threads, compressors: int, size: int, handed_over: int
) -> None:
    asyncio.get_running_loop().set_default_executor(threads)
    with opened(MemoryStorage(), Tuning(compressors=compressors)) as session:
        await put_all(await frame_of(session), size)
        assert threads.calls == handed_over
        assert session.bodies() == {"mail": ITEMS}


async def test_the_event_loop_goes_on_while_storage_is_slow() -> None:
    storage = SlowStorage()
    tuning = Tuning(compressors=1, uploaders=1, batch=1, pack_blobs=1)
    with opened(storage, tuning) as session:
        putting = asyncio.create_task(put_all(await frame_of(session)))
        assert await asyncio.to_thread(storage.asked.wait, 10)
        assert not putting.done()
        storage.open.set()
        await putting
        assert session.bodies() == {"mail": ITEMS}


async def test_a_look_up_does_not_wait_for_slow_storage() -> None:
    """Sources look up what they know on the event loop, while a thread fills pages that storage does not take."""
    storage = SlowStorage()
    with opened(storage, Tuning(compressors=0, uploaders=0, batch=1, pack_blobs=1)) as session:
        frame = await frame_of(session)
        putting = asyncio.create_task(put_pages(frame))
        assert await asyncio.to_thread(storage.asked.wait, 10)
        for number in range(PAGES * 32):
            known = frame.known(f"e{number}")
            assert known is None or known.version == "1"
        storage.open.set()
        await putting
        session.checkpoint(b"")
        assert session.bodies() == {"event": PAGES * 32}


async def test_nothing_is_stored_on_the_event_loop_beside_a_stream(threads: Threads) -> None:
    """Its thread stores too: what there is room for at one moment may have to wait at the next."""
    asyncio.get_running_loop().set_default_executor(threads)
    begun, ended = asyncio.Event(), asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        begun.set()
        await ended.wait()
        yield b"all of it"

    @asynccontextmanager
    async def opened_stream() -> AsyncIterator[AsyncIterator[bytes]]:
        yield pieces()

    with opened(MemoryStorage(), Tuning()) as session:
        frame = await frame_of(session)
        streaming = asyncio.create_task(frame.put_stream(NewItem("f", "file", "1", "drive"), opened_stream))
        await begun.wait()
        await put_all(frame)
        assert threads.calls == 1 + ITEMS // 32
        ended.set()
        await streaming
        await put_all(frame)
        assert threads.calls == 1 + ITEMS // 32
        assert session.bodies() == {"mail": ITEMS, "file": 1}
