"""A backup of one mailbox, run after run, against an Exchange that does what people make it do."""

from typing import Any

import pytest
from backup_fakes.exchange import ANNA, Exchange

from contracts.errors import ErrorClass
from contracts.names import HoldReason, JobState
from graph_client.errors import Forbidden, ItemUnreadable, NotFound, Throttled, TokenUnavailable

DAMAGED = ItemUnreadable("Exchange cannot render it")


@pytest.fixture
def inbox(exchange: Exchange) -> str:
    return exchange.add_folder(ANNA, "Inbox")


@pytest.fixture
def archive(exchange: Exchange, inbox: str) -> str:
    return exchange.add_folder(ANNA, "Archive", inbox)


@pytest.fixture
def mails(exchange: Exchange, inbox: str) -> list[str]:
    return [exchange.add(ANNA, inbox, f"Subject: mail {n}\r\n\r\nbody {n}\r\n".encode()) for n in range(5)]


async def test_first_backup_holds_the_whole_mailbox(worker: Any, exchange: Exchange, mails: list[str]) -> None:
    job = await worker.backup()
    assert job.state is JobState.SUCCEEDED
    assert (job.counts.listed, job.counts.stored, job.counts.verified) == (5, 5, 5)
    assert await worker.mirror() == exchange.mirror(ANNA)


async def test_what_the_storage_lost_is_fetched_again(worker: Any, exchange: Exchange, mails: list[str]) -> None:
    first = await worker.backup()
    assert first.restore_point is not None
    for name in [name for name in worker.repositories.storage.objects if name.startswith("data/")]:
        del worker.repositories.storage.objects[name]
    worker.restart()
    repository = await worker.repositories.open("contoso", "t1")
    assert repository.checks.rolling(at=worker.clock.now(), session="01ARZ3NDEKTSV4RRFFQ69G5FAV").affected
    second = await worker.backup()
    assert (second.state, second.restore_point is not None) == (JobState.SUCCEEDED, True)
    assert await worker.mirror() == exchange.mirror(ANNA)
    worker.restart()
    repository = await worker.repositories.open("contoso", "t1")
    for point in (first.restore_point, second.restore_point):
        assert repository.verify(f"c1/{ANNA}", str(point), 0).good
        rows = list(repository.items(f"c1/{ANNA}", str(point), "mail"))
        assert len(list(repository.read_many(rows))) == len(rows) > 0


async def test_every_backup_leaves_a_receipt(worker: Any, mails: list[str]) -> None:
    job = await worker.backup()
    repository = await worker.repositories.open("contoso", "t1")
    (receipt,) = repository.checks.receipts()
    assert receipt.attestation.snapshot == job.restore_point
    assert [report.level for report in receipt.reports] == [0, 1]


async def test_the_tree_of_folders_is_kept(worker: Any, inbox: str, archive: str) -> None:
    await worker.backup()
    assert await worker.folders() == {inbox: ("Inbox", ""), archive: ("Archive", inbox)}


async def test_the_restore_point_is_made_known_with_its_verification(worker: Any, mails: list[str]) -> None:
    job = await worker.backup()
    point = worker.points.known[job.restore_point]
    assert (point.items, point.complete, point.resource) == (5, True, ANNA)
    rows_of_mails_and_folder = 6
    assert point.verified[0].level == 0
    assert (point.verified[0].covered, point.verified[0].denominator) == (rows_of_mails_and_folder,) * 2
    assert point.content_digest == await worker.digest()
    assert worker.settled == ["run-of-j1"]


async def test_unchanged_mailbox_reads_no_mail_again(worker: Any, exchange: Exchange, mails: list[str]) -> None:
    await worker.backup()
    exchange.fetched.clear()
    job = await worker.backup()
    assert exchange.fetched == []
    assert (job.counts.listed, job.counts.stored, job.counts.unchanged) == (5, 0, 5)
    assert await worker.mirror() == exchange.mirror(ANNA)


async def test_only_what_changed_is_read(
    worker: Any, exchange: Exchange, mails: list[str], archive: str, inbox: str
) -> None:
    await worker.backup()
    exchange.fetched.clear()
    new = exchange.add(ANNA, inbox)
    exchange.touch(ANNA, mails[0], isRead=True)
    exchange.move(ANNA, mails[1], archive)
    exchange.delete(ANNA, mails[2])
    job = await worker.backup()
    assert sorted(exchange.fetched) == sorted([new, mails[0], mails[1]])
    assert (job.counts.stored, job.counts.removed, job.counts.unchanged, job.counts.listed) == (3, 1, 2, 5)
    assert await worker.mirror() == exchange.mirror(ANNA)


