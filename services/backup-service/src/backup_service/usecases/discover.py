"""The mailboxes of a tenant: who has one, who is new, who has left, and who is left out why.

A mailbox is asked for once, when its user is new. One that is not there, or not for us, is asked for again once a day,
however often a configuration runs.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from backup_service.domain.discovery import KnownResource, MailboxFinding, User
from backup_service.domain.mail import Mailbox
from backup_service.ports import Directory, Resources
from chassis.clock import Clock
from contracts.names import LeftOutReason
from contracts.views import LeftOut
from graph_client.errors import Forbidden

log = structlog.get_logger()

Covers = Callable[[Mailbox], bool]
"""True for mailboxes that a configuration is about."""

_ASK_AGAIN = timedelta(days=1)
_TOGETHER = 8

_REASONS: Mapping[MailboxFinding, LeftOutReason | None] = {
    MailboxFinding.THERE: None,
    MailboxFinding.MISSING: LeftOutReason.NO_MAILBOX,
    MailboxFinding.DENIED: LeftOutReason.ACCESS_DENIED,
}


def _everybody(_mailbox: Mailbox) -> bool:
    return True


@dataclass(frozen=True)
class Discovered:
    mailboxes: Sequence[Mailbox]
    left_out: Sequence[LeftOut]


class Discover:
    """Keeps what it found out in `resources`. Raises the error tree of graph_client."""

    def __init__(self, resources: Resources, clock: Clock) -> None:
        self._resources = resources
        self._clock = clock

    async def __call__(self, tenant: str, directory: Directory, covers: Covers = _everybody) -> Discovered:
        now = self._clock.now()
        users = {user.id: user for user in await directory.users()}
        known = {one.id: one for one in await self._resources.known(tenant)}
        left_out = [
            LeftOut(resource=user.id, name=user.address, reason=reason)
            for user in users.values()
            if (reason := _out_of_question(user, covers)) is not None
        ]
        wanted = [user for user in users.values() if user.id not in {one.resource for one in left_out}]
        current = await self._look(directory, wanted, known, now)
        departed = [_departed(one, now) for one in known.values() if one.id not in users and one.had_mailbox]
        await self._resources.remember(tenant, [one for one in (*current, *departed) if known.get(one.id) != one])
        mailboxes = [Mailbox(one.id, one.name) for one in current if one.reason is None]
        return Discovered(mailboxes, [*left_out, *_told(current), *_told(departed)])

    async def _look(
        self, directory: Directory, users: Sequence[User], known: Mapping[str, KnownResource], now: datetime
    ) -> list[KnownResource]:
        """Every user as known from now on; asked for are the new ones, and daily those that were left out."""
        ask = [user for user in users if _worth_asking(known.get(user.id), now)]
        slots = asyncio.Semaphore(_TOGETHER)

        async def look(user: User) -> tuple[str, MailboxFinding]:
            async with slots:
                return user.id, await directory.mailbox_of(user.id)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(look(user)) for user in ask]
        findings = dict(task.result() for task in tasks)
        if ask and set(findings.values()) == {MailboxFinding.DENIED} and len(ask) == len(users):
            # Nobody's mailbox may be read: that is no matter of single ones.
            raise Forbidden("no mailbox of the tenant may be read")
        return [_now(user, known.get(user.id), findings.get(user.id), now) for user in users]

    async def lost(self, tenant: str, resource: str, name: str) -> None:
        """A job found no mailbox where there was one: it is asked for before there is another job."""
        now = self._clock.now()
        await self._resources.remember(
            tenant, [KnownResource(resource, name, LeftOutReason.NO_MAILBOX, now, now, had_mailbox=True)]
        )


def _out_of_question(user: User, covers: Covers) -> LeftOutReason | None:
    if user.guest:
        return LeftOutReason.GUEST
    if not user.address:
        return LeftOutReason.NO_ADDRESS
    return None if covers(Mailbox(user.id, user.address)) else LeftOutReason.OUT_OF_SCOPE


def _worth_asking(known: KnownResource | None, now: datetime) -> bool:
    if known is None or known.reason is LeftOutReason.DEPARTED:  # new, or named by the directory again
        return True
    return known.reason is not None and now - known.looked_at >= _ASK_AGAIN


def _now(user: User, known: KnownResource | None, found: MailboxFinding | None, now: datetime) -> KnownResource:
    if found is None:
        assert known is not None, "who is not known is asked for"
        return replace(known, name=user.address)
    reason = _REASONS[found]
    since = known.since if known is not None and known.reason is reason else now
    had_mailbox = found is MailboxFinding.THERE or (known is not None and known.had_mailbox)
    return KnownResource(user.id, user.address, reason, since, now, had_mailbox)


def _departed(known: KnownResource, now: datetime) -> KnownResource:
    if known.reason is LeftOutReason.DEPARTED:
        return known
    log.info("a user has left the directory; the restore points stay", resource=known.id)
    return replace(known, reason=LeftOutReason.DEPARTED, since=now, looked_at=now)


def _told(resources: Iterable[KnownResource]) -> list[LeftOut]:
    return [
        LeftOut(resource=one.id, name=one.name, reason=one.reason, since=one.since)
        for one in resources
        if one.reason is not None
    ]
