"""What a restore does with what is there already: skip, copy, replace; the original place; selections; dry runs."""

import itertools
from typing import Any

import pytest
from backup_fakes.exchange import ANNA, BERT, Exchange

from backup_service.domain import graph_message
from contracts.errors import ErrorClass
from contracts.names import JobState, Source
from contracts.restoring import RestoreConflict, RestorePlace, RestoreSelection

SKIP, COPY, REPLACE = RestoreConflict.SKIP, RestoreConflict.COPY, RestoreConflict.REPLACE
ORIGINAL = {"place": RestorePlace.ORIGINAL}


def letter(number: int, text: str = "hello") -> bytes:
    return f"From: a@x\r\nMessage-ID: <{number}@x>\r\nSubject: letter {number}\r\n\r\n{text}\r\n".encode()


WITH_FILE = (
    b"From: a@x\r\nMessage-ID: <0@x>\r\nSubject: letter 0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\nsee below\r\n--b\r\nContent-Type: application/pdf\r\n"
    b"Content-Disposition: attachment; filename=a.pdf\r\n\r\n%PDF-1.7 long enough\r\n--b--\r\n"
)


@pytest.fixture
def inbox(exchange: Exchange) -> str:
    folder = exchange.add_folder(ANNA, "Posteingang")
    exchange.well_known[ANNA, "inbox"] = folder
    return folder


@pytest.fixture
def mails(exchange: Exchange, inbox: str) -> list[str]:
    return [exchange.add(ANNA, inbox, letter(n), internetMessageId=f"<{n}@x>") for n in range(4)]


async def restore(worker: Any, target: str = ANNA, **order: Any) -> Any:
    return await worker.deliver(worker.queue_restore((await worker.snapshot()).id, target, **order))


def numbers(job: Any) -> tuple[int, int, int, int]:
    (found,) = job.restored.sources
    return found.created, found.replaced, found.skipped, found.failed


def subjects(exchange: Exchange, user: str = ANNA) -> list[str]:
    found = [line for x in exchange.letters[user].values() for line in x.mime.split(b"\n") if line[:8] == b"Subject:"]
    return sorted(line[9:].decode().strip() for line in found)


async def test_skip_brings_back_what_is_missing_and_leaves_the_rest(
    worker: Any, exchange: Exchange, mails: list[str], inbox: str
) -> None:
    await worker.backup()
    exchange.delete(ANNA, mails[0])
    exchange.touch(ANNA, mails[1], isRead=True)
    job = await restore(worker, conflict=SKIP, **ORIGINAL)
    assert (job.state, numbers(job)) == (JobState.SUCCEEDED, (1, 0, 3, 0))
    assert subjects(exchange) == [f"letter {n}" for n in range(4)]
    assert {x.folder for x in exchange.letters[ANNA].values()} == {inbox}
    assert exchange.letters[ANNA][mails[1]].sidecar["isRead"] is True


async def test_skip_reads_nothing_of_what_is_unchanged(worker: Any, exchange: Exchange, mails: list[str]) -> None:
    await worker.backup()
    exchange.fetched.clear()
    job = await restore(worker, conflict=SKIP, **ORIGINAL)
    assert (numbers(job), exchange.fetched, exchange.written) == ((0, 0, 4, 0), [], [])


async def test_skip_keeps_what_somebody_has_written_since(worker: Any, exchange: Exchange, mails: list[str]) -> None:
    await worker.backup()
    exchange.touch(ANNA, mails[0], letter(0, "changed since"))
    job = await restore(worker, conflict=SKIP, **ORIGINAL)
    assert numbers(job) == (1, 0, 3, 0)
    assert subjects(exchange).count("letter 0") == 2


async def test_a_mail_stands_for_one_item_only(worker: Any, exchange: Exchange, inbox: str) -> None:
    twins = [exchange.add(ANNA, inbox, letter(1), internetMessageId="<1@x>") for _ in range(2)]
    await worker.backup()
    exchange.delete(ANNA, twins[0])
    job = await restore(worker, conflict=SKIP, **ORIGINAL)
    assert numbers(job) == (1, 0, 1, 0)
    assert numbers(await restore(worker, conflict=SKIP, **ORIGINAL)) == (0, 0, 2, 0)


