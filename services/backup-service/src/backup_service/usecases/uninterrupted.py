"""Blocking calls that a cancellation must not leave running behind the caller's back."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def uninterrupted(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `call` in a thread; a cancelled caller waits for its end, and only then passes the cancellation on.

    A session takes one checkpoint at a time: a second one beside the thread of the first would lose its rows.
    """
    return await to_its_end(asyncio.to_thread(call, *args, **kwargs))


async def to_its_end(thread: Coroutine[Any, Any, T], leaving: Callable[[], object] = lambda: None) -> T:
    """The same of a thread that can be told that the caller is `leaving`."""
    work = asyncio.ensure_future(thread)
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        leaving()
        await asyncio.wait({work})
        if not work.cancelled():
            work.exception()  # whatever it was, the caller is leaving
        raise
