"""Keep the audit: every recorded change becomes one link of its tenant's chain, and is shown as it was hashed."""

import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC
from itertools import groupby
from typing import Any

from chassis.delivered import Delivered
from contracts.audit_chain import AuditHead, AuditRecord, linked
from contracts.events import AuditRecorded
from contracts.operations.audit import AuditRecordsOf
from contracts.views import Listing
from monitor_service.ports.audit import Chains, Record

_ANSWER = 128 * 1024
"""Bytes of records that one answer holds at most; the bus takes twice that."""


Begun = Callable[[str], Awaitable[None]]


async def _nothing(_: str) -> None:
    pass


async def record_changes(chains: Chains, changes: Sequence[Delivered[AuditRecorded]], begun: Begun = _nothing) -> int:
    """Append what has no record yet, in the order given; returns how many. Repeating it changes nothing.

    `begun` hears of a tenant before its first record is kept.
    """
    appended = 0
    for tenant, of_tenant in groupby(sorted(changes, key=_tenant), key=_tenant):
        if (await chains.head(tenant)).length == 0:
            await begun(tenant)
        appended += await _append(chains, tenant, list(of_tenant))
    return appended


def _tenant(change: Delivered[AuditRecorded]) -> str:
    return change.body.tenant


async def _append(chains: Chains, tenant: str, changes: Sequence[Delivered[AuditRecorded]]) -> int:
    """Another replica may be faster; then its records are read and the rest is tried behind them."""
    while True:
        head = await chains.head(tenant)
        known = await chains.known(tenant, {change.id for change in changes})
        fresh = {change.id: change.body for change in changes if change.id not in known}
        records: list[Record] = []
        end = head
        for event, body in fresh.items():
            record = linked(_facts(event, body), end)
            end = AuditHead(tenant=tenant, length=record["number"], hash=record["hash"])
            records.append(record)
        if not records or await chains.append(head, records):
            return len(records)


def _facts(event: str, body: AuditRecorded) -> dict[str, Any]:
    return {
        "tenant": body.tenant,
        "event": event,
        "at": body.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "action": body.action,
        "object": body.object,
        "actor": body.actor,
        "roles": list(body.roles),
        "request": body.request,
        "before": dict(body.before),
        "after": dict(body.after),
    }


async def list_records(chains: Chains, tenant: str, question: AuditRecordsOf) -> Listing[AuditRecord]:
    """One page, as much of it as fits into an answer."""
    after = None if question.cursor is None else int(question.cursor)
    await chains.head(tenant)
    found = await chains.records(tenant, after, question.limit + 1, oldest_first=question.oldest_first)
    page: list[AuditRecord] = []
    room = _ANSWER
    for record in found[: question.limit]:
        room -= len(json.dumps(record))
        if page and room < 0:
            break
        page.append(AuditRecord.model_validate(record))
    cursor = str(page[-1].number) if len(page) < len(found) else None
    return Listing[AuditRecord](items=tuple(page), cursor=cursor)