async def test_skipping_twice_restores_once_into_another_mailbox_too(
    worker: Any, exchange: Exchange, mails: list[str]
) -> None:
    await worker.backup()
    into = {"folder": "From Anna", "conflict": SKIP}
    assert numbers(await restore(worker, BERT, **into)) == (4, 0, 0, 0)
    assert numbers(await restore(worker, BERT, **into)) == (0, 0, 4, 0)
    assert len(exchange.letters[BERT]) == 4


async def test_copy_creates_beside_what_is_there(worker: Any, exchange: Exchange, mails: list[str]) -> None:
    await worker.backup()
    assert numbers(await restore(worker, conflict=COPY, **ORIGINAL)) == (4, 0, 0, 0)
    assert len(exchange.letters[ANNA]) == 8


async def test_replace_puts_the_stored_state_in_place_of_a_changed_one(
    worker: Any, exchange: Exchange, mails: list[str]
) -> None:
    await worker.backup()
    exchange.touch(ANNA, mails[0], letter(0, "encrypted by somebody"), isRead=True)
    exchange.touch(ANNA, mails[1], categories=["Red"])
    exchange.delete(ANNA, mails[2])
    job = await restore(worker, conflict=REPLACE, **ORIGINAL)
    assert (job.state, numbers(job)) == (JobState.SUCCEEDED, (1, 2, 1, 0))
    assert subjects(exchange) == [f"letter {n}" for n in range(4)]
    assert not exchange.letters[ANNA].keys() & set(mails[:3])
    assert not any(b"encrypted" in x.mime or x.sidecar["isRead"] for x in exchange.letters[ANNA].values())


async def test_the_old_one_stays_when_the_new_one_is_not_proven(
    worker: Any, exchange: Exchange, mails: list[str]
) -> None:
    await worker.backup()
    exchange.touch(ANNA, mails[0], categories=["Red"])
    exchange.on_create = lambda made: made.sidecar.update(importance="low")
    job = await restore(worker, conflict=REPLACE, **ORIGINAL)
    assert (job.state, numbers(job)) == (JobState.PARTIAL, (1, 0, 3, 1))
    assert mails[0] in exchange.letters[ANNA]
    assert exchange.written == ["message"]


async def test_replace_deletes_nothing_when_several_could_be_meant(
    worker: Any, exchange: Exchange, mails: list[str], inbox: str
) -> None:
    await worker.backup()
    exchange.delete(ANNA, mails[0])
    twins = [exchange.add(ANNA, inbox, letter(0, f"other {n}"), internetMessageId="<0@x>") for n in range(2)]
    assert numbers(await restore(worker, conflict=REPLACE, **ORIGINAL)) == (1, 0, 3, 0)
    assert exchange.letters[ANNA].keys() >= set(twins)


