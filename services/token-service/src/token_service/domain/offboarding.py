"""Offboarding: a record that only grows, and what stands before its next step. Pure facts in."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from contracts.offboarding import (
    Deed,
    Holdings,
    KeyOfRepository,
    OffboardingBlock,
    OffboardingDeed,
    OffboardingState,
)

_OVER = frozenset({OffboardingState.SHREDDED, OffboardingState.CANCELLED})


@dataclass(frozen=True)
class Offboarding:
    """The record of one tenant. `version` is the fence of a save."""

    tenant: str
    state: OffboardingState = OffboardingState.STOPPING
    version: int = 0
    deeds: tuple[Deed, ...] = ()
    keys: tuple[KeyOfRepository, ...] = ()

    @property
    def over(self) -> bool:
        """Nothing more happens: shredded, or cancelled before."""
        return self.state in _OVER

    @property
    def ends_the_tenant(self) -> bool:
        """The tenant takes no credential, no consent and no key any more."""
        return self.state is not OffboardingState.CANCELLED

    def done(self, deed: OffboardingDeed, *, at: datetime, by: str, note: str = "") -> "Offboarding":
        """The record with one more line."""
        return replace(self, deeds=(*self.deeds, Deed(deed=deed, at=at, by=by, note=note)))

    def did(self, deed: OffboardingDeed) -> bool:
        """Tell whether it was done, in an offboarding that was cancelled not counted."""
        cancelled = [number for number, one in enumerate(self.deeds, 1) if one.deed is OffboardingDeed.CANCELLED]
        return any(one.deed is deed for one in self.deeds[max(cancelled, default=0) :])

    def ordered(self, holdings: Holdings) -> "Offboarding":
        """Shredding was ordered: from here on these keys have to go."""
        transit = {name for target in holdings.targets for name in target.transit_keys}
        recovery = {name for target in holdings.targets for name in target.recovery_keys}
        keys = [KeyOfRepository(kind="transit", name=name) for name in sorted(transit)]
        keys += [KeyOfRepository(kind="recovery", name=name) for name in sorted(recovery)]
        return replace(self, state=OffboardingState.SHREDDING, keys=tuple(keys))

    def destroyed(self, names: Iterable[str], *, at: datetime, by: str) -> "Offboarding":
        """These keys are gone."""
        gone = set(names)
        keys = tuple(
            key.model_copy(update={"destroyed_at": at, "destroyed_by": by})
            if key.name in gone and key.destroyed_at is None
            else key
            for key in self.keys
        )
        return replace(self, keys=keys)

    def left(self, kind: str) -> tuple[str, ...]:
        """Keys of this kind that still open something."""
        return tuple(key.name for key in self.keys if key.kind == kind and key.destroyed_at is None)

    def block(self, holdings: Holdings | None, now: datetime) -> OffboardingBlock | None:
        """What stands before the next step; None: nothing, or it is over."""
        match self.state:
            case OffboardingState.STOPPING:
                return stop_block(holdings)
            case OffboardingState.STOPPED:
                return OffboardingBlock.EXPORT_UNDECIDED
            case OffboardingState.EXPORT_DECIDED:
                return shred_block(holdings, now)
            case OffboardingState.SHREDDING:
                if self.left("transit"):
                    return OffboardingBlock.TRANSIT_KEY_THERE
                return OffboardingBlock.RECOVERY_KEY_UNATTESTED
            case OffboardingState.SHREDDED | OffboardingState.CANCELLED:
                return None


def stop_block(holdings: Holdings | None) -> OffboardingBlock | None:
    """What still works for the tenant. Jobs that are held wait for a token that will not come, and do not count."""
    if holdings is None:
        return OffboardingBlock.BACKUPS_UNKNOWN
    if holdings.scheduled:
        return OffboardingBlock.STILL_SCHEDULED
    return OffboardingBlock.STILL_RUNNING if holdings.running else None


def shred_block(holdings: Holdings | None, now: datetime) -> OffboardingBlock | None:
    """What forbids to make it unreadable: a legal hold, the least retention, or not knowing."""
    stopped = stop_block(holdings)
    if holdings is None or stopped is not None:
        return stopped
    if holdings.legal_holds:
        return OffboardingBlock.LEGAL_HOLD
    if holdings.held_until is not None and holdings.held_until > now:
        return OffboardingBlock.RETENTION_FLOOR
    if any(target.problem for target in holdings.targets):
        return OffboardingBlock.KEYS_UNKNOWN
    return None
