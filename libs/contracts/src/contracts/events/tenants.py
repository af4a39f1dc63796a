"""Events of token-service about a tenant's life."""

from typing import ClassVar

from pydantic import Field

from contracts.events.base import Event
from contracts.onboarding import NextStep, OnboardingCause, OnboardingStep


class OnboardingChanged(Event):
    """A tenant reached a step of its onboarding, lost one, or waits for something else than before."""

    DOMAIN: ClassVar[str] = "tenant"
    NAME: ClassVar[str] = "onboarding-changed"

    state: OnboardingStep = Field(description="the last step reached")
    missing: OnboardingStep | None = Field(default=None, description="the first step not reached; None: productive")
    cause: OnboardingCause | None = None
    next_step: NextStep | None = None
    change: int = Field(description="grows with every change of the tenant's onboarding")

    def key(self) -> tuple[str, ...]:
        return (self.tenant, str(self.change))
