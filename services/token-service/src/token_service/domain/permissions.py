"""The permission check: what a profile needs, what was granted, what the token tells and what Graph lets through."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from contracts.names import Answer, ConsentSource, PermissionFinding, PermissionKind, Profile
from contracts.permissions import PermissionState
from contracts.profiles import AppPermission, AppProfile

_SIGN_IN = frozenset({"openid", "profile", "email", "offline_access"})
"""Scopes of the sign-in itself: nobody's permission."""

Effect = Mapping[str, tuple[Answer, str]]
"""Per permission whether Graph let a call through, and its code."""


@dataclass(frozen=True)
class ConsentGiver:
    """Who gave the admin consent; `at` is when, as far as known."""

    name: str
    source: ConsentSource
    at: datetime | None = None


@dataclass(frozen=True)
class CheckPolicy:
    """When to check; durations in seconds.

    `interval`: from one check to the next; `retry`: when something stayed unknown or was found; `claim`: until another
    replica takes over; `look`: between two looks at what changed; `calm`: from a check to one after a complaint.
    """

    interval: float = 86_400.0
    retry: float = 900.0
    claim: float = 30.0
    look: float = 5.0
    calm: float = 30.0


@dataclass(frozen=True)
class PermissionRecord:
    """The last check of one connection. `version` is the fence: a save is accepted only on the version that was read.

    `seen` is the state of the connection it was made for: when that differs, a check is due. `change` counts the
    times that the findings changed.
    """

    tenant: str
    profile: Profile
    version: int = 0
    due_at: datetime | None = None
    seen: str = ""
    checked_at: datetime | None = None
    states: tuple[PermissionState, ...] = ()
    detail: str = ""
    principal_id: str | None = None
    application: Answer = Answer.UNKNOWN
    enabled: Answer = Answer.UNKNOWN
    giver: ConsentGiver | None = None
    change: int = 0

    @property
    def id(self) -> str:
        return f"{self.tenant}/{self.profile}"

    def findings(self) -> frozenset[tuple[PermissionFinding, str]]:
        return frozenset((state.finding, state.name) for state in self.states if state.finding is not None)

    def named(self, finding: PermissionFinding) -> tuple[str, ...]:
        """The permissions with this finding, sorted."""
        return tuple(sorted(name for kind, name in self.findings() if kind is finding))

    @property
    def in_order(self) -> Answer:
        """Yes only when everything needed was seen to be granted and let through."""
        if self.findings() or self.enabled is Answer.NO:
            return Answer.NO
        needed = [state for state in self.states if state.kind is PermissionKind.APPLICATION and not state.optional]
        proven = all(state.granted is Answer.YES and state.effective is Answer.YES for state in needed)
        return Answer.YES if needed and proven else Answer.UNKNOWN

    @property
    def needs_proof(self) -> bool:
        """Tell whether something needed was seen to be missing, so that the token itself is in doubt."""
        doubtful = (PermissionFinding.MISSING, PermissionFinding.NOT_EFFECTIVE)
        return any(state.finding in doubtful and not state.optional for state in self.states)

    def wanted(self, at: datetime) -> "PermissionRecord":
        """Ask for a check at `at`, or earlier if one is planned earlier."""
        return replace(self, due_at=at if self.due_at is None else min(at, self.due_at))


def compare(
    profile: AppProfile,
    application: frozenset[str] | None,
    delegated: frozenset[str] | None,
    in_token: frozenset[str] | None,
    effect: Effect,
) -> tuple[PermissionState, ...]:
    """Put the four side by side, one state per permission; None stands for what could not be read."""
    states = [_state(permission, application, delegated, in_token, effect) for permission in profile.permissions]
    expected = {permission.name for permission in profile.of_kind(PermissionKind.DELEGATED)}
    too_much = [(PermissionKind.APPLICATION, name) for name in (application or frozenset()) - profile.allowed]
    too_much += [(PermissionKind.DELEGATED, name) for name in (delegated or frozenset()) - expected - _SIGN_IN]
    excess = [
        PermissionState(
            name=name,
            kind=kind,
            granted=Answer.YES,
            in_token=_among(name, in_token) if kind is PermissionKind.APPLICATION else Answer.UNKNOWN,
            finding=PermissionFinding.EXCESS,
        )
        for kind, name in sorted(too_much)
    ]
    return (*states, *excess)


def _state(
    permission: AppPermission,
    application: frozenset[str] | None,
    delegated: frozenset[str] | None,
    in_token: frozenset[str] | None,
    effect: Effect,
) -> PermissionState:
    of_app = permission.kind is PermissionKind.APPLICATION
    granted = _among(permission.name, application if of_app else delegated)
    effective, detail = effect.get(permission.name, (Answer.UNKNOWN, "")) if of_app else (Answer.UNKNOWN, "")
    return PermissionState(
        name=permission.name,
        kind=permission.kind,
        optional=permission.optional,
        feature=permission.feature,
        granted=granted,
        in_token=_among(permission.name, in_token) if of_app else Answer.UNKNOWN,
        effective=effective,
        finding=_finding(granted, effective, optional=permission.optional),
        detail=detail,
    )


def _finding(granted: Answer, effective: Answer, *, optional: bool) -> PermissionFinding | None:
    if granted is Answer.YES:
        return PermissionFinding.NOT_EFFECTIVE if effective is Answer.NO else None
    if optional:
        return None
    # A broader permission may let the call through; what was asked for is missing all the same.
    return PermissionFinding.MISSING if Answer.NO in (granted, effective) else None


def _among(name: str, names: frozenset[str] | None) -> Answer:
    if names is None:
        return Answer.UNKNOWN
    return Answer.YES if name in names else Answer.NO


def roles_in(token: str) -> frozenset[str] | None:
    """Read the roles a token names, or None: tokens for Graph are opaque to clients, and may be no JWT at all.

    It is a hint and never a proof: nothing is verified here (entra/identity-platform/access-tokens).
    """
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004 - head, claims, signature (RFC 7519)
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError):
        return None
    roles = claims.get("roles") if isinstance(claims, dict) else None
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        return None
    return frozenset(roles)
