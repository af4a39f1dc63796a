"""Put a dated note on a profile's token: special incidents, agreements, what the next person should know."""

from dataclasses import replace

from chassis.clock import Clock
from contracts.auditing import AuditAction, recorded
from contracts.caller import Caller
from contracts.names import Profile
from contracts.problem import conflict, not_found
from contracts.redaction import masked
from contracts.tokens import NOTES
from token_service.domain.connection import Connection
from token_service.domain.records import Note
from token_service.ports import Announcements, Connections

_ATTEMPTS = 5


class NoteToken:
    def __init__(self, connections: Connections, announcements: Announcements, clock: Clock) -> None:
        self._connections = connections
        self._announcements = announcements
        self._clock = clock

    async def __call__(self, tenant: str, profile: Profile, text: str, caller: Caller) -> Connection:
        """Add the note; the same words of the same person as the last note are a repeat. Raises ProblemError.

        What looks like a secret in it is masked: a note about a leak must not be one.
        """
        text = masked(text)
        for _ in range(_ATTEMPTS):
            known = await self._connections.get(tenant, profile)
            if known is None:
                raise not_found("token")
            if known.notes and (known.notes[-1].by, known.notes[-1].text) == (caller.subject, text):
                return known
            if len(known.notes) >= NOTES:
                raise conflict(f"the profile has {NOTES} notes already; write into an incident instead")
            note = Note(self._clock.now(), caller.subject, text)
            told = recorded(
                AuditAction.PROFILE_NOTE, profile, tenant=tenant, caller=caller, at=note.at, after={"text": text}
            )
            noted = await self._connections.save(replace(known, notes=(*known.notes, note)), [told])
            if noted is not None:
                self._announcements.soon(noted.id)
                return noted
        raise conflict("the connection is being changed by others; try again")
