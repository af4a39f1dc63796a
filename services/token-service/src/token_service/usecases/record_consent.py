"""Write into the record of a token who gave the consent it works by."""

from contracts.names import Profile
from token_service.domain.permissions import ConsentGiver
from token_service.ports import Connections

_ATTEMPTS = 5


async def record_consent(connections: Connections, tenant: str, profile: Profile, giver: ConsentGiver) -> None:
    """Keep the name with the token in use, where it stays when that token ends.

    Lost against others again and again, it is left to the next permission check.
    """
    for _ in range(_ATTEMPTS):
        known = await connections.get(tenant, profile)
        if known is None:
            return
        told = known.consented_by(giver.name, giver.source)
        if told is known or await connections.save(told) is not None:
            return
