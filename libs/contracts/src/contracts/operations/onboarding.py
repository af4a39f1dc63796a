"""Questions about a tenant's life: its contacts and its onboarding."""

from typing import Any

from pydantic import AwareDatetime

from contracts.contacts import Contacts
from contracts.onboarding import OnboardingView, Protection
from contracts.operations.base import Nothing, Operation, Question
from contracts.views import Tenant


class SetContacts(Contacts, Question):
    """Both contacts as they are from now on."""


class ProtectionOf(Question):
    """`ended_after`: look for backup runs that ended later; None: do not look for runs."""

    ended_after: AwareDatetime | None = None


CONTACTS_SET = Operation("token-service", "contacts.set", SetContacts, Tenant)
ONBOARDING_GET = Operation("token-service", "onboarding.get", Nothing, OnboardingView)
PROTECTION_GET = Operation("backup-service", "protection.get", ProtectionOf, Protection)
"""Asked by token-service, whose onboarding ends with a backup (ADR 0033)."""

OPERATIONS: tuple[Operation[Any, Any], ...] = (CONTACTS_SET, ONBOARDING_GET, PROTECTION_GET)