@pytest.mark.parametrize("page_size", [1, 20])
async def test_a_flipped_read_state_costs_a_sidecar_and_no_mail(
    worker: Any, exchange: Exchange, mails: list[str], page_size: int
) -> None:
    exchange.page_size = page_size
    await worker.backup()
    exchange.fetched.clear()
    exchange.read(ANNA, mails[0])
    exchange.letters[ANNA][mails[1]].sidecar |= {"isRead": True}  # told whole, under the change key of before
    exchange.logs[exchange.letters[ANNA][mails[1]].folder].append(mails[1])
    job = await worker.backup()
    assert (exchange.fetched, exchange.asked) == ([], [])
    assert (job.counts.stored, job.counts.bytes_read, job.counts.unchanged) == (2, 0, 3)
    assert await worker.mirror() == exchange.mirror(ANNA)


async def test_a_flip_beside_an_edit_is_fetched(worker: Any, exchange: Exchange, mails: list[str]) -> None:
    await worker.backup()
    exchange.touch(ANNA, mails[0], b"Subject: new\r\n\r\nnew\r\n")
    exchange.read(ANNA, mails[0])
    exchange.page_size = 1
    await worker.backup()
    assert await worker.mirror() == exchange.mirror(ANNA)


async def test_a_draft_is_fetched_whatever_is_told(worker: Any, exchange: Exchange, inbox: str) -> None:
    draft = exchange.add(ANNA, inbox, isDraft=True)
    await worker.backup()
    exchange.fetched.clear()
    exchange.read(ANNA, draft)
    await worker.backup()
    assert exchange.fetched == [draft]
    assert await worker.mirror() == exchange.mirror(ANNA)


async def test_a_mail_that_was_never_stored_is_asked_for_when_only_its_read_state_is_told(
    worker: Any, exchange: Exchange, mails: list[str]
) -> None:
    exchange.vanishing.add(mails[0])
    letter = exchange.letters[ANNA][mails[0]]
    await worker.backup()
    exchange.letters[ANNA][mails[0]] = letter
    exchange.read(ANNA, mails[0])
    await worker.backup()
    assert await worker.mirror() == exchange.mirror(ANNA)


async def test_what_could_not_be_read_stays_listed_when_its_read_state_changes(
    worker: Any, exchange: Exchange, mails: list[str]
) -> None:
    await worker.backup()
    exchange.touch(ANNA, mails[0], b"Subject: new\r\n\r\nnew\r\n")
    exchange.unreadable[mails[0]] = DAMAGED
    await worker.backup()
    exchange.read(ANNA, mails[0])
    job = await worker.backup()
    assert (job.state, [e.item for e in job.item_errors]) == (JobState.PARTIAL, [mails[0]])


async def test_every_restore_point_is_a_synthetic_full(worker: Any, exchange: Exchange, mails: list[str]) -> None:
    first = await worker.backup()
    before = exchange.mirror(ANNA)
    for mail in mails:
        exchange.delete(ANNA, mail)
    await worker.backup()
    repository = await worker.repositories.open("contoso", "t1")
    rows = repository.items(f"c1/{ANNA}", first.restore_point, "mail")
    assert {row.key for row in rows} == set(before)


async def test_mail_of_a_deleted_folder_is_removed(
    worker: Any, exchange: Exchange, mails: list[str], inbox: str, archive: str
) -> None:
    exchange.add(ANNA, archive)
    await worker.backup()
    exchange.delete_folder(ANNA, archive)
    job = await worker.backup()
    assert job.counts.removed == 1
    assert await worker.mirror() == exchange.mirror(ANNA)
    assert await worker.folders() == {inbox: ("Inbox", "")}


async def test_renamed_folder_is_stored_again_and_its_mail_is_not(
    worker: Any, exchange: Exchange, mails: list[str], inbox: str
) -> None:
    await worker.backup()
    exchange.fetched.clear()
    exchange.rename_folder(ANNA, inbox, "Posteingang")
    await worker.backup()
    assert exchange.fetched == []
    assert await worker.folders() == {inbox: ("Posteingang", "")}


async def test_message_moved_there_and_back_stays(
    worker: Any, exchange: Exchange, mails: list[str], inbox: str, archive: str
) -> None:
    await worker.backup()
    exchange.move(ANNA, mails[0], archive)
    exchange.add(ANNA, inbox)
    exchange.move(ANNA, mails[0], inbox)
    await worker.backup()
    assert await worker.mirror() == exchange.mirror(ANNA)


