"""Compare what a profile needs with what was granted, what its token tells and what Graph lets through.

Run after a credential was set, when consent changes, on a complaint about a token, daily and on demand. What could not
be read or tried is unknown, never missing. Something needed that is missing puts the token itself to the proof, which
ends in `consent_required` and holds the jobs.
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from pydantic import SecretStr

from chassis.clock import Clock
from chassis.vault import Vault, VaultError
from contracts.auditing import AuditAction, recorded
from contracts.caller import Caller
from contracts.events import Event
from contracts.events.tokens import PermissionDrift
from contracts.names import Answer, ConsentSource, PermissionFinding, Profile
from contracts.problem import conflict, not_found
from contracts.profiles import PROFILES
from token_service.domain import places
from token_service.domain.connection import Connection
from token_service.domain.permissions import CheckPolicy, ConsentGiver, PermissionRecord, compare, roles_in
from token_service.ports import (
    Announcements,
    Connections,
    Granted,
    Grants,
    PermissionRecords,
    Probes,
    Unreadable,
)
from token_service.usecases.record_consent import record_consent
from token_service.usecases.renew_tokens import RenewTokens

log = structlog.get_logger(__name__)

_PER_ROUND = 8
_ATTEMPTS = 5


class CheckPermissions:
    def __init__(
        self,
        *,
        connections: Connections,
        records: PermissionRecords,
        vault: Vault,
        grants: Grants,
        probes: Probes,
        renew: RenewTokens,
        announcements: Announcements,
        clock: Clock,
        rng: random.Random,
        policy: CheckPolicy,
    ) -> None:
        self._connections = connections
        self._records = records
        self._vault = vault
        self._grants = grants
        self._probes = probes
        self._renew = renew
        self._announcements = announcements
        self._clock = clock
        self._rng = rng
        self._policy = policy
        self._looked = float("-inf")

    async def __call__(self, tenant: str, profile: Profile) -> PermissionRecord:
        """Check one profile now. Raises ProblemError: not_found without a credential, conflict when it is contended."""
        for _ in range(_ATTEMPTS):
            connection = await self._connections.get(tenant, profile)
            if connection is None or connection.client_id is None:
                raise not_found("credential of this profile")
            known = await self._records.get(tenant, profile) or PermissionRecord(tenant, profile)
            checked = await self._check(known, connection, connection.client_id)
            if checked is not None:
                return checked
        raise conflict("the check is being made by others; look at its result")

    async def sweep(self) -> int:
        """Make some of the checks that are due, after a look at which connections changed since theirs."""
        if self._clock.monotonic() - self._looked >= self._policy.look:
            self._looked = self._clock.monotonic()
            await self._look()
        due = await self._records.due(self._clock.now(), _PER_ROUND)
        return sum([await self._due(record) for record in due])

    async def complained(self, tenant: str, profile: Profile) -> None:
        """Ask for a check soon: Graph refused the token of this profile, or a call with it."""
        now = self._clock.now()
        record = await self._records.get(tenant, profile)
        if record is None or record.checked_at is None:
            return  # the first check comes by itself
        earliest = max(now, record.checked_at + timedelta(seconds=self._policy.calm))
        # Lost against another writer: that one has just checked, or asked for a check as well.
        await self._records.save(record.wanted(earliest))

    async def name_giver(self, tenant: str, profile: Profile, giver: ConsentGiver, caller: Caller) -> PermissionRecord:
        """Keep who consented as a person typed it in; what the directory audit says takes its place."""
        event = recorded(
            AuditAction.PROFILE_NAME_CONSENT_GIVER,
            profile.value,
            tenant=tenant,
            caller=caller,
            at=self._clock.now(),
            after={"name": giver.name, "at": None if giver.at is None else giver.at.isoformat()},
        )
        for _ in range(_ATTEMPTS):
            record = await self._records.get(tenant, profile) or PermissionRecord(tenant, profile)
            if record.giver is not None and record.giver.source is ConsentSource.AUDIT:
                raise conflict(f"the directory audit says that {record.giver.name} gave the consent")
            saved = await self._records.save(replace(record, giver=giver), [event])
            if saved is not None:
                self._announcements.soon(saved.id)
                await record_consent(self._connections, tenant, profile, giver)
                return saved
        raise conflict("the record is being changed by others; try again")

    async def _look(self) -> None:
        """Find connections that differ from what their last check saw; a crash before an event loses no check."""
        known = {record.id: record for record in await self._records.everything()}
        connections = [found for found in await self._connections.everything() if found.client_id is not None]
        readers = {found.tenant: found for found in connections if found.profile is Profile.DIRECTORY}
        now = self._clock.now()
        for found in connections:
            record = known.get(found.id) or PermissionRecord(found.tenant, found.profile)
            seen = _state_of(found, readers.get(found.tenant))
            if record.seen != seen:
                await self._records.save(replace(record, seen=seen).wanted(now))

    async def _due(self, record: PermissionRecord) -> int:
        claimed = await self._records.save(replace(record, due_at=self._after(self._policy.claim)))
        connection = await self._connections.get(record.tenant, record.profile)
        if claimed is None or connection is None or connection.client_id is None:
            return 0
        await self._check(claimed, connection, connection.client_id)
        return 1

    async def _check(self, record: PermissionRecord, connection: Connection, client_id: str) -> PermissionRecord | None:
        tenant, profile = connection.tenant, connection.profile
        token, unusable = await self._token(tenant, profile)
        reader, _ = (token, "") if profile is Profile.DIRECTORY else await self._token(tenant, Profile.DIRECTORY)
        granted = await self._granted(tenant, client_id, reader)
        known = granted if isinstance(granted, Granted) else Granted(None)
        wanted = PROFILES[profile]
        probed = {} if token is None else await self._probes.try_each(sorted(wanted.allowed), token)
        readable = isinstance(granted, Granted)
        now = self._clock.now()
        found = replace(
            record,
            checked_at=now,
            states=compare(
                wanted,
                known.application if readable else None,
                known.delegated if readable and known.principal_id is not None else None,
                None if token is None else roles_in(token.get_secret_value()),
                {name: (one.answer, one.detail) for name, one in probed.items()},
            ),
            detail=granted.detail if isinstance(granted, Unreadable) else unusable,
            principal_id=known.principal_id if readable else record.principal_id,
            application=_known(known.principal_id is not None, readable=readable),
            enabled=_known(known.enabled, readable=readable and known.principal_id is not None),
            giver=known.giver or record.giver,
        )
        # Of a profile that is out of use only its grants can be known.
        settled = found.in_order is Answer.YES or connection.retired is not None
        found = replace(found, due_at=self._after(self._policy.interval if settled else self._policy.retry))
        saved = await self._save(record, found, now)
        if saved is not None and saved.giver is not None:
            await record_consent(self._connections, tenant, profile, saved.giver)
        if saved is not None and found.needs_proof:
            await self._prove(connection)
        return saved

    async def _save(self, before: PermissionRecord, after: PermissionRecord, now: datetime) -> PermissionRecord | None:
        events: Sequence[Event] = ()
        if before.findings() != after.findings():
            after = replace(after, change=before.change + 1)
            events = [
                PermissionDrift(
                    tenant=after.tenant,
                    at=now,
                    profile=after.profile,
                    missing=after.named(PermissionFinding.MISSING),
                    excess=after.named(PermissionFinding.EXCESS),
                    not_effective=after.named(PermissionFinding.NOT_EFFECTIVE),
                    change=after.change,
                )
            ]
        saved = await self._records.save(after, events)
        if saved is not None and events:
            self._announcements.soon(saved.id)
        answer = after.in_order.value
        log.info("permissions checked", tenant=after.tenant, profile=after.profile.value, in_order=answer)
        return saved

    async def _prove(self, connection: Connection) -> None:
        """Have the token proven at once, unless that was the verdict already."""
        current = await self._connections.get(connection.tenant, connection.profile)
        if current is None or current.retired is not None:
            return
        if current.consent_missing or current.is_claimed(self._clock.now()):
            return
        if await self._connections.save(replace(current, proof_wanted=True).due(self._clock.now())) is not None:
            await self._renew.now(connection.tenant, connection.profile)

    async def _token(self, tenant: str, profile: Profile) -> tuple[SecretStr | None, str]:
        """The stored token, or None and why there is no usable one."""
        try:
            found = await self._vault.kv_read(places.token(tenant, profile))
        except VaultError as error:
            return None, f"vault: {type(error).__name__}"
        if found is None:
            return None, "no token"
        expires_at = datetime.fromisoformat(str(found[0]["expires_at"]))
        if expires_at <= self._clock.now():
            return None, "the token has expired"
        return SecretStr(str(found[0]["access_token"])), ""

    async def _granted(self, tenant: str, client_id: str, reader: SecretStr | None) -> Granted | Unreadable:
        if reader is None:
            return Unreadable("the profile directory, which reads the grants of all, has no valid token")
        granted = await self._grants.read(client_id, reader)
        if isinstance(granted, Unreadable) and granted.rejected:
            renewed = await self._renewed(tenant, reader)
            return granted if renewed is None else await self._grants.read(client_id, renewed)
        return granted

    async def _renewed(self, tenant: str, refused: SecretStr) -> SecretStr | None:
        """Have the reader's token renewed that Graph refused; nobody else may be there to complain about it."""
        known = await self._connections.get(tenant, Profile.DIRECTORY)
        if known is None or known.retired is not None or known.is_claimed(self._clock.now()):
            return None
        if await self._connections.save(known.due(self._clock.now())) is None:
            return None
        await self._renew.now(tenant, Profile.DIRECTORY)
        token, _ = await self._token(tenant, Profile.DIRECTORY)
        return None if token is None or token.get_secret_value() == refused.get_secret_value() else token

    def _after(self, seconds: float) -> datetime:
        """A tenth more at random keeps the checks of many tenants apart."""
        return self._clock.now() + timedelta(seconds=seconds * self._rng.uniform(1.0, 1.1))


def _known(value: bool, *, readable: bool) -> Answer:  # noqa: FBT001 - the value is the thing
    if not readable:
        return Answer.UNKNOWN
    return Answer.YES if value else Answer.NO


def _state_of(connection: Connection, reader: Connection | None) -> str:
    """What a check depends on: the profile's own credential and consent, and those of the profile that reads grants."""
    return "|".join(_facts_of(each) for each in (connection, reader) if each is not None)


def _facts_of(connection: Connection) -> str:
    # Where optional workloads are missing every renewal proves the rest anew, which is no news.
    proven_at = None if connection.without else connection.consent_proven_at
    usable = connection.token is not None and connection.retired is None
    number = None if connection.record is None else connection.record.number
    return f"{connection.client_id} {number} {connection.consent_missing} {proven_at} {usable}"
