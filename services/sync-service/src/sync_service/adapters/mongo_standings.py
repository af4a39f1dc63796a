"""Where each tenant's sync stands, in MongoDB; each write is one document, its events included."""

import secrets
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime

from chassis.bus import Bus
from chassis.clock import Clock
from chassis.documents import Document, upgraded
from chassis.pending import PendingEvents
from chassis.versioned import VersionedDocuments
from contracts.employees import SyncSettings
from contracts.events import Event
from contracts.names import Role
from sync_service.adapters.mongo_employees import SOURCE
from sync_service.adapters.mongo_store import SCHEMA_VERSION, Store
from sync_service.domain.standing import Numbers, Round, Standing

_BEFORE_LIVES = "first"
"""The life of a standing that was stored when lives had no names."""


class MongoStandings:
    """Implements ports.Standings; `_id` is the tenant."""

    def __init__(self, store: Store, bus: Bus, clock: Clock, grace: float = 5.0) -> None:
        self._standings = store.standings
        self._documents = VersionedDocuments(store.standings, clock, schema=SCHEMA_VERSION, source=SOURCE)
        self.pending = PendingEvents(store.standings, bus, clock, grace)

    async def get(self, tenant: str) -> Standing | None:
        found = await self._standings.find_one({"_id": tenant})
        return None if found is None else _standing(found)

    async def save(self, standing: Standing, events: Sequence[Event] = ()) -> Standing | None:
        saved = replace(standing, version=standing.version + 1, life=standing.life or secrets.token_hex(8))
        fields = _stored(saved)
        known = {name: value for name, value in fields.items() if value is not None}
        if not await self._documents.save(standing.tenant, known, events, dropped=fields.keys() - known.keys()):
            return None
        if events:
            await self.pending.flush(standing.tenant)
        return saved

    async def everything(self) -> Sequence[Standing]:
        return [_standing(each) async for each in self._standings.find({})]

    async def due(self, now: datetime, limit: int) -> Sequence[Standing]:
        return [_standing(each) async for each in self._standings.find({"next_at": {"$lte": now}}).limit(limit)]


def _stored(standing: Standing) -> Document:
    document = asdict(standing)
    document["settings"] = standing.settings.model_dump(mode="json")
    document["numbers"]["roles"] = {role.value: count for role, count in standing.numbers.roles.items()}
    document["recovered"] = list(standing.recovered)
    document["role_groups"] = {role.value: group for role, group in standing.role_groups.items()}
    return document


def _standing(found: Document) -> Standing:
    known = upgraded(found, SCHEMA_VERSION, {}, "standings")
    return Standing(
        tenant=known["tenant"],
        version=known["version"],
        session=known["session"],
        settings=SyncSettings.model_validate(known["settings"]),
        link=known.get("link"),
        round=Round(**known["round"]) if known.get("round") else None,
        groups_link=known.get("groups_link"),
        roles_due=known["roles_due"],
        role_groups={Role(role): group for role, group in known["role_groups"].items()},
        numbers=_numbers(known["numbers"]),
        last_sync_at=known.get("last_sync_at"),
        last_whole_at=known.get("last_whole_at"),
        next_at=known.get("next_at"),
        life=known.get("life", _BEFORE_LIVES),
        recovered=tuple(known.get("recovered", ())),
    )


def _numbers(found: Document) -> Numbers:
    return Numbers(**{**found, "roles": {Role(role): count for role, count in found["roles"].items()}})
