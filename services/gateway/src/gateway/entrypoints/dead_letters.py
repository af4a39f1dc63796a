"""Messages that nobody could process: look at them, and send them again."""

from typing import Annotated

from fastapi import Query
from pydantic import ConfigDict

from contracts import rpc
from contracts.dead_letters import DeadLetter, DeadLetterContent
from contracts.names import Token
from contracts.views import Listing
from gateway.domain import Asking
from gateway.entrypoints.backups import Id
from gateway.entrypoints.gate import Api, Asked, Gated

api = Api("dead letters")


class DeadLettersQuery(rpc.Page):
    model_config = ConfigDict(frozen=True, extra="forbid")

    durable: Token | None = None


@api.route("list_dead_letters")
async def list_dead_letters(
    gate: Gated, asking: Asked, query: Annotated[DeadLettersQuery, Query()]
) -> Listing[DeadLetter]:
    """List dead letters of your tenants, oldest first.

    A page may be empty and still have a next one. Letters that name no tenant are shown to tokens for every tenant.
    """
    question = rpc.DeadLettersOf(**query.model_dump(), tenants=_seen_by(asking))
    return await gate.services.ask(rpc.DEAD_LETTER_LIST, None, question, asking)


@api.route("get_dead_letter")
async def get_dead_letter(gate: Gated, asking: Asked, letter: Id) -> DeadLetterContent:
    """Show a dead letter with its headers and its payload in base64."""
    question = rpc.OneDeadLetter(id=letter, tenants=_seen_by(asking))
    return await gate.services.ask(rpc.DEAD_LETTER_GET, None, question, asking)


@api.route("replay_dead_letter")
async def replay_dead_letter(gate: Gated, asking: Asked, letter: Id) -> DeadLetter:
    """Send a dead letter again to where it came from, once.

    Repeat it after a time-out: it has effect once. If it fails again, a new dead letter says why.
    """
    question = rpc.OneDeadLetter(id=letter, tenants=_seen_by(asking))
    return await gate.services.ask(rpc.DEAD_LETTER_REPLAY, None, question, asking)


def _seen_by(asking: Asking) -> tuple[str, ...] | None:
    caller = asking.caller
    return None if caller.covers_all() else tuple(sorted(slug for slug in caller.tenants if caller.covers(slug)))
