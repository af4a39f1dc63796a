"""Questions: how healthy is a tenant, who changed what, and what became of messages nobody could process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chassis.clock import Clock
from chassis.rpc import Call, RpcServer
from contracts import subjects
from contracts.audit_chain import AuditHead, AuditRecord
from contracts.dead_letters import DeadLetter, DeadLetterContent
from contracts.operations.audit import AUDIT_HEAD, AUDIT_LIST, AuditRecordsOf
from contracts.operations.base import ById
from contracts.operations.reviews import REVIEW_COMPLETE, REVIEW_GET, REVIEW_LIST, CompleteReview, ReviewsOf
from contracts.problem import not_found, unavailable
from contracts.reviews import Review
from contracts.rpc import (
    DEAD_LETTER_GET,
    DEAD_LETTER_LIST,
    DEAD_LETTER_REPLAY,
    HEALTH_GET,
    DeadLettersOf,
    Nothing,
    OneDeadLetter,
)
from contracts.views import HealthView, Listing
from monitor_service.domain.health import Expected, Verdict
from monitor_service.domain.tally import Tally
from monitor_service.ports import BusUnavailable, Ledger, LedgerUnavailable, Letters, Replays
from monitor_service.ports.audit import Chains
from monitor_service.ports.reviews import Reviews
from monitor_service.usecases import read_health
from monitor_service.usecases.audit import list_records
from monitor_service.usecases.dead_letters import list_letters, read_letter, replay_letter
from monitor_service.usecases.reviews import KeepReviews

_NO_REVIEWS = "reviews cannot be read or changed now; try again shortly"
_NO_LETTERS = "dead letters cannot be read or replayed now; try again shortly"


def bind(server: RpcServer, ledger: Ledger, clock: Clock, expected: Expected) -> None:
    """Answer questions. Call before the broker starts."""

    async def on_health(call: Call[Nothing]) -> Listing[HealthView]:
        tenant = call.one_tenant()
        try:
            found = await read_health(ledger, clock, expected, tenant)
        except LedgerUnavailable as error:
            raise unavailable("the ledger cannot be read; try again shortly") from error
        judged = ((health.tally, health.verdict) for health in found)
        return Listing[HealthView](items=tuple(_view(tally, verdict) for tally, verdict in judged if verdict))

    server.answer(HEALTH_GET, on_health)


def bind_audit(server: RpcServer, chains: Chains) -> None:
    """Answer questions about the audit. Call before the broker starts."""

    async def on_list(call: Call[AuditRecordsOf]) -> Listing[AuditRecord]:
        async with _available("the audit cannot be read now; try again shortly"):
            return await list_records(chains, call.tenant or subjects.ANY_TENANT, call.question)

    async def on_head(call: Call[Nothing]) -> AuditHead:
        async with _available("the audit cannot be read now; try again shortly"):
            return await chains.head(call.one_tenant())

    server.answer(AUDIT_LIST, on_list)
    server.answer(AUDIT_HEAD, on_head)


def bind_reviews(server: RpcServer, reviews: Reviews, keep: KeepReviews) -> None:
    """Answer questions about reviews. Call before the broker starts."""

    async def on_list(call: Call[ReviewsOf]) -> Listing[Review]:
        page = call.question
        async with _available(_NO_REVIEWS):
            return await reviews.page(call.one_tenant(), page.cursor, page.limit, open_only=page.open_only)

    async def on_get(call: Call[ById]) -> Review:
        async with _available(_NO_REVIEWS):
            found = await reviews.get(call.one_tenant(), call.question.id)
        if found is None:
            raise not_found("review")
        return found

    async def on_complete(call: Call[CompleteReview]) -> Review:
        async with _available(_NO_REVIEWS):
            return await keep.complete(call.one_tenant(), call.question, call.caller)

    server.answer(REVIEW_LIST, on_list)
    server.answer(REVIEW_GET, on_get)
    server.answer(REVIEW_COMPLETE, on_complete)


def bind_dead_letters(server: RpcServer, letters: Letters, replays: Replays, clock: Clock) -> None:
    """Answer questions about dead letters. Call before the broker starts."""

    async def on_list(call: Call[DeadLettersOf]) -> Listing[DeadLetter]:
        async with _available(_NO_LETTERS):
            return await list_letters(letters, replays, call.question)

    async def on_get(call: Call[OneDeadLetter]) -> DeadLetterContent:
        async with _available(_NO_LETTERS):
            return await read_letter(letters, replays, call.question)

    async def on_replay(call: Call[OneDeadLetter]) -> DeadLetter:
        async with _available(_NO_LETTERS):
            return await replay_letter(letters, replays, clock, call.question, call.caller)

    server.answer(DEAD_LETTER_LIST, on_list)
    server.answer(DEAD_LETTER_GET, on_get)
    server.answer(DEAD_LETTER_REPLAY, on_replay)


@asynccontextmanager
async def _available(detail: str) -> AsyncIterator[None]:
    try:
        yield
    except (BusUnavailable, LedgerUnavailable) as error:
        raise unavailable(detail) from error


def _view(tally: Tally, verdict: Verdict) -> HealthView:
    return HealthView(
        tenant=tally.tenant,
        kind=tally.kind,
        health=verdict.health,
        failed=verdict.failed,
        partial=verdict.partial,
        succeeded=verdict.succeeded,
        failure_ratio=verdict.failure_ratio,
        partial_ratio=verdict.partial_ratio,
        last_success_at=tally.last_success_at,
        reason=verdict.reason.value,
    )
