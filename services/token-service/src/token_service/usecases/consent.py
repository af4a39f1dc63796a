"""Admin consent: send an administrator to Microsoft, take what comes back as a hint, and let Graph decide.

The state in the URL is 256 random bits, kept as a hash, good once and for ten minutes. The redirect is never trusted:
anybody can write one. A grant counts when a token that was obtained for the registered tenant gets through to every
workload of the profile; until then the profile stays `consent_required` and the proof is repeated by the renewals.
"""

import asyncio
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlencode

import structlog

from chassis.clock import Clock
from contracts import rpc
from contracts.auditing import AuditAction, recorded
from contracts.caller import Caller
from contracts.names import ConsentOutcome
from contracts.problem import Problem, ProblemError, conflict, invalid, not_found
from contracts.views import ConsentLink, ConsentResult
from token_service.domain.connection import Connection, ConsentAttempt
from token_service.ports import Announcements, Connections, Tenants
from token_service.usecases.renew_tokens import RenewTokens

log = structlog.get_logger(__name__)

LIFE = timedelta(minutes=10)
_ATTEMPTS = 5
_DECLINED = frozenset({"access_denied", "permission_denied"})
_DECLINED_NUMBER = "AADSTS65004"
_NUMBER = re.compile(r"AADSTS[0-9]{4,8}")
_WORD = re.compile(r"[a-z_]{1,60}")


class Consent:
    """`authority_url` and `scope` are those tokens are asked for with; `new_state` draws a secret of 256 bits.

    `patience` (seconds) bounds the first proof, so that the asker hears the outcome in time.
    """

    def __init__(
        self,
        *,
        tenants: Tenants,
        connections: Connections,
        renew: RenewTokens,
        announcements: Announcements,
        clock: Clock,
        authority_url: str,
        scope: str,
        new_state: Callable[[], str],
        patience: float = 3.5,
    ) -> None:
        self._tenants = tenants
        self._connections = connections
        self._renew = renew
        self._announcements = announcements
        self._clock = clock
        self._authority_url = authority_url.rstrip("/")
        self._scope = scope
        self._new_state = new_state
        self._patience = patience

    async def start(self, tenant: str, wish: rpc.StartConsent, caller: Caller) -> ConsentLink:
        """Give the URL for an administrator; an earlier one of the profile stops working. Raises ProblemError."""
        record = await self._tenants.get(tenant)
        if record is None:
            raise not_found("tenant")
        # Whole seconds, because documents keep no microseconds: askers know their link again by its end.
        state, now = self._new_state(), self._clock.now().replace(microsecond=0)
        for _ in range(_ATTEMPTS):
            known = await self._connections.get(tenant, wish.profile) or Connection(tenant, wish.profile)
            client_id = wish.client_id or known.client_id
            if client_id is None:
                raise invalid("this profile has no credential yet: name the client id of its app registration")
            attempt = ConsentAttempt(_hashed(state), client_id, now, now + LIFE)
            told = recorded(
                AuditAction.PROFILE_ASK_CONSENT,
                wish.profile,
                tenant=tenant,
                caller=caller,
                at=now,
                after={"client_id": client_id, "until": attempt.expires_at.isoformat()},
            )
            asked_for = await self._connections.save(replace(known, consent=attempt), [told])
            if asked_for is None:
                continue
            self._announcements.soon(asked_for.id)
            log.info("consent asked for", tenant=tenant, profile=wish.profile.value, client_id=client_id)
            asked = {"client_id": client_id, "scope": self._scope, "redirect_uri": wish.redirect_uri, "state": state}
            url = f"{self._authority_url}/{record.entra_tenant_id}/v2.0/adminconsent?{urlencode(asked)}"
            return ConsentLink(url=url, expires_at=attempt.expires_at)
        raise conflict("the connection is being changed by others; ask for consent again")

    async def finish(self, answer: rpc.FinishConsent, caller: Caller) -> ConsentResult:
        """Use up the state and prove what the redirect says. Raises ProblemError for a state that is not good."""
        connection = await self._connections.awaiting(_hashed(answer.state))
        attempt = None if connection is None else connection.consent
        if connection is None or attempt is None or attempt.outcome is not ConsentOutcome.WAITING:
            raise _not_good()
        outcome, detail = self._reported(attempt, answer)
        granted_at = self._clock.now() if outcome is ConsentOutcome.GRANTED else None
        asked = replace(connection, consent=replace(attempt, granted_at=granted_at))
        answered = asked.consent_answered(outcome, detail)
        to_prove = outcome is ConsentOutcome.GRANTED and attempt.client_id == connection.client_id
        if to_prove:
            answered = replace(answered, proof_wanted=True).due(self._clock.now())
        told = recorded(
            AuditAction.PROFILE_ANSWER_CONSENT,
            connection.profile,
            tenant=connection.tenant,
            caller=caller,
            at=self._clock.now(),
            after={"client_id": attempt.client_id, "outcome": outcome.value, "detail": detail},
        )
        if await self._connections.save(answered, [told]) is None:
            raise await self._lost(answer)
        self._announcements.soon(connection.id)
        log.info("consent answered", tenant=connection.tenant, profile=connection.profile.value, outcome=outcome.value)
        if to_prove:
            await self._prove(connection)
        return await self._result(connection)

    def _reported(self, attempt: ConsentAttempt, answer: rpc.FinishConsent) -> tuple[ConsentOutcome, str]:
        """Look at `error` first: a refusal says `admin_consent=True` as well (identity-platform/v2-admin-consent)."""
        if attempt.expires_at <= self._clock.now():
            return ConsentOutcome.EXPIRED, ""
        if answer.error or answer.admin_consent.lower() != "true":
            word, number = _WORD.fullmatch(answer.error), _NUMBER.search(answer.error_description)
            detail = " ".join(found[0] for found in (word, number) if found)
            declined = answer.error in _DECLINED or (number is not None and number[0] == _DECLINED_NUMBER)
            return ConsentOutcome.DECLINED if declined else ConsentOutcome.FAILED, detail
        return ConsentOutcome.GRANTED, ""

    async def _lost(self, answer: rpc.FinishConsent) -> ProblemError:
        """Tell a used state from a renewal that happened to write at the same moment."""
        current = await self._connections.awaiting(_hashed(answer.state))
        if current is None or current.consent is None or current.consent.outcome is not ConsentOutcome.WAITING:
            return _not_good()
        return conflict("the connection is being changed; load the page again")

    async def _prove(self, connection: Connection) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await self._renew.now(connection.tenant, connection.profile)
        except TimeoutError:
            log.info("consent not proven in time", tenant=connection.tenant, profile=connection.profile.value)

    async def _result(self, connection: Connection) -> ConsentResult:
        current = await self._connections.get(connection.tenant, connection.profile)
        attempt = None if current is None else current.consent
        if attempt is None:
            raise conflict("the connection changed meanwhile; look at the state of its token")
        return ConsentResult(
            tenant=connection.tenant, profile=connection.profile, outcome=attempt.outcome, detail=attempt.detail
        )


def _hashed(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()


def _not_good() -> ProblemError:
    """One answer for unknown, used and replaced: nobody learns which."""
    return ProblemError(
        Problem(
            code="consent-state",
            status=422,
            title="This consent link is not valid any more",
            detail="It was used, replaced by a newer one, or never given out: ask for consent again.",
        )
    )
