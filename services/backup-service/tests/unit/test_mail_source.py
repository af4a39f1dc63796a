"""What a mailbox holds beside plain mail, and what its change tracking forgets."""

from typing import Any

import pytest
from backup_fakes.exchange import ANNA, Exchange

from backup_service.domain.mail import Folder
from backup_service.usecases.reading.mail import grouped
from contracts.errors import ErrorClass
from contracts.names import JobState
from graph_client.errors import Unreachable

WEEK = 7 * 86_400.0
LINK = {"name": "Offer.docx", "content_type": None, "size": 120}


@pytest.fixture
def inbox(exchange: Exchange) -> str:
    return exchange.add_folder(ANNA, "Posteingang")


@pytest.fixture
def mails(exchange: Exchange, inbox: str) -> list[str]:
    return [exchange.add(ANNA, inbox, f"Subject: mail {n}\r\n\r\nbody {n}\r\n".encode()) for n in range(5)]


async def metas(worker: Any) -> dict[str, dict[str, Any]]:
    repository = await worker.repositories.open("contoso", "t1")
    return {row.key: dict(row.meta) for row in repository.items(f"c1/{ANNA}", (await worker.snapshot()).id)}


async def test_a_mail_too_large_for_the_memory_is_streamed(worker: Any, exchange: Exchange, mails: list[str]) -> None:
    exchange.largest_in_memory = 1000
    large = exchange.add(ANNA, exchange.letters[ANNA][mails[0]].folder, b"Subject: large\r\n\r\n" + b"x" * 100_000)
    exchange.breaks_off = 2
    job = await worker.backup()
    assert (job.state, job.counts.listed, job.counts.verified) == (JobState.SUCCEEDED, 6, 6)
    assert job.counts.bytes_read == sum(len(letter.mime) for letter in exchange.letters[ANNA].values())
    assert await worker.mirror() == exchange.mirror(ANNA)
    assert large in await worker.mirror()


async def test_a_large_mail_that_breaks_off_again_and_again_makes_the_job_pause(
    worker: Any, exchange: Exchange, mails: list[str]
) -> None:
    exchange.largest_in_memory = 10
    exchange.breaks_off = 3
    job = worker.queue()
    assert (await worker.deliver(job)).state is JobState.WAITING
    assert (await worker.deliver(job)).state is JobState.SUCCEEDED
    assert await worker.mirror() == exchange.mirror(ANNA)


async def test_links_into_a_cloud_storage_are_kept_beside_the_mail(worker: Any, exchange: Exchange, inbox: str) -> None:
    linking = exchange.add(ANNA, inbox, hasAttachments=True)
    exchange.references[linking] = [LINK]
    plain = exchange.add(ANNA, inbox, hasAttachments=True)
    await worker.backup()
    assert await worker.mirror() == exchange.mirror(ANNA)
    stored = await metas(worker)
    assert stored[linking]["references"] == [LINK]
    assert "references" not in stored[plain]
    exchange.read(ANNA, linking)
    await worker.backup()
    assert (await metas(worker))[linking]["references"] == [LINK]


async def test_links_are_learned_from_a_list_as_far_as_that_spares_requests(
    worker: Any, exchange: Exchange, inbox: str
) -> None:
    exchange.page_size = 10
    linking = [exchange.add(ANNA, inbox, hasAttachments=True) for _ in range(20)]
    exchange.references = {letter: [LINK] for letter in linking[::2]}
    await worker.backup()
    assert await worker.mirror() == exchange.mirror(ANNA)
    assert (exchange.links_listed, exchange.asked_for_links) == (2, [])
    exchange.touch(ANNA, linking[3])
    exchange.add(ANNA, inbox, hasAttachments=True)
    alone = exchange.add(ANNA, exchange.add_folder(ANNA, "Other"), hasAttachments=True)
    await worker.backup()
    assert await worker.mirror() == exchange.mirror(ANNA)
    assert (exchange.links_listed, exchange.asked_for_links) == (3, [linking[3], alone])


async def test_a_list_that_was_of_another_version_is_not_believed(worker: Any, exchange: Exchange, inbox: str) -> None:
    linking = [exchange.add(ANNA, inbox, hasAttachments=True) for _ in range(2)]

    def change() -> None:
        exchange.references[linking[1]] = [LINK]
        exchange.touch(ANNA, linking[1])

    exchange.before_list = change
    await worker.backup()
    assert exchange.asked_for_links[:1] == [linking[1]]
    assert await worker.mirror() == exchange.mirror(ANNA)


async def test_a_folder_whose_links_cannot_be_listed_is_asked_mail_by_mail(
    worker: Any, exchange: Exchange, inbox: str
) -> None:
    linking = [exchange.add(ANNA, inbox, hasAttachments=True) for _ in range(4)]
    exchange.references[linking[1]] = [LINK]
    exchange.no_list = Unreachable("no usable answer", status=504)
    job = await worker.backup()
    assert (job.state, exchange.links_listed, exchange.asked_for_links) == (JobState.SUCCEEDED, 1, linking)
    assert await worker.mirror() == exchange.mirror(ANNA)


async def test_a_folder_is_known_by_what_it_is_in_every_language(worker: Any, exchange: Exchange, inbox: str) -> None:
    exchange.well_known[ANNA, "inbox"] = inbox
    other = exchange.add_folder(ANNA, "Inbox")
    await worker.backup()
    stored = await metas(worker)
    assert stored[inbox] == {"name": "Posteingang", "hidden": False, "well_known": "inbox"}
    assert stored[other] == {"name": "Inbox", "hidden": False}
    await worker.backup()
    assert (await metas(worker))[inbox] == stored[inbox]