@pytest.mark.parametrize("conflict", [SKIP, REPLACE])
async def test_death_at_any_step_ends_in_the_same_mailbox(
    worker: Any, exchange: Exchange, mails: list[str], conflict: RestoreConflict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replace: at no moment neither the old one nor the new one is there. One mail has an attachment to upload."""
    monkeypatch.setattr(graph_message, "_INLINE_LIMIT", 4)
    exchange.touch(ANNA, mails[0], WITH_FILE)
    await worker.backup()
    point = (await worker.snapshot()).id
    stored = dict(exchange.letters[ANNA])
    for step in itertools.count():
        exchange.letters[ANNA] = dict(stored)
        exchange.written.clear()
        exchange.touch(ANNA, mails[0], letter(0, "encrypted"))
        exchange.delete(ANNA, mails[1])
        job = worker.queue_restore(point, ANNA, conflict=conflict, **ORIGINAL)
        died = await worker.deliver_and_die(job, step)
        assert "letter 0" in subjects(exchange), step
        if not died:
            assert step > 10
            break
        done = await worker.deliver(job)
        assert done.state is JobState.SUCCEEDED, (step, done.item_errors)
        expected = [0, 1, 2, 3] if conflict is REPLACE else [0, 0, 1, 2, 3]
        assert subjects(exchange) == [f"letter {n}" for n in expected], step
        stored[mails[0]] = await pristine(worker, stored[mails[0]])


async def pristine(worker: Any, found: Any) -> Any:
    """The letter as it was backed up."""
    rows = await worker.mirror()
    found.mime, found.change = rows[found.id][2], int(rows[found.id][1].removeprefix("ck-"))
    return found


async def test_original_folders_are_found_by_id_then_meaning_then_name(
    worker: Any, exchange: Exchange, mails: list[str], inbox: str
) -> None:
    renamed = exchange.add_folder(ANNA, "Projects", inbox)
    gone = exchange.add_folder(ANNA, "Old", inbox)
    for folder in (renamed, gone):
        exchange.add(ANNA, folder, letter(9), internetMessageId=f"<{folder}@x>")
    await worker.backup()
    exchange.rename_folder(ANNA, renamed, "Projekte")
    exchange.delete_folder(ANNA, gone)
    job = await restore(worker, conflict=SKIP, **ORIGINAL)
    assert (numbers(job), job.restored.sources[0].folders_created) == ((1, 0, 5, 0), 1)
    names = {folder.name: folder.parent for folder in exchange.folders[ANNA].values()}
    assert names == {"Posteingang": "", "Projekte": inbox, "Old": inbox}


async def test_selected_items_and_folders_are_restored_and_nothing_else(
    worker: Any, exchange: Exchange, mails: list[str], inbox: str
) -> None:
    outer = exchange.add_folder(ANNA, "Outer")
    inner = exchange.add_folder(ANNA, "Inner", outer)
    deep = exchange.add(ANNA, inner, letter(7), internetMessageId="<7@x>")
    await worker.backup()
    chosen = RestoreSelection(items=(mails[2], "AAkNobody"), folders=(outer,))
    job = await restore(worker, BERT, folder="Some", selection=chosen)
    assert (job.state, numbers(job)) == (JobState.PARTIAL, (2, 0, 0, 0))
    assert [(p.item, p.error) for p in job.item_errors] == [("AAkNobody", ErrorClass.NOT_FOUND)]
    assert {x.tags[graph_message.ITEM_TAG] for x in exchange.letters[BERT].values()} == {mails[2], deep}
    assert {f.name for f in exchange.folders[BERT].values()} == {"Some", "Posteingang", "Outer", "Inner"}


async def test_sources_that_are_not_asked_for_are_left_alone(
    worker: Any, exchange: Exchange, mails: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await worker.backup()
    job = await restore(worker, BERT, selection=RestoreSelection(sources=()))
    assert [found.source for found in job.restored.sources] == [Source.MAIL]


@pytest.mark.parametrize("conflict", list(RestoreConflict))
async def test_dry_run_foretells_the_numbers_and_writes_nothing(
    worker: Any, exchange: Exchange, mails: list[str], inbox: str, conflict: RestoreConflict
) -> None:
    old = exchange.add_folder(ANNA, "Old", inbox)
    exchange.add(ANNA, exchange.add_folder(ANNA, "Older", old), letter(9), internetMessageId="<9@x>")
    await worker.backup()
    exchange.delete_folder(ANNA, old)
    exchange.touch(ANNA, mails[0], categories=["Red"])
    exchange.delete(ANNA, mails[1])
    exchange.written.clear()
    before = exchange.mirror(ANNA)
    foretold = await restore(worker, conflict=conflict, dry_run=True, **ORIGINAL)
    assert (foretold.state, foretold.restored.dry_run, foretold.counts.stored) == (JobState.SUCCEEDED, True, 0)
    assert (exchange.written, exchange.mirror(ANNA), len(exchange.folders[ANNA])) == ([], before, 1)
    done = await restore(worker, conflict=conflict, **ORIGINAL)
    assert numbers(foretold) == numbers(done)
    assert foretold.restored.sources[0].folders_created == done.restored.sources[0].folders_created == 2


async def test_mailbox_that_is_gone_offers_another_user_or_an_export(
    worker: Any, exchange: Exchange, mails: list[str]
) -> None:
    await worker.backup()
    del exchange.users[ANNA]
    job = await restore(worker, **ORIGINAL)
    assert (job.state, job.fatal.error) == (JobState.FAILED, ErrorClass.NOT_FOUND)
    assert "another user, or export" in job.fatal.detail
