"""A person signs in at Microsoft, for what is done as a person: who they are, their roles, what they may do with it.

What is effective is what was consented and what the person's own rights allow. The flow's secrets wait in the
vault; the person's token is used at once and not kept.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import structlog
from pydantic import SecretStr

from chassis.clock import Clock
from chassis.vault import Vault, VaultError
from contracts.names import AdminRole, Answer, PermissionKind, Profile
from contracts.operations.sign_in import FinishSignIn
from contracts.problem import Problem, ProblemError, conflict, not_found, unavailable
from contracts.profiles import CONSENTING_ROLES, PROFILES, SCOPE_ROLES
from contracts.sign_in import ScopeState, SignedInPerson, SignInLink
from token_service.domain import places
from token_service.domain.credential import credential_in
from token_service.ports import AppIdentity, NotSignedIn, People, PersonRoles, Probed, Probes, SignedIn, Tenants

log = structlog.get_logger(__name__)

LIFE = timedelta(minutes=10)
_SCOPES = [permission.name for permission in PROFILES[Profile.DIRECTORY].of_kind(PermissionKind.DELEGATED)]


class SignIn:
    """`new_state` draws a secret of 256 bits; a state begins with its tenant, so that it can be looked up."""

    def __init__(
        self,
        tenants: Tenants,
        vault: Vault,
        *,
        people: People,
        roles: PersonRoles,
        probes: Probes,
        clock: Clock,
        new_state: Callable[[], str],
    ) -> None:
        self._tenants = tenants
        self._vault = vault
        self._people = people
        self._roles = roles
        self._probes = probes
        self._clock = clock
        self._new_state = new_state

    async def start(self, tenant: str, redirect_uri: str) -> SignInLink:
        """Give the URL at which the person signs in. Raises ProblemError."""
        state = f"{tenant}.{self._new_state()}"
        expires_at = self._clock.now().replace(microsecond=0) + LIFE
        try:
            begun = await self._people.begin(await self._app(tenant), _SCOPES, redirect_uri, state)
            if isinstance(begun, NotSignedIn):
                raise unavailable(f"{begun.detail}; try again shortly")
            path = places.sign_in(tenant, _hashed(state))
            await self._vault.kv_metadata(path, max_versions=1, delete_version_after=LIFE)
            kept = {"kept": begun.kept.get_secret_value(), "expires_at": expires_at.isoformat()}
            await self._vault.kv_write(path, kept)
        except VaultError as error:
            raise unavailable("the vault does not answer; try again shortly") from error
        log.info("sign-in begun", tenant=tenant)
        return SignInLink(url=begun.url, expires_at=expires_at)

    async def finish(self, tenant: str, answer: FinishSignIn) -> SignedInPerson:
        """Redeem what the browser brought, once. Raises ProblemError."""
        try:
            kept = await self._taken(tenant, answer.state)
            app = await self._app(tenant)
            signed_in = await self._people.finish(app, kept, _as_msal_wants(answer))
        except VaultError as error:
            raise unavailable("the vault does not answer; try again shortly") from error
        if isinstance(signed_in, NotSignedIn):
            raise _refused(signed_in.detail)
        log.info("person signed in", tenant=tenant)
        return await self._person(tenant, signed_in)

    async def _app(self, tenant: str) -> AppIdentity:
        record = await self._tenants.get(tenant)
        if record is None:
            raise not_found("tenant")
        found = await self._vault.kv_read(places.credentials(tenant, Profile.DIRECTORY))
        credential = None if found is None else credential_in(found[0])
        if found is None or credential is None:
            raise conflict("people sign in with the app of the profile directory, which has no credential yet")
        return AppIdentity(record.entra_tenant_id, str(found[0]["client_id"]), credential)

    async def _taken(self, tenant: str, state: str) -> SecretStr:
        path = places.sign_in(tenant, _hashed(state))
        found = await self._vault.kv_read(path)
        if found is None or datetime.fromisoformat(str(found[0]["expires_at"])) <= self._clock.now():
            raise _not_good()
        # Taken before it is used: of two browsers with one state Microsoft redeems the code of one.
        await self._vault.kv_delete(path)
        return SecretStr(str(found[0]["kept"]))

    async def _person(self, tenant: str, signed_in: SignedIn) -> SignedInPerson:
        roles = await self._roles.of(signed_in.token)
        probed = await self._probes.try_each(_SCOPES, signed_in.token)
        known = roles if roles is not None else frozenset()
        may = Answer.YES if known & CONSENTING_ROLES else Answer.NO
        return SignedInPerson(
            tenant=tenant,
            name=signed_in.name,
            roles=tuple(sorted(known)),
            roles_known=roles is not None,
            may_consent=Answer.UNKNOWN if roles is None else may,
            scopes=tuple(effective_scope(name, signed_in.scopes, roles, probed) for name in _SCOPES),
        )


def effective_scope(
    name: str, consented: frozenset[str], roles: frozenset[AdminRole] | None, probed: Mapping[str, Probed]
) -> ScopeState:
    """What was consented, cut by the person's own rights; a call has the last word on what is left."""
    needed = SCOPE_ROLES.get(name)
    own = Answer.YES
    if needed is not None:
        own = Answer.UNKNOWN if roles is None else Answer.YES if needed & roles else Answer.NO
    granted = Answer.YES if name in consented else Answer.NO
    call = probed.get(name, Probed(Answer.UNKNOWN))
    effective = Answer.NO if Answer.NO in (granted, own) else call.answer
    return ScopeState(name=name, consented=granted, own=own, effective=effective, detail=call.detail)


def _as_msal_wants(answer: FinishSignIn) -> dict[str, str]:
    if answer.error:
        return {"state": answer.state, "error": answer.error, "error_description": answer.error_description}
    return {"state": answer.state, "code": answer.code}


def _hashed(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()


def _not_good() -> ProblemError:
    """One answer for unknown, used and too late: nobody learns which."""
    title, detail = "This sign-in is not valid any more", "Ask for a new link."
    return ProblemError(Problem(code="sign-in-state", status=422, title=title, detail=detail))


def _refused(detail: str) -> ProblemError:
    title = "Nobody was signed in"
    return ProblemError(Problem(code="sign-in-refused", status=422, title=title, detail=detail))