async def test_hidden_folders_below_folders_that_count_no_children_are_found(
    worker: Any, exchange: Exchange, inbox: str
) -> None:
    hidden = exchange.add_folder(ANNA, "Hidden", inbox, hidden=True)
    exchange.add(ANNA, hidden)
    await worker.backup()
    assert await worker.mirror() == exchange.mirror(ANNA)
    exchange.add(ANNA, hidden)
    await worker.backup()
    assert await worker.mirror() == exchange.mirror(ANNA)
    later = exchange.add_folder(ANNA, "Later", hidden, hidden=True)
    exchange.add(ANNA, later)
    await worker.clock.advance(WEEK)
    await worker.backup()
    assert await worker.mirror() == exchange.mirror(ANNA)


async def test_what_people_deleted_for_good_is_kept_apart(worker: Any, exchange: Exchange, mails: list[str]) -> None:
    deletions = exchange.add_deletions(ANNA)
    exchange.move(ANNA, mails[0], deletions)
    job = await worker.backup()
    assert (job.state, job.counts.listed) == (JobState.SUCCEEDED, 5)
    assert await worker.mirror() == exchange.mirror(ANNA)
    assert (await metas(worker))[deletions] == {"name": "Deletions", "hidden": True, "recoverable": True}
    exchange.delete(ANNA, mails[0])
    await worker.backup()
    assert await worker.mirror() == exchange.mirror(ANNA)


async def test_an_in_place_archive_is_named_once_as_left_out(worker: Any, exchange: Exchange, mails: list[str]) -> None:
    exchange.archives.add(ANNA)
    for _ in range(2):
        job = await worker.backup()
        assert job.state is JobState.SUCCEEDED
        assert [(one.item, one.error) for one in job.skipped] == [("in-place-archive", ErrorClass.UNSUPPORTED_ITEM)]
        assert (job.counts.listed, job.counts.skipped, job.counts.verified) == (6, 1, 5)


async def test_nothing_is_removed_on_the_word_of_one_listing(worker: Any, exchange: Exchange, inbox: str) -> None:
    below = exchange.add_folder(ANNA, "Below", inbox)
    kept, gone, moved = (exchange.add(ANNA, inbox) for _ in range(3))
    exchange.add(ANNA, below)
    await worker.backup()
    exchange.move(ANNA, moved, below)
    exchange.delete(ANNA, gone)
    exchange.expire()
    exchange.fetched.clear()
    exchange.forgotten = {kept, below}
    await worker.backup()
    assert await worker.mirror() == exchange.mirror(ANNA)
    assert await worker.folders() == {inbox: ("Posteingang", ""), below: ("Below", inbox)}
    assert exchange.fetched == [moved]


async def test_the_weekly_comparison_finds_what_change_tracking_missed(
    worker: Any, exchange: Exchange, mails: list[str], inbox: str
) -> None:
    archive = exchange.add_folder(ANNA, "Archive")
    await worker.backup()
    came, changed, went, moved = exchange.add(ANNA, inbox), mails[0], mails[1], mails[2]
    exchange.forgotten = {came}
    exchange.letters[ANNA][changed].change += 1
    exchange.letters[ANNA][changed].mime = b"Subject: edited\r\n\r\nedited\r\n"
    del exchange.letters[ANNA][went]
    exchange.letters[ANNA][moved].folder = archive
    quiet = await worker.backup()
    assert quiet.counts.reconciled == 0
    assert await worker.mirror() != exchange.mirror(ANNA)
    await worker.clock.advance(WEEK)
    exchange.fetched.clear()
    job = await worker.backup()
    assert (job.state, job.counts.reconciled, job.counts.removed) == (JobState.SUCCEEDED, 4, 1)
    assert await worker.mirror() == exchange.mirror(ANNA)
    assert sorted(exchange.fetched) == sorted([came, changed])
    await worker.clock.advance(WEEK - 1)
    before = exchange.compared
    again = await worker.backup()
    assert (again.counts.reconciled, exchange.compared) == (0, before)


async def test_what_changes_while_it_is_compared_is_no_finding(
    worker: Any, exchange: Exchange, mails: list[str], inbox: str
) -> None:
    await worker.backup()
    await worker.clock.advance(WEEK)
    exchange.before_comparison = lambda: (exchange.add(ANNA, inbox), exchange.delete(ANNA, mails[0]))
    job = await worker.backup()
    assert job.counts.reconciled == 0
    assert await worker.mirror() == exchange.mirror(ANNA)


async def test_a_damaged_mail_does_not_keep_a_folder_from_being_compared_next_week(
    worker: Any, exchange: Exchange, mails: list[str]
) -> None:
    await worker.backup()
    await worker.clock.advance(WEEK)
    exchange.unlistable = {mails[0]}
    job = await worker.backup()
    assert job.state is JobState.SUCCEEDED
    assert await worker.mirror() == exchange.mirror(ANNA)


def test_folders_are_compared_together_up_to_a_number_of_mails() -> None:
    def folders(*totals: int) -> list[Folder]:
        return [Folder(f"f{n}", "name", "", hidden=False, total=total) for n, total in enumerate(totals)]

    def sizes(*totals: int) -> list[list[int]]:
        return [[folder.total for folder in group] for group in grouped(folders(*totals))]

    assert sizes() == []
    assert sizes(*[100] * 150) == [[100] * 150]
    assert sizes(15_000, 4_000, 30_000, 0, 7) == [[15_000, 4_000, 30_000], [0, 7]]
