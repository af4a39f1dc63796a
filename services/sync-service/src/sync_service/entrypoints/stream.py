"""Messages in: requests, and tokens that a tenant's syncs wait for."""

from chassis.bus import Bus
from chassis.delivered import Delivered
from chassis.delivery import DeliveryPolicy, subscribe
from contracts.events import SyncRequested, TokenRefreshed
from contracts.names import Profile
from contracts.streams import SYNC_REQUESTED, SYNC_TOKEN_REFRESHED
from sync_service.entrypoints.worker import Worker
from sync_service.ports import Directories
from sync_service.usecases.request_sync import RequestSync


def bind(bus: Bus, request: RequestSync, directories: Directories, worker: Worker, policy: DeliveryPolicy) -> None:
    """Bind the durables; call before the broker starts."""

    async def requested(message: Delivered[SyncRequested]) -> None:
        await request.requested(message.body, message.source, message.id)
        worker.wake()

    async def token_refreshed(message: Delivered[TokenRefreshed]) -> None:
        if message.body.profile is Profile.DIRECTORY:
            directories.token_refreshed(message.body.tenant)
            await request.token_refreshed(message.body.tenant)
            worker.wake()

    subscribe(bus, SYNC_REQUESTED, SyncRequested, requested, policy)
    subscribe(bus, SYNC_TOKEN_REFRESHED, TokenRefreshed, token_refreshed, policy)
