"""Bytes that arrive on the event loop, read by a blocking call."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

import structlog

from backup_service.usecases.uninterrupted import to_its_end
from graph_client.errors import Unreachable

log = structlog.get_logger()

T = TypeVar("T")
Opened = Callable[[], AbstractAsyncContextManager[AsyncIterator[bytes]]]
"""Opens a body; each call reads it from the start."""

_STREAMS = 3
"""How often one body may break off before the job makes a pause."""


class Abandoned(Exception):
    """The caller is leaving: the stream was not read to its end."""


async def streamed_again(call: Callable[[Iterable[bytes]], T], open_: Opened) -> T:
    """As `streamed`; a body that breaks off is read again from its start."""
    for _ in range(_STREAMS - 1):
        try:
            return await _opened(call, open_)
        except Unreachable:
            log.info("a stream broke off; it is read again from the start")
    return await _opened(call, open_)


async def _opened(call: Callable[[Iterable[bytes]], T], open_: Opened) -> T:
    async with open_() as pieces:
        return await streamed(call, pieces)


async def streamed(call: Callable[[Iterable[bytes]], T], pieces: AsyncIterator[bytes]) -> T:
    """Run `call` in a thread on the pieces as they arrive; one of them is in memory at a time.

    Raises what `call` raises, and through it what `pieces` raises. A cancelled caller waits for the thread, which is
    told to stop at the next piece.
    """
    loop = asyncio.get_running_loop()
    leaving = threading.Event()

    def arriving() -> Iterator[bytes]:
        while True:
            if leaving.is_set():
                raise Abandoned
            piece = asyncio.run_coroutine_threadsafe(_next(pieces), loop).result()
            if piece is None:
                return
            yield piece

    return await to_its_end(asyncio.to_thread(call, arriving()), leaving.set)


async def _next(pieces: AsyncIterator[bytes]) -> bytes | None:
    return await anext(pieces, None)
