"""Publishes saved events on the bus, one document after the other, without making anybody wait."""

import asyncio

import structlog

from chassis.pending import PendingEvents

log = structlog.get_logger(__name__)


class BusAnnouncements:
    """What cannot be published stays pending in its document; the sweep publishes it."""

    def __init__(self, pending: PendingEvents) -> None:
        self._pending = pending
        self._queue: asyncio.Queue[str] = asyncio.Queue()

    def soon(self, document_id: str) -> None:
        self._queue.put_nowait(document_id)

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            document_id = await self._queue.get()
            try:
                await self._pending.flush(document_id)
            except Exception as error:  # noqa: BLE001 - a bus or store that is away must not end the publisher
                log.warning("event stays pending; the sweep publishes it", reason=str(error))
