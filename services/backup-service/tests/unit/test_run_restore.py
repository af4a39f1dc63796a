"""A restore of one mailbox into another user's, and what it says when something is not as it was."""

import base64
import itertools
from typing import Any

import pytest
from backup_fakes.exchange import ANNA, BERT, Exchange

from backup_service.domain import graph_message
from contracts.errors import ErrorClass
from contracts.names import HoldReason, JobState
from graph_client.errors import BadResponse, ItemUnreadable, NotFound, Refused, Throttled

LARGE = 3 << 20


def with_attachment(name: str, content: bytes, kind: str = "application/octet-stream") -> bytes:
    return (
        b"From: Anna <anna@contoso.example>\r\nTo: Eva <eva@fabrikam.example>\r\n"
        b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
        b"<p>see attachment</p>\r\n--b\r\nContent-Transfer-Encoding: base64\r\n"
        + f"Content-Type: {kind}\r\nContent-Disposition: attachment; filename={name}\r\n\r\n".encode()
        + base64.encodebytes(content)
        + b"\r\n--b--\r\n"
    )


NESTED = (
    b"From: anna@contoso.example\r\nSubject: forward\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\nsee below\r\n"
    b"--b\r\nContent-Type: message/rfc822\r\nContent-Disposition: attachment; filename=inner.eml\r\n\r\n"
    b"From: eva@fabrikam.example\r\nSubject: inner\r\n\r\ninner body\r\n--b--\r\n"
)


@pytest.fixture
def mails(exchange: Exchange) -> dict[str, str]:
    inbox = exchange.add_folder(ANNA, "Inbox")
    projects = exchange.add_folder(ANNA, "Projects", inbox)
    flag = {"flagStatus": "flagged"}
    return {
        "plain": exchange.add(ANNA, inbox, b"From: a@x\r\nSubject: plain\r\n\r\nhello\r\n", isRead=True, flag=flag),
        "draft": exchange.add(ANNA, inbox, b"Subject: draft\r\n\r\nnot sent\r\n", isDraft=True),
        "file": exchange.add(ANNA, projects, with_attachment("a.bin", b"\x00\x01"), categories=["Blue"]),
        "nested": exchange.add(ANNA, projects, NESTED, importance="high"),
    }


async def restore(worker: Any, target: str = "bert@contoso.example", folder: str = "Restored") -> Any:
    job = worker.queue_restore((await worker.snapshot()).id, target, folder)
    return await worker.deliver(job)


def restored(exchange: Exchange) -> dict[str, Any]:
    """The restored letters of Bert by the key of the item they were made from."""
    return {x.tags[graph_message.ITEM_TAG]: x for x in exchange.letters[BERT].values()}


def path_of(exchange: Exchange, folder: str) -> str:
    found = exchange.folders[BERT][folder]
    return f"{path_of(exchange, found.parent)}/{found.name}" if found.parent else found.name


async def test_everything_is_restored_as_it_was_and_compared(
    worker: Any, exchange: Exchange, mails: dict[str, str]
) -> None:
    await worker.backup()
    job = await restore(worker)
    assert (job.state, job.item_errors) == (JobState.SUCCEEDED, ())
    assert (job.counts.listed, job.counts.stored, job.counts.verified) == (4, 4, 4)
    there = restored(exchange)
    assert there.keys() == set(mails.values())
    plain = there[mails["plain"]]
    assert (plain.sidecar["isRead"], plain.sidecar["flag"]) == (True, {"flagStatus": "flagged"})
    assert (plain.sidecar["sentDateTime"], plain.sidecar["receivedDateTime"]) == (
        "2026-03-02T07:59:00Z",
        "2026-03-02T08:00:00Z",
    )
    assert path_of(exchange, plain.folder) == "Restored/Inbox"
    assert path_of(exchange, there[mails["file"]].folder) == "Restored/Inbox/Projects"
    assert there[mails["file"]].sidecar["categories"] == ["Blue"]
    assert there[mails["nested"]].sidecar["importance"] == "high"


async def test_drafts_stay_drafts_and_nothing_else_becomes_one(
    worker: Any, exchange: Exchange, mails: dict[str, str]
) -> None:
    await worker.backup()
    await restore(worker)
    drafts = {item for item, letter in restored(exchange).items() if letter.sidecar["isDraft"]}
    assert drafts == {mails["draft"]}


async def test_without_a_folder_one_is_named_after_the_restore_point(
    worker: Any, exchange: Exchange, mails: dict[str, str]
) -> None:
    await worker.backup()
    await restore(worker, folder="")
    top = [folder.name for folder in exchange.folders[BERT].values() if not folder.parent]
    assert top == [f"Restored {(await worker.snapshot()).id}"]


