"""Blocking calls that a cancellation must not leave running behind the caller's back."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def uninterrupted(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `call` in a thread; a cancelled caller waits for its end, and only then passes the cancellation on.

    A session takes one checkpoint at a time: a second one beside the thread of the first would lose its rows.
    """
    work = asyncio.ensure_future(asyncio.to_thread(call, *args, **kwargs))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait({work})
        if not work.cancelled():
            work.exception()  # whatever it was, the caller is leaving
        raise
