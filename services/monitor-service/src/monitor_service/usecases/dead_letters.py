"""Look at dead letters and send them again: what an operator does after the cause is gone."""

import base64
import re
from collections.abc import Collection

from chassis.clock import Clock
from contracts import dead_letters as names
from contracts.auditing import AuditAction, recorded
from contracts.caller import Caller
from contracts.dead_letters import DeadLetter, DeadLetterContent
from contracts.events import AuditRecorded
from contracts.problem import conflict, not_found
from contracts.rpc import DeadLettersOf, OneDeadLetter
from contracts.subjects import ANY_TENANT
from contracts.views import Listing
from monitor_service.ports import Letter, Letters, Refused, Replay, Replays

_SLUG = re.compile(r"[a-z0-9-]{1,32}")
_LOOKED_AT = 500
"""Letters read for one page at most; a page may be short, or even empty, and still have a next one."""


async def list_letters(letters: Letters, replays: Replays, question: DeadLettersOf) -> Listing[DeadLetter]:
    """One page, oldest first, of the tenants the asker may see."""
    place = int(question.cursor) if question.cursor and question.cursor.isascii() and question.cursor.isdigit() else 1
    found: list[Letter] = []
    for _ in range(_LOOKED_AT):
        letter = await letters.next(place, question.durable)
        if letter is None:
            return await _page(replays, found, None)
        place = letter.sequence + 1
        if _visible(letter, question.tenants):
            found.append(letter)
        if len(found) == question.limit:
            break
    return await _page(replays, found, str(place))


async def read_letter(letters: Letters, replays: Replays, question: OneDeadLetter) -> DeadLetterContent:
    """A letter with all it holds. Raises ProblemError when there is none the asker may see."""
    letter = await _find(letters, question)
    replayed = await replays.of([letter.id])
    headers = {name: value for name, value in letter.headers.items() if name.lower().startswith(names.KEPT_HEADERS)}
    payload = base64.b64encode(letter.payload).decode()
    return DeadLetterContent(letter=_view(letter, replayed.get(letter.id)), headers=headers, payload=payload)


async def replay_letter(
    letters: Letters, replays: Replays, clock: Clock, question: OneDeadLetter, caller: Caller
) -> DeadLetter:
    """Send it again, once: a letter that was replayed is returned as it is. If it fails again there is a new letter."""
    letter = await _find(letters, question)
    done = (await replays.of([letter.id])).get(letter.id)
    if done is None:
        try:
            await letters.publish_again(letter)
        except Refused as error:
            raise conflict(f"The bus refuses this message: {error}") from error
        replay = Replay(clock.now(), caller.subject)
        done = await replays.mark(letter.id, replay, [_told(letter, replay, caller)])
    return _view(letter, done)


def _told(letter: Letter, replay: Replay, caller: Caller) -> AuditRecorded:
    """A letter that names no tenant, or what cannot be one, belongs to the installation as a whole."""
    tenant = letter.tenant if _SLUG.fullmatch(letter.tenant) else ANY_TENANT
    facts = {"durable": letter.durable, "subject": letter.headers.get(names.SUBJECT, "")}
    return recorded(AuditAction.DEAD_LETTER_REPLAY, letter.id, tenant=tenant, caller=caller, at=replay.at, after=facts)


async def _find(letters: Letters, question: OneDeadLetter) -> Letter:
    sequence = question.id.partition("-")[0]
    if sequence.isascii() and sequence.isdigit():
        letter = await letters.next(int(sequence))
        if letter is not None and letter.id == question.id and _visible(letter, question.tenants):
            return letter
    raise not_found("Dead letter")


def _visible(letter: Letter, tenants: Collection[str] | None) -> bool:
    return tenants is None or letter.tenant in tenants


async def _page(replays: Replays, found: list[Letter], cursor: str | None) -> Listing[DeadLetter]:
    replayed = await replays.of([letter.id for letter in found])
    return Listing[DeadLetter](items=tuple(_view(one, replayed.get(one.id)) for one in found), cursor=cursor)


def _view(letter: Letter, replay: Replay | None) -> DeadLetter:
    deliveries = letter.headers.get(names.DELIVERIES, "")
    return DeadLetter(
        id=letter.id,
        durable=letter.durable,
        tenant=letter.tenant,
        subject=letter.headers.get(names.SUBJECT, ""),
        reason=letter.headers.get(names.REASON, ""),
        deliveries=int(deliveries) if deliveries.isdigit() else 0,
        size=len(letter.payload),
        buried_at=letter.at,
        replayed_at=None if replay is None else replay.at,
        replayed_by=None if replay is None else replay.by,
    )