async def test_removal_and_return_within_one_round_is_no_removal(
    worker: Any, exchange: Exchange, mails: list[str], inbox: str
) -> None:
    await worker.backup()
    letter = exchange.letters[ANNA][mails[0]]
    letter.folder = "a folder that Graph does not list"
    exchange.logs[inbox].append(letter.id)
    exchange.page_size = 1

    def return_unchanged() -> None:
        letter.folder = inbox
        exchange.logs[inbox].append(letter.id)

    exchange.add(ANNA, inbox)
    exchange.after_page[inbox] = return_unchanged
    await worker.backup()
    assert await worker.mirror() == exchange.mirror(ANNA)


async def test_message_that_passed_through_two_folders_and_was_deleted_is_removed(
    worker: Any, exchange: Exchange, mails: list[str], archive: str
) -> None:
    later = exchange.add_folder(ANNA, "Later")
    await worker.backup()
    exchange.move(ANNA, mails[0], later)
    exchange.move(ANNA, mails[0], archive)
    exchange.delete(ANNA, mails[0])
    job = await worker.backup()
    assert job.counts.removed == 1
    assert await worker.mirror() == exchange.mirror(ANNA)


async def test_expired_cursor_stores_nothing_twice_and_sees_deletions(
    worker: Any, exchange: Exchange, mails: list[str]
) -> None:
    await worker.backup()
    exchange.fetched.clear()
    exchange.delete(ANNA, mails[3])
    exchange.expire()
    job = await worker.backup()
    assert job.state is JobState.SUCCEEDED
    assert exchange.fetched == []
    assert job.counts.removed == 1
    assert await worker.mirror() == exchange.mirror(ANNA)


async def test_unreadable_item_makes_it_partial_and_is_asked_for_at_the_next_run(
    worker: Any, exchange: Exchange, mails: list[str]
) -> None:
    exchange.unreadable[mails[2]] = DAMAGED
    first = await worker.backup()
    assert first.state is JobState.PARTIAL
    assert [(e.item, e.error) for e in first.item_errors] == [(mails[2], ErrorClass.CORRUPT_SOURCE_ITEM)]
    assert (first.counts.listed, first.counts.failed, first.counts.verified) == (5, 1, 4)
    assert set(await worker.mirror()) == set(mails) - {mails[2]}
    second = await worker.backup()
    assert second.state is JobState.PARTIAL
    exchange.unreadable.clear()
    third = await worker.backup()
    assert (third.state, third.counts.stored, third.item_errors) == (JobState.SUCCEEDED, 1, ())
    assert await worker.mirror() == exchange.mirror(ANNA)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Forbidden("no"), ErrorClass.ACCESS_DENIED),
        (DAMAGED, ErrorClass.CORRUPT_SOURCE_ITEM),
    ],
)
async def test_an_item_error_has_its_class(
    worker: Any, exchange: Exchange, mails: list[str], error: Exception, code: ErrorClass
) -> None:
    exchange.unreadable[mails[0]] = error
    job = await worker.backup()
    assert [(e.item, e.error) for e in job.item_errors] == [(mails[0], code)]


async def test_stored_version_stays_when_the_new_one_is_unreadable(
    worker: Any, exchange: Exchange, mails: list[str]
) -> None:
    await worker.backup()
    before = await worker.mirror()
    exchange.touch(ANNA, mails[0], b"Subject: new\r\n\r\nnew\r\n")
    exchange.unreadable[mails[0]] = DAMAGED
    job = await worker.backup()
    assert job.state is JobState.PARTIAL
    assert await worker.mirror() == before
    assert (job.counts.listed, job.counts.failed) == (5, 1)


async def test_unreadable_item_that_moved_keeps_its_stored_version(
    worker: Any, exchange: Exchange, mails: list[str], archive: str
) -> None:
    await worker.backup()
    exchange.move(ANNA, mails[0], archive)
    exchange.unreadable[mails[0]] = DAMAGED
    job = await worker.backup()
    assert job.state is JobState.PARTIAL
    assert mails[0] in await worker.mirror()
    exchange.unreadable.clear()
    job = await worker.backup()
    assert job.state is JobState.SUCCEEDED
    assert await worker.mirror() == exchange.mirror(ANNA)


async def test_unreadable_item_that_left_a_deleted_folder_keeps_its_stored_version(
    worker: Any, exchange: Exchange, mails: list[str], archive: str, inbox: str
) -> None:
    kept = exchange.add(ANNA, archive)
    await worker.backup()
    exchange.move(ANNA, kept, inbox)
    exchange.delete_folder(ANNA, archive)
    exchange.unreadable[kept] = DAMAGED
    job = await worker.backup()
    assert job.state is JobState.PARTIAL
    assert kept in await worker.mirror()
    exchange.unreadable.clear()
    await worker.backup()
    assert await worker.mirror() == exchange.mirror(ANNA)


