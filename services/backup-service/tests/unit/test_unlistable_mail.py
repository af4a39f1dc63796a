"""Mails that Exchange cannot even list, and that take every page with them."""

from typing import Any

import pytest
from backup_fakes.exchange import ANNA, Exchange
from backup_fakes.fuse import Fuse
from backup_fakes.mail import MemoryMail
from hypothesis import given
from hypothesis import strategies as st

from backup_service.usecases.reading import list_around as module
from backup_service.usecases.reading.list_around import list_around
from contracts.errors import ErrorClass
from contracts.names import HoldReason, JobState
from graph_client.errors import Unreachable


@pytest.fixture
def inbox(exchange: Exchange) -> str:
    return exchange.add_folder(ANNA, "Inbox")


@pytest.fixture
def mails(exchange: Exchange, inbox: str) -> list[str]:
    return [exchange.add(ANNA, inbox, f"Subject: mail {n}\r\n\r\nbody {n}\r\n".encode()) for n in range(7)]


@given(st.integers(0, 40), st.sets(st.integers(0, 39), max_size=6))
async def test_every_place_is_listed_or_named_once(count: int, damaged: set[int]) -> None:
    exchange = Exchange()
    exchange.add_user(ANNA, "anna@contoso.example")
    folder = exchange.add_folder(ANNA, "Inbox")
    mails = [exchange.add(ANNA, folder) for _ in range(count)]
    exchange.unlistable = {mail for place, mail in enumerate(mails) if place in damaged}
    mail = MemoryMail(exchange, Fuse())
    found = [page async for page in list_around(mail, ANNA, folder)]
    assert [page for page in found if isinstance(page, int)] == sorted(place for place in damaged if place < count)
    listed = [message.id for page in found if not isinstance(page, int) for message in page]
    assert listed == [mail for mail in mails if mail not in exchange.unlistable]
    halvings = module._PAGE.bit_length()
    assert mail.requests <= count + 1 + halvings * (len(exchange.unlistable) + 1)


async def test_the_mailbox_is_stored_and_the_missing_place_is_named(
    worker: Any, exchange: Exchange, mails: list[str], inbox: str
) -> None:
    exchange.unlistable = {mails[2]}
    job = await worker.backup()
    assert job.state is JobState.PARTIAL
    assert set(await worker.mirror()) == set(mails) - {mails[2]}
    (problem,) = job.item_errors
    assert (problem.item, problem.error) == (f"{inbox}#2", ErrorClass.CORRUPT_SOURCE_ITEM)
    assert "mail 3 of the folder" in problem.detail
    assert (job.counts.listed, job.counts.stored, job.counts.failed) == (7, 6, 1)


async def test_nothing_is_fetched_twice_while_it_lasts_and_all_is_well_when_it_is_over(
    worker: Any, exchange: Exchange, mails: list[str], inbox: str
) -> None:
    exchange.unlistable = {mails[2]}
    await worker.backup()
    exchange.fetched.clear()
    new = exchange.add(ANNA, inbox)
    exchange.delete(ANNA, mails[0])
    again = await worker.backup()
    assert exchange.fetched == [new]
    assert again.state is JobState.PARTIAL
    assert set(await worker.mirror()) == {*mails[1:], new} - {mails[2]}
    exchange.unlistable.clear()
    healed = await worker.backup()
    assert healed.state is JobState.SUCCEEDED
    assert await worker.mirror() == exchange.mirror(ANNA)


async def test_a_stored_mail_that_became_unlistable_stays_and_is_named_by_its_id(
    worker: Any, exchange: Exchange, mails: list[str]
) -> None:
    await worker.backup()
    before = await worker.mirror()
    exchange.touch(ANNA, mails[3], isRead=True)
    exchange.unlistable = {mails[3]}
    job = await worker.backup()
    assert [problem.item for problem in job.item_errors] == [mails[3]]
    assert await worker.mirror() == before
    assert job.counts.listed == len(mails)


async def test_one_that_left_while_a_page_could_not_be_listed_leaves_the_restore_point(
    worker: Any, exchange: Exchange, mails: list[str]
) -> None:
    await worker.backup()
    exchange.touch(ANNA, mails[3], isRead=True)
    exchange.unlistable = {mails[3]}
    exchange.delete(ANNA, mails[5])
    await worker.backup()
    assert set(await worker.mirror()) == set(mails) - {mails[5]}


async def test_whoever_takes_over_names_the_missing_places_again(
    worker: Any, exchange: Exchange, mails: list[str], inbox: str
) -> None:
    exchange.unlistable = {mails[2]}
    for step in (3, 12, 20, 28):
        job = worker.queue()
        assert await worker.deliver_and_die(job, step), f"ended before step {step}"
        ended = await worker.deliver(job)
        assert ended.state is JobState.PARTIAL, f"died at step {step}"
        assert [problem.item for problem in ended.item_errors] == [f"{inbox}#2"], f"died at step {step}"


async def test_a_folder_of_which_nothing_can_be_listed_is_an_outage(
    worker: Any, exchange: Exchange, inbox: str
) -> None:
    exchange.unlistable = {exchange.add(ANNA, inbox) for _ in range(10)}
    job = await worker.backup()
    assert job.state is JobState.WAITING
    assert job.hold.reason is HoldReason.GRAPH_UNREACHABLE


async def test_no_answer_at_all_is_an_outage(worker: Any, exchange: Exchange, mails: list[str]) -> None:
    exchange.error = Unreachable("no usable answer", status=503)
    job = await worker.backup()
    assert job.hold.reason is HoldReason.GRAPH_UNREACHABLE