async def test_the_original_mailbox_is_not_touched(worker: Any, exchange: Exchange, mails: dict[str, str]) -> None:
    await worker.backup()
    before = exchange.mirror(ANNA)
    await restore(worker)
    assert exchange.mirror(ANNA) == before


async def test_large_attachment_goes_through_an_upload(worker: Any, exchange: Exchange, mails: dict[str, str]) -> None:
    big = exchange.add(ANNA, next(iter(exchange.folders[ANNA])), with_attachment("big.bin", bytes(LARGE)))
    await worker.backup()
    job = await restore(worker)
    assert (job.state, job.counts.verified) == (JobState.SUCCEEDED, 5)
    files = restored(exchange)[big].body["attachments"]
    assert [len(base64.b64decode(file["contentBytes"])) for file in files] == [LARGE]


async def test_attached_mail_comes_back_as_an_item_or_as_a_file_if_exchange_will_not_have_it(
    worker: Any, exchange: Exchange, mails: dict[str, str]
) -> None:
    await worker.backup()
    kinds = []
    for exchange.takes_items in (True, False):
        exchange.letters[BERT] = {}
        job = await restore(worker)
        assert (job.state, job.counts.verified) == (JobState.SUCCEEDED, 4)
        (attached,) = restored(exchange)[mails["nested"]].body["attachments"]
        kinds.append((attached["@odata.type"].rpartition(".")[2], attached["name"]))
    assert kinds == [("itemAttachment", "inner"), ("fileAttachment", "inner.eml")]


async def test_attached_mail_with_attachments_keeps_its_bytes(worker: Any, exchange: Exchange) -> None:
    inner = with_attachment("a.bin", b"\x00\x01")
    outer = NESTED.replace(b"From: eva@fabrikam.example\r\nSubject: inner\r\n\r\ninner body", inner)
    exchange.add(ANNA, exchange.add_folder(ANNA, "Inbox"), outer.replace(b"boundary=b", b"boundary=o", 1))
    await worker.backup()
    await restore(worker)
    (letter,) = exchange.letters[BERT].values()
    assert all(attached["@odata.type"].endswith("fileAttachment") for attached in letter.body["attachments"])


async def test_a_mail_keeps_its_place_in_the_thread(worker: Any, exchange: Exchange) -> None:
    index = base64.b64encode(bytes(27)).decode()
    raw = (
        b"Message-ID: <3@x>\r\nIn-Reply-To: <2@x>\r\nReferences: <1@x>\r\n <2@x>\r\n"
        + f"Thread-Index: {index}\r\nSubject: AW: plan\r\n\r\nyes\r\n".encode()
    )
    exchange.add(ANNA, exchange.add_folder(ANNA, "Inbox"), raw, internetMessageId="<3@x>")
    await worker.backup()
    job = await restore(worker)
    assert (job.state, job.counts.verified) == (JobState.SUCCEEDED, 1)
    (letter,) = exchange.letters[BERT].values()
    for line in (b"Message-ID: <3@x>", b"In-Reply-To: <2@x>", b"References: <1@x> <2@x>", b"Thread-Index: "):
        assert line in letter.mime


async def test_a_lost_thread_is_a_difference(worker: Any, exchange: Exchange) -> None:
    raw = b"Message-ID: <3@x>\r\nReferences: <1@x>\r\nSubject: AW: plan\r\n\r\nyes\r\n"
    exchange.add(ANNA, exchange.add_folder(ANNA, "Inbox"), raw, internetMessageId="<3@x>")
    await worker.backup()

    def forget(letter: Any) -> None:
        letter.mime = letter.mime.replace(b"References:", b"X-References:")

    exchange.on_create = forget
    job = await restore(worker)
    assert [problem.detail for problem in job.item_errors] == ["the restored mail differs in: references"]


async def test_death_at_any_step_makes_no_second_copy(
    worker: Any, exchange: Exchange, mails: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph_message, "_INLINE_LIMIT", 64)  # small mails, and yet uploads
    exchange.add(ANNA, next(iter(exchange.folders[ANNA])), with_attachment("big.bin", bytes(100)))
    await worker.backup()
    point = (await worker.snapshot()).id
    for step in itertools.count():
        for part in (exchange.letters, exchange.folders):
            part[BERT] = {}
        job = worker.queue_restore(point, BERT)
        if not await worker.deliver_and_die(job, step):
            assert step > 50
            break
        done = await worker.deliver(job)
        assert (done.state, done.counts.verified) == (JobState.SUCCEEDED, 5), step
        assert len(exchange.letters[BERT]) == 5, step
        assert len(exchange.folders[BERT]) == 3, step


