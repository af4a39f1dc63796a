"""What a crashed saver left behind is published after its grace, whatever the saver's clock said."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from pydantic import SecretStr

from chassis import pending
from chassis.documents import Collection, connect, open_collection
from chassis.pending import PENDING, PENDING_SINCE, PendingEvents
from chassis.settings import ServiceSettings
from chassis.testing.bus import MemoryBroker
from chassis.testing.clock import START, ManualClock
from chassis.testing.servers import SecantusProcess
from contracts.events.tokens import TokenRefreshed

GRACE = 5.0


@pytest.fixture
async def collection(settings: ServiceSettings, secantus: SecantusProcess) -> AsyncIterator[Collection]:
    password = SecretStr("alpha-password")
    user = {"mongo_url": secantus.url, "mongo_user": "alpha", "mongo_password": password}
    db = connect(settings.model_copy(update=user), "alpha")
    yield await open_collection(db, "left_behind", 1, {}, [])
    await db.drop_collection("left_behind")
    db.client.close()


@pytest.mark.parametrize(
    ("saved", "published"),
    [(-GRACE, True), (-GRACE + 1, False), (0, False), (1, True), (timedelta(days=34).total_seconds(), True)],
)
async def test_the_sweep_takes_what_is_older_than_the_grace_or_of_a_clock_that_runs_ahead(
    collection: Collection, clock: ManualClock, saved: float, *, published: bool
) -> None:
    left = pending.new_document({"_id": "a"}, [refreshed()], "alpha", START + timedelta(seconds=saved))
    await collection.insert_one(left)
    broker = MemoryBroker()
    swept = await PendingEvents(collection, broker.bus("alpha"), clock, GRACE).sweep()
    assert swept == len(broker.stored) == int(published)
    stored = await collection.find_one({"_id": "a"})
    assert stored is not None
    assert (PENDING_SINCE in stored, len(stored[PENDING])) == ((False, 0) if published else (True, 1))


def refreshed() -> TokenRefreshed:
    return TokenRefreshed(
        tenant="contoso", at=START, profile="directory", generation=1, expires_at=START, fingerprint="f" * 16
    )
