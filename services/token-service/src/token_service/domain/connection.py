"""A connection: one app profile of one tenant, with what is known about its token. Never the token itself."""

import hashlib
import random
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from contracts.errors import ErrorClass
from contracts.names import ConsentOutcome, ConsentSource, Profile, RecordEnd, TokenStatus
from token_service.domain.credential import ClientSecret, Credential, VaultKey, thumbprint_of
from token_service.domain.records import CredentialExpiry, KeyOffer, Note, Retirement, TokenRecord

Result = Literal["renewed", "refused", "no_answer", "vault", "superseded"]
"""How an attempt to renew a token ended; dashboards key on these words."""
RESULTS: tuple[Result, ...] = ("renewed", "refused", "no_answer", "vault", "superseded")


def fingerprint(token: str) -> str:
    """Give the first 16 hex digits of the SHA-256: tells tokens apart and is useless to a thief."""
    return hashlib.sha256(token.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class TokenFacts:
    """What may be known about a token by everybody. `generation` counts from 1 per connection."""

    generation: int
    fingerprint: str
    acquired_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class Trouble:
    """Why the last acquisition failed; `detail` is for people and holds no secret."""

    error: ErrorClass
    detail: str
    since: datetime


@dataclass(frozen=True)
class ConsentAttempt:
    """A request for admin consent. `state` is the SHA-256 (hex) of what the redirect must bring back, once."""

    state: str
    client_id: str
    asked_at: datetime
    expires_at: datetime
    outcome: ConsentOutcome = ConsentOutcome.WAITING
    detail: str = ""
    granted_at: datetime | None = None
    effective_at: datetime | None = None

    @property
    def effective_seconds(self) -> float | None:
        """From the redirect that said granted to the first proof that it is; None before there was one."""
        if self.granted_at is None or self.effective_at is None:
            return None
        return (self.effective_at - self.granted_at).total_seconds()


_REPORTED = frozenset({ConsentOutcome.GRANTED, ConsentOutcome.NOT_EFFECTIVE})
"""The redirect said granted; from here on Graph's answers decide."""


@dataclass(frozen=True)
class RenewalPolicy:
    """When to renew and when to try again; durations in seconds.

    A token is renewed after `share` of its life, spread by `jitter` of it, and at the latest after `longest`
    (the vault forgets tokens after two hours). What is left of its life is the reserve for an outage.
    """

    share: float = 0.6
    jitter: float = 0.1
    longest: float = 5_400.0
    retry_base: float = 5.0
    retry_cap: float = 300.0
    claim: float = 60.0
    rejected_pause: float = 5.0

    def due_after(self, lifetime: float, rng: random.Random) -> float:
        """Give the seconds after which a token of `lifetime` seconds is renewed."""
        # The floor keeps a token that is born expired from being asked for without a pause.
        return min(max(lifetime * (self.share + rng.uniform(0.0, self.jitter)), 1.0), self.longest)

    def retry_after(self, failures: int, rng: random.Random) -> float:
        """Give the seconds until the next attempt after so many failures in a row, 1 or more."""
        ceiling = min(self.retry_cap, self.retry_base * 2.0 ** (min(failures, 20) - 1))
        return ceiling * rng.uniform(0.5, 1.0)


_KEPT_RECORDS = 50

_EXPIRING_SHARE = 0.25
"""With less than this share of its life left a token should long have been renewed."""


@dataclass(frozen=True)
class Connection:
    """State of one profile. `version` is the fence: a save is accepted only on the version that was read."""

    tenant: str
    profile: Profile
    version: int = 0
    client_id: str | None = None
    intake: str | None = None
    proven_at: datetime | None = None
    token: TokenFacts | None = None
    trouble: Trouble | None = None
    failures: int = 0
    due_at: datetime | None = None
    claimed_until: datetime | None = None
    consent: ConsentAttempt | None = None
    consent_proven_at: datetime | None = None
    without: tuple[str, ...] = ()
    """Optional workloads that the last proof did not get into, with Graph's code; the proof is repeated for them."""
    proof_wanted: bool = False
    """The next token counts only when Graph lets it into every workload of the profile."""
    records: tuple[TokenRecord, ...] = ()
    """Oldest first; the last one is in use unless it has ended."""
    notes: tuple[Note, ...] = ()
    expiry: CredentialExpiry | None = None
    """Of the credential in use; None until it was looked for."""
    retired: Retirement | None = None
    """Set until a new token is generated: nothing renews it, and what the vault holds is destroyed when it is due."""
    keys: int = 0
    """Numbers given to keys in the vault so far; none is given twice."""
    key: int | None = None
    """The one the app signs in with; None: it signs in with something else."""
    offered: KeyOffer | None = None
    spent_keys: tuple[int, ...] = ()
    """Keys in the vault that nothing needs any more; each is destroyed before it leaves this list."""

    @property
    def record(self) -> TokenRecord | None:
        """The record of the credential in use."""
        return self.records[-1] if self.records and self.records[-1].ended is None else None

    @property
    def consent_missing(self) -> bool:
        """Tell whether the last word, of sign-in or of Graph, was that consent is missing."""
        return self.trouble is not None and self.trouble.error is ErrorClass.CONSENT_REQUIRED

    @property
    def id(self) -> str:
        return f"{self.tenant}/{self.profile}"

    def status(self, now: datetime) -> TokenStatus:
        """Tell what an administrator needs to know; without a token and without a verdict it is unknown."""
        if self.retired is not None:
            return TokenStatus.UNKNOWN if self.retired.end is RecordEnd.DELETED else TokenStatus.DEACTIVATED
        if self.consent_missing:
            return TokenStatus.CONSENT_REQUIRED
        if self.token is None:
            return TokenStatus.UNKNOWN
        left = self.token.expires_at - now
        if left <= timedelta(0):
            return TokenStatus.EXPIRED
        life = self.token.expires_at - self.token.acquired_at
        return TokenStatus.EXPIRING if left < life * _EXPIRING_SHARE else TokenStatus.ACTIVE

    def is_due(self, now: datetime) -> bool:
        return self.due_at is not None and self.due_at <= now

    def claimed(self, until: datetime) -> "Connection":
        """Reserve the renewal for one worker; when it dies the connection is due again at `until`."""
        return replace(self, due_at=until, claimed_until=until)

    def is_claimed(self, now: datetime) -> bool:
        """Tell whether somebody is renewing the token right now."""
        return self.claimed_until is not None and self.claimed_until > now

    def due(self, at: datetime) -> "Connection":
        """Ask for a renewal at `at`, or earlier if one is planned earlier."""
        return replace(self, due_at=at if self.due_at is None else min(at, self.due_at))

    def renewed(
        self, client_id: str, token: str, *, now: datetime, expires_at: datetime, due_at: datetime
    ) -> "Connection":
        """Record a new token as the next generation."""
        generation = 1 if self.token is None else self.token.generation + 1
        return replace(
            self,
            client_id=client_id,
            proven_at=now,
            token=TokenFacts(generation, fingerprint(token), now, expires_at),
            trouble=None,
            failures=0,
            due_at=due_at,
            claimed_until=None,
            consent_proven_at=self.consent_proven_at if client_id == self.client_id else None,
        )

    def offering(self, offer: KeyOffer) -> "Connection":
        """Wait for the certificate of a new key to be uploaded; a key offered before is not needed any more."""
        before = None if self.offered is None else self.offered.number
        return replace(self, keys=offer.number, offered=offer, spent_keys=self._spent(before))

    def generated(self, client_id: str, credential: Credential, *, by: str, now: datetime) -> "Connection":
        """Begin the record of a credential that was just proven; the one before is replaced, and nothing is retired."""
        past = self._ended(RecordEnd.REPLACED, by, now)
        number = past[-1].number + 1 if past else 1
        key = credential.number if isinstance(credential, VaultKey) else None
        thumbprint = "" if isinstance(credential, ClientSecret) else thumbprint_of(credential.certificate)
        record = TokenRecord(number, client_id, credential.kind, now, by, thumbprint=thumbprint, key=key)
        taken = self.offered is not None and self.offered.number == key
        return replace(
            self,
            records=(*past, record)[-_KEPT_RECORDS:],
            retired=None,
            expiry=None,
            key=key,
            offered=None if taken else self.offered,
            spent_keys=self._spent(self.key),
        )

    def switched_off(self, retirement: Retirement) -> "Connection":
        """Take the token out of use. Of a deleted one records, notes and generation stay, and nothing else."""
        off = replace(
            self,
            records=self._ended(retirement.end, retirement.by, retirement.at),
            key=None,
            offered=None,
            spent_keys=self._spent(self.key, None if self.offered is None else self.offered.number),
            retired=retirement,
            trouble=None,
            failures=0,
        )
        if retirement.end is not RecordEnd.DELETED:
            return off
        return replace(off, client_id=None, consent=None, consent_proven_at=None, proven_at=None, without=())

    def _ended(self, end: RecordEnd, by: str, now: datetime) -> tuple[TokenRecord, ...]:
        return (*self.records[:-1], self.records[-1].closed(end, by, now)) if self.records else ()

    def _spent(self, *keys: int | None) -> tuple[int, ...]:
        return (*self.spent_keys, *(key for key in keys if key is not None))

    def keys_destroyed(self, numbers: Collection[int], now: datetime) -> "Connection":
        """Record that the vault does not hold these spent keys any more."""
        records = tuple(
            replace(record, key_destroyed_at=now) if record.key in numbers else record for record in self.records
        )
        left = tuple(number for number in self.spent_keys if number not in numbers)
        return replace(self, records=records, spent_keys=left)

    def consented_by(self, name: str, source: ConsentSource) -> "Connection":
        """Write into the record in use who gave the consent."""
        record = self.record
        if record is None or (record.consent_by, record.consent_source) == (name, source):
            return self
        return replace(self, records=(*self.records[:-1], replace(record, consent_by=name, consent_source=source)))

    def emptied(self) -> "Connection":
        """Record that the vault holds nothing of a retired token any more."""
        return replace(self, due_at=None, claimed_until=None)

    def proven(self, now: datetime, without: tuple[str, ...] = ()) -> "Connection":
        """Record that Graph let the app into every workload of the profile, but for some optional ones."""
        effective = self._consent(ConsentOutcome.EFFECTIVE, "")
        if effective.consent is not None and effective.consent is not self.consent:
            effective = replace(effective, consent=replace(effective.consent, effective_at=now))
        return replace(effective, consent_proven_at=now, proof_wanted=False, without=without)

    def _consent(self, outcome: ConsentOutcome, detail: str) -> "Connection":
        if self.consent is None or self.consent.outcome not in _REPORTED:
            return self
        return self.consent_answered(outcome, detail)

    def consent_answered(self, outcome: ConsentOutcome, detail: str) -> "Connection":
        """Record what became of the attempt; nothing happens without one."""
        if self.consent is None:
            return self
        return replace(self, consent=replace(self.consent, outcome=outcome, detail=detail))

    def failed(self, error: ErrorClass, detail: str, *, now: datetime, retry_at: datetime) -> "Connection":
        """Record a failed acquisition; the last good token stays what it is."""
        same = self.trouble is not None and self.trouble.error is error
        since = self.trouble.since if same and self.trouble is not None else now
        denied = error is ErrorClass.CONSENT_REQUIRED
        return replace(
            self._consent(ConsentOutcome.NOT_EFFECTIVE, detail) if denied else self,
            trouble=Trouble(error, detail, since),
            failures=self.failures + 1,
            due_at=retry_at,
            claimed_until=None,
            proof_wanted=self.proof_wanted or denied,
        )