async def test_the_same_order_given_twice_makes_two_copies(
    worker: Any, exchange: Exchange, mails: dict[str, str]
) -> None:
    await worker.backup()
    await restore(worker)
    job = await restore(worker)
    assert (job.state, job.counts.stored) == (JobState.SUCCEEDED, 4)
    assert len(exchange.letters[BERT]) == 8


async def test_difference_after_the_restore_is_reported_by_name(
    worker: Any, exchange: Exchange, mails: dict[str, str]
) -> None:
    await worker.backup()
    exchange.on_create = lambda letter: letter.sidecar.update(categories=["Red"])
    job = await restore(worker)
    assert (job.state, job.counts.verified, job.counts.failed) == (JobState.PARTIAL, 0, 4)
    assert {problem.error for problem in job.item_errors} == {ErrorClass.INTEGRITY}
    assert all("categories" in problem.detail for problem in job.item_errors)


@pytest.mark.parametrize("error", [Refused("no"), BadResponse("odd"), NotFound("gone"), ItemUnreadable("damaged")])
async def test_item_that_cannot_be_restored_costs_nobody_else(
    worker: Any, exchange: Exchange, mails: dict[str, str], error: Exception
) -> None:
    await worker.backup()

    def spoil(letter: Any) -> None:
        if letter.body["subject"] == "plain":
            exchange.unreadable[letter.id] = error

    exchange.on_create = spoil
    job = await restore(worker)
    assert (job.state, job.counts.verified) == (JobState.PARTIAL, 3)
    assert [problem.item for problem in job.item_errors] == [mails["plain"]]


async def test_unknown_target_fails_as_not_found(worker: Any, mails: dict[str, str]) -> None:
    await worker.backup()
    job = await restore(worker, target="nobody@contoso.example")
    assert (job.state, job.fatal.error) == (JobState.FAILED, ErrorClass.NOT_FOUND)


async def test_throttling_in_the_middle_holds_and_goes_on(
    worker: Any, exchange: Exchange, mails: dict[str, str]
) -> None:
    await worker.backup()
    worker.restart()
    job = worker.queue_restore((await worker.snapshot()).id, BERT)
    worker.restart()

    def throttle() -> None:
        exchange.error = Throttled(60)

    worker.fuse.meanwhile[30] = throttle
    held = await worker.deliver(job)
    assert (held.state, held.hold.reason, held.attempt) == (JobState.WAITING, HoldReason.TENANT_THROTTLED, 0)
    exchange.error = None
    done = await worker.deliver(job)
    assert (done.state, done.counts.verified) == (JobState.SUCCEEDED, 4)
    assert len(exchange.letters[BERT]) == 4


async def test_damaged_pack_costs_only_the_mail_in_it(worker: Any, exchange: Exchange, mails: dict[str, str]) -> None:
    await worker.backup()
    late = exchange.add(ANNA, next(iter(exchange.folders[ANNA])), b"Subject: late\r\n\r\nlater body\r\n")
    objects = worker.repositories.storage.objects
    before = set(objects)
    await worker.backup()
    (pack,) = [key for key in objects.keys() - before if key.startswith("data/")]
    point = (await worker.snapshot()).id
    objects[pack] = objects[pack][:80] + bytes([objects[pack][80] ^ 1]) + objects[pack][81:]
    worker.restart()
    job = await worker.deliver(worker.queue_restore(point, BERT))
    assert (job.state, job.counts.verified) == (JobState.PARTIAL, 4)
    assert [(problem.item, problem.error) for problem in job.item_errors] == [(late, ErrorClass.INTEGRITY)]


async def test_lost_pack_is_told_and_the_rest_restored(worker: Any, exchange: Exchange, mails: dict[str, str]) -> None:
    await worker.backup()
    late = exchange.add(ANNA, next(iter(exchange.folders[ANNA])), b"Subject: late\r\n\r\nlater body\r\n")
    objects = worker.repositories.storage.objects
    before = set(objects)
    await worker.backup()
    point = (await worker.snapshot()).id
    for key in [key for key in objects.keys() - before if key.startswith("data/")]:
        del objects[key]
    job = await worker.deliver(worker.queue_restore(point, BERT))
    assert (job.state, job.counts.verified) == (JobState.PARTIAL, 4)
    assert [(problem.item, problem.error) for problem in job.item_errors] == [(late, ErrorClass.INTEGRITY)]
