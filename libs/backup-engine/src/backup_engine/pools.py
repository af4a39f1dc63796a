"""Threads with a bounded queue, or none at all."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

A = TypeVar("A")
T = TypeVar("T")


def side_by_side(calls: Sequence[Callable[[], T]], at_once: int) -> list[T]:
    """The answers of independent calls, in order; one after the other when `at_once` is below 2.

    When some fail, all end first, then the first error in their order is raised.
    """
    if at_once < 2 or len(calls) < 2:  # noqa: PLR2004 - one call needs no thread
        return [call() for call in calls]
    with ThreadPoolExecutor(min(at_once, len(calls)), thread_name_prefix="request") as executor:
        futures = [executor.submit(call) for call in calls]
    return [future.result() for future in futures]


def ahead(call: Callable[[A], T], arguments: Iterable[A], room: int) -> Iterator[T]:
    """The answers of `call`, in order; up to `room` calls are under way while the next argument is made.

    The last one is made in the caller's thread: who has a single argument needs no other.
    """
    if not room:
        yield from map(call, arguments)
        return
    begun: deque[Future[T]] = deque()
    latest: list[A] = []
    with ThreadPoolExecutor(room, thread_name_prefix="ahead") as executor:
        for argument in arguments:
            begun.extend(executor.submit(call, one) for one in latest)
            latest = [argument]
            while len(begun) > room:
                yield begun.popleft().result()
        last = [call(one) for one in latest]
        yield from (future.result() for future in begun)
    yield from last


class Pool:
    """Runs tasks on `threads` threads, or in the caller's thread when that is 0.

    At most `queue` tasks are under way or waiting: submit blocks until there is room. The first error of a
    task is kept and raised by every submit and wait after it, in the thread that calls it.
    """

    def __init__(self, threads: int, queue: int, name: str) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name) if threads else None
        self._queue = max(queue, 1) if threads else 0
        self._room = threading.Semaphore(max(queue, 1))
        self._lock = threading.Lock()
        self._open: set[Future[None]] = set()
        self._failure: BaseException | None = None

    def submit(self, task: Callable[[], None]) -> None:
        self.raise_failure()
        if self._executor is None:
            self._run(task)
            return
        self._room.acquire()
        try:
            future = self._executor.submit(task)
        except RuntimeError:  # closed while we waited
            self._room.release()
            raise
        with self._lock:
            self._open.add(future)
        future.add_done_callback(self._finished)

    @property
    def room(self) -> int:
        """How many tasks submit takes at once, as of now; 0 where the caller's thread runs them."""
        with self._lock:
            return self._queue - len(self._open)

    def wait(self) -> None:
        """Until every task submitted so far has ended; raises RuntimeError when the pool was closed meanwhile."""
        with self._lock:
            pending = list(self._open)
        wait(pending)
        for future in pending:
            # A future tells its waiters before its callbacks: ask it, not only the kept failure.
            if future.cancelled():
                raise RuntimeError("the session was closed while work was under way")
            if (error := future.exception()) is not None:
                raise error
        self.raise_failure()

    def raise_failure(self) -> None:
        with self._lock:
            failure = self._failure
        if failure is not None:
            raise failure

    def close(self) -> None:
        """Drop what has not begun, wait for what has."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)

    def _run(self, task: Callable[[], None]) -> None:
        try:
            task()
        except BaseException as error:
            self._keep(error)
            raise

    def _keep(self, failure: BaseException | None) -> None:
        with self._lock:
            self._failure = self._failure or failure

    def _finished(self, future: Future[None]) -> None:
        self._room.release()
        if not future.cancelled():
            self._keep(future.exception())  # before it is gone: who waits then finds one or the other
        with self._lock:
            self._open.discard(future)