async def test_deleted_item_is_not_asked_for_for_ever(worker: Any, exchange: Exchange, mails: list[str]) -> None:
    exchange.unreadable[mails[0]] = DAMAGED
    await worker.backup()
    exchange.delete(ANNA, mails[0])
    job = await worker.backup()
    assert (job.state, job.counts.listed) == (JobState.SUCCEEDED, 4)
    calls = exchange.asked.count(mails[0])
    await worker.backup()
    assert exchange.asked.count(mails[0]) == calls


async def test_unreadable_stored_item_that_is_deleted_is_removed(
    worker: Any, exchange: Exchange, mails: list[str]
) -> None:
    await worker.backup()
    exchange.touch(ANNA, mails[0])
    exchange.unreadable[mails[0]] = DAMAGED
    await worker.backup()
    exchange.delete(ANNA, mails[0])
    exchange.expire()
    job = await worker.backup()
    assert job.state is JobState.SUCCEEDED
    assert await worker.mirror() == exchange.mirror(ANNA)


async def test_item_that_vanishes_between_list_and_read_is_no_error(
    worker: Any, exchange: Exchange, mails: list[str]
) -> None:
    exchange.vanishing.add(mails[1])
    job = await worker.backup()
    assert (job.state, job.item_errors) == (JobState.SUCCEEDED, ())
    assert await worker.mirror() == exchange.mirror(ANNA)


async def test_folder_that_vanishes_after_the_list_is_no_error(
    worker: Any, exchange: Exchange, mails: list[str], archive: str
) -> None:
    exchange.add(ANNA, archive)
    await worker.backup()
    exchange.before_folder[archive] = lambda: exchange.delete_folder(ANNA, archive)
    assert (await worker.backup()).state is JobState.SUCCEEDED
    await worker.backup()
    assert await worker.mirror() == exchange.mirror(ANNA)


async def test_mailbox_without_mail_succeeds(worker: Any) -> None:
    job = await worker.backup()
    assert (job.state, job.counts.listed) == (JobState.SUCCEEDED, 0)


async def test_deleted_user_fails_the_job_as_not_found(worker: Any, exchange: Exchange) -> None:
    exchange.error = NotFound("no such user")
    job = await worker.backup()
    assert (job.state, job.fatal.error) == (JobState.FAILED, ErrorClass.NOT_FOUND)
    assert worker.lost == [("contoso", ANNA, "anna@contoso.example")]


async def test_missing_token_holds_without_spending_an_attempt(
    worker: Any, exchange: Exchange, mails: list[str]
) -> None:
    job = worker.queue()
    exchange.error = TokenUnavailable("expired")
    for _ in range(10):
        held = await worker.deliver(job)
        assert (held.state, held.attempt, held.hold.reason) == (JobState.WAITING, 0, HoldReason.NO_VALID_TOKEN)
    exchange.error = None
    assert (await worker.deliver(job)).state is JobState.SUCCEEDED
    assert await worker.mirror() == exchange.mirror(ANNA)


async def test_throttling_among_parallel_reads_holds_and_goes_on(worker: Any, exchange: Exchange, inbox: str) -> None:
    exchange.page_size = 20
    for number in range(20):
        exchange.add(ANNA, inbox, f"Subject: {number}\r\n\r\n{number}\r\n".encode())
    worker.parallel = 4

    def throttle() -> None:
        exchange.error = Throttled(60.0)

    job = worker.queue()
    await worker.repositories.open("contoso", "t1")
    worker.fuse.renew()
    worker.fuse.meanwhile[32] = throttle
    held = await worker.deliver(job)
    assert (held.state, held.attempt, held.hold.reason) == (JobState.WAITING, 0, HoldReason.TENANT_THROTTLED)
    assert 0 < len(exchange.fetched) < 20
    exchange.error = None
    done = await worker.deliver(job)
    assert (done.state, done.counts.listed, done.counts.verified) == (JobState.SUCCEEDED, 20, 20)
    assert await worker.mirror() == exchange.mirror(ANNA)


async def test_a_restore_point_says_whose_it_is_without_any_service(worker: Any, exchange: Exchange) -> None:
    exchange.add_folder(ANNA, "Inbox")
    await worker.backup()
    assert (await worker.snapshot()).label == "anna@contoso.example"
