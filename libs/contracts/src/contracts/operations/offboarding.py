"""Questions about the end of a tenant: stop, export, shred, proof."""

from typing import Any

from pydantic import Field

from contracts.names import Slug
from contracts.offboarding import Holdings, OffboardingView
from contracts.operations.base import Nothing, Operation, Question


class DecideExport(Question):
    """What became of the offer to export."""

    exported: bool
    note: str = Field(default="", max_length=500, description="what was handed over to whom, or why nothing was")


class OrderShredding(Question):
    """`confirm` is the slug, typed by the person who orders it."""

    confirm: Slug


class AttestKey(Question):
    """Every copy of this recovery key's file is destroyed, says the customer."""

    fingerprint: str = Field(pattern=r"^[0-9a-f]{64}$")
    by: str = Field(min_length=1, max_length=200, description="who attests it, on the customer's side")


class StopProtection(Question):
    """`stopped`: pause every configuration, and leave its storage alone; else look after its storage again."""

    stopped: bool


class HoldingsOf(Question):
    """`keys`: read from every storage target which keys open its repository."""

    keys: bool = False


OFFBOARDING_GET = Operation("token-service", "offboarding.get", Nothing, OffboardingView)
OFFBOARDING_BEGIN = Operation("token-service", "offboarding.begin", Nothing, OffboardingView)
OFFBOARDING_CANCEL = Operation("token-service", "offboarding.cancel", Nothing, OffboardingView)
EXPORT_DECIDE = Operation("token-service", "offboarding.decide-export", DecideExport, OffboardingView)
SHREDDING_ORDER = Operation("token-service", "offboarding.order-shredding", OrderShredding, OffboardingView)
KEY_ATTEST = Operation("token-service", "offboarding.attest-key", AttestKey, OffboardingView)
PROTECTION_STOP = Operation("backup-service", "protection.stop", StopProtection, Holdings)
HOLDINGS_GET = Operation("backup-service", "holdings.get", HoldingsOf, Holdings)
"""Asked by token-service: what is held decides whether it may be shredded (ADR 0033)."""

OPERATIONS: tuple[Operation[Any, Any], ...] = (
    OFFBOARDING_GET,
    OFFBOARDING_BEGIN,
    OFFBOARDING_CANCEL,
    EXPORT_DECIDE,
    SHREDDING_ORDER,
    KEY_ATTEST,
    PROTECTION_STOP,
    HOLDINGS_GET,
)
