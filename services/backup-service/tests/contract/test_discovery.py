"""Who is backed up, who is left out and why, on the documents as they are."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from backup_fakes.exchange import ANNA, BERT, Exchange
from backup_fakes.fuse import Fuse
from backup_fakes.mail import MemoryMail

from backup_service.domain.discovery import MailboxFinding
from contracts.names import LeftOutReason
from contracts.views import RestorePoint
from graph_client.errors import Forbidden

DAY = timedelta(days=1).total_seconds()


@pytest.fixture
def directory(exchange: Exchange) -> MemoryMail:
    return MemoryMail(exchange, Fuse())


@pytest.fixture
def look(planner: Any, directory: MemoryMail, exchange: Exchange) -> Any:
    async def discover(scope: Any = lambda _user: True) -> tuple[set[str], dict[str, LeftOutReason]]:
        exchange.asked.clear()
        found = await planner.discover("contoso", directory, scope)
        return {one.id for one in found.mailboxes}, {one.resource: one.reason for one in found.left_out}

    return discover


def point_of(tenant: str, resource: str) -> RestorePoint:
    taken = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
    facts = {"configuration": "c1", "taken_at": taken, "expires_at": taken + timedelta(days=90), "complete": True}
    return RestorePoint(tenant=tenant, id=f"p-{resource}", resource=resource, items=1, bytes=1, **facts)


async def test_a_mailbox_is_asked_for_once(look: Any, exchange: Exchange) -> None:
    assert await look() == ({ANNA, BERT}, {})
    assert sorted(exchange.asked) == sorted([ANNA, BERT])
    assert await look() == ({ANNA, BERT}, {})
    assert exchange.asked == []


async def test_a_new_user_appears_at_the_next_run(look: Any, exchange: Exchange) -> None:
    await look()
    exchange.add_user("eva", "eva@contoso.example")
    assert await look() == ({ANNA, BERT, "eva"}, {})
    assert exchange.asked == ["eva"]


async def test_guests_and_users_without_an_address_are_left_out_unasked(look: Any, exchange: Exchange) -> None:
    exchange.guests.add(ANNA)
    exchange.users["service"] = ""
    assert await look() == ({BERT}, {ANNA: LeftOutReason.GUEST, "service": LeftOutReason.NO_ADDRESS})
    assert exchange.asked == [BERT]


async def test_what_the_configuration_does_not_cover_is_left_out(look: Any, exchange: Exchange) -> None:
    assert await look(lambda user: user.id == BERT) == ({BERT}, {ANNA: LeftOutReason.OUT_OF_SCOPE})


async def test_a_user_without_a_mailbox_is_asked_for_again_once_a_day(
    planner: Any, look: Any, exchange: Exchange
) -> None:
    exchange.without_mailbox[BERT] = MailboxFinding.MISSING
    assert await look() == ({ANNA}, {BERT: LeftOutReason.NO_MAILBOX})
    for _ in range(3):
        await planner.clock.advance(DAY / 4)
        assert await look() == ({ANNA}, {BERT: LeftOutReason.NO_MAILBOX})
        assert exchange.asked == []
    await planner.clock.advance(DAY / 4)
    await look()
    assert exchange.asked == [BERT]
    exchange.without_mailbox.clear()
    await planner.clock.advance(DAY)
    assert await look() == ({ANNA, BERT}, {})


async def test_a_mailbox_that_a_job_did_not_find_gets_no_more_jobs_until_it_is_there(
    planner: Any, look: Any, exchange: Exchange
) -> None:
    await look()
    await planner.discover.lost("contoso", BERT, "bert@contoso.example")
    assert await look() == ({ANNA}, {BERT: LeftOutReason.NO_MAILBOX})
    await planner.clock.advance(DAY)
    assert await look() == ({ANNA, BERT}, {})


async def test_a_mailbox_that_may_not_be_read_is_left_out_and_no_mailbox_at_all_is_an_error(
    planner: Any, look: Any, exchange: Exchange, directory: MemoryMail
) -> None:
    exchange.without_mailbox[BERT] = MailboxFinding.DENIED
    assert await look() == ({ANNA}, {BERT: LeftOutReason.ACCESS_DENIED})
    exchange.without_mailbox[ANNA] = MailboxFinding.DENIED
    with pytest.raises(Forbidden):
        await planner.discover("fabrikam", directory)


async def test_a_departed_user_is_marked_and_may_come_back(planner: Any, look: Any, exchange: Exchange) -> None:
    await look()
    left = exchange.users.pop(BERT)
    assert await look() == ({ANNA}, {BERT: LeftOutReason.DEPARTED})
    (marked,) = [one for one in await planner.resources.known("contoso") if one.id == BERT]
    assert (marked.since, marked.name) == (planner.clock.now(), left)
    await planner.clock.advance(DAY)
    assert await look() == ({ANNA}, {BERT: LeftOutReason.DEPARTED})
    assert marked in await planner.resources.known("contoso")
    points = planner.catalogue
    for resource in (ANNA, BERT):
        await points.add_restore_point(point_of("contoso", resource))
    await points.add_restore_point(point_of("fabrikam", BERT))
    since = {one.resource: one.departed_since for one in (await points.restore_points("contoso", {}, None, 9)).items}
    assert since == {ANNA: None, BERT: marked.since}
    assert (await points.restore_point("contoso", f"p-{BERT}")).departed_since == marked.since
    assert (await points.restore_point("fabrikam", f"p-{BERT}")).departed_since is None
    exchange.users[BERT] = left
    assert await look() == ({ANNA, BERT}, {})
    assert (await points.restore_point("contoso", f"p-{BERT}")).departed_since is None


async def test_who_lost_the_licence_before_leaving_is_departed_too(planner: Any, look: Any, exchange: Exchange) -> None:
    await look()
    await planner.discover.lost("contoso", BERT, "bert@contoso.example")
    exchange.without_mailbox["never"] = MailboxFinding.MISSING
    exchange.add_user("never", "never@contoso.example")
    await look()
    del exchange.users[BERT], exchange.users["never"]
    assert await look() == ({ANNA}, {BERT: LeftOutReason.DEPARTED})


async def test_no_tenant_sees_what_is_known_of_another(planner: Any, look: Any) -> None:
    await look()
    assert len(await planner.resources.known("contoso")) == 2
    assert await planner.resources.known("fabrikam") == []
