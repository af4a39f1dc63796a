"""Answers about a tenant's life: its contacts, and how far its onboarding is."""

from chassis.rpc import Call, RpcServer
from contracts import rpc, views
from contracts.onboarding import NEXT_STEPS, OnboardingStep, OnboardingView, StepView
from contracts.operations import onboarding
from contracts.problem import not_found
from token_service.domain.onboarding import NEEDED, SIGN_IN, Onboarding
from token_service.domain.tenant import TenantRecord
from token_service.entrypoints.tenant_views import tenant_view
from token_service.ports import Tenants
from token_service.usecases.look_at_onboarding import LookAtOnboarding
from token_service.usecases.set_contacts import SetContacts


class OnboardingQuestions:
    def __init__(self, tenants: Tenants, *, look: LookAtOnboarding, set_contacts: SetContacts) -> None:
        self._tenants = tenants
        self._look = look
        self._set_contacts = set_contacts

    def bind(self, server: RpcServer) -> None:
        """Register all answers; call before the broker starts."""
        server.answer(onboarding.CONTACTS_SET, self.contacts_set)
        server.answer(onboarding.ONBOARDING_GET, self.onboarding_get)

    async def contacts_set(self, call: Call[onboarding.SetContacts]) -> views.Tenant:
        return tenant_view(await self._set_contacts(call.one_tenant(), call.question, call.caller))

    async def onboarding_get(self, call: Call[rpc.Nothing]) -> OnboardingView:
        """Look before answering: who asks after having done something sees what came of it."""
        return onboarding_view(await self._look(await self._known(call.one_tenant())))

    async def _known(self, slug: str) -> TenantRecord:
        record = await self._tenants.get(slug)
        if record is None:
            raise not_found("tenant")
        return record


def onboarding_view(found: Onboarding) -> OnboardingView:
    missing = found.missing
    return OnboardingView(
        tenant=found.tenant,
        state=found.state,
        since=found.changed_at,
        steps=tuple(
            StepView(step=step, reached_at=found.reached.get(step), first_reached_at=found.first_reached.get(step))
            for step in OnboardingStep
        ),
        missing=None if missing is None else missing.step,
        cause=None if missing is None else missing.cause,
        next_step=None if missing is None else NEXT_STEPS[missing.cause],
        profile=NEEDED if missing is not None and missing.step in SIGN_IN else None,
        detail="" if missing is None else missing.detail,
        test_backup=found.test_backup,
        looked_at=found.looked_at,
    )
