"""Answers about app profiles and their permissions."""

from chassis.clock import Clock
from chassis.rpc import Call, RpcServer
from contracts.names import Answer, ConsentSource, Profile
from contracts.operations import permissions as operations
from contracts.operations.base import Nothing
from contracts.permissions import ConsentGiverView, PermissionCheck, ProfileView
from contracts.problem import not_found
from contracts.profiles import PROFILES, withdraw_url
from contracts.views import Listing
from token_service.domain.connection import Connection
from token_service.domain.permissions import ConsentGiver, PermissionRecord, compare
from token_service.domain.tenant import TenantRecord
from token_service.ports import Connections, PermissionRecords, Tenants
from token_service.usecases.check_permissions import CheckPermissions


class ProfileQuestions:
    def __init__(
        self,
        tenants: Tenants,
        connections: Connections,
        records: PermissionRecords,
        *,
        check: CheckPermissions,
        clock: Clock,
    ) -> None:
        self._tenants = tenants
        self._connections = connections
        self._records = records
        self._check = check
        self._clock = clock

    def bind(self, server: RpcServer) -> None:
        server.answer(operations.PROFILE_LIST, self.profile_list)
        server.answer(operations.PERMISSIONS_CHECK, self.permissions_check)
        server.answer(operations.CONSENT_GIVER_SET, self.consent_giver_set)

    async def profile_list(self, call: Call[Nothing]) -> Listing[ProfileView]:
        """Show every profile, also those nobody registered yet: what they will ask for is known before."""
        tenant = await self._known(call.one_tenant())
        return Listing[ProfileView](items=tuple([await self._view(tenant, profile) for profile in Profile]))

    async def permissions_check(self, call: Call[operations.CheckPermissions]) -> PermissionCheck:
        tenant = await self._known(call.one_tenant())
        return _check_view(await self._check(tenant.slug, call.question.profile))

    async def consent_giver_set(self, call: Call[operations.NameConsentGiver]) -> ProfileView:
        tenant, wish = await self._known(call.one_tenant()), call.question
        giver = ConsentGiver(wish.name, ConsentSource.TYPED, wish.at)
        await self._check.name_giver(tenant.slug, wish.profile, giver, call.caller)
        return await self._view(tenant, wish.profile)

    async def _known(self, slug: str) -> TenantRecord:
        record = await self._tenants.get(slug)
        if record is None:
            raise not_found("tenant")
        return record

    async def _view(self, tenant: TenantRecord, profile: Profile) -> ProfileView:
        wanted = PROFILES[profile]
        connection = await self._connections.get(tenant.slug, profile) or Connection(tenant.slug, profile)
        record = await self._records.get(tenant.slug, profile) or PermissionRecord(tenant.slug, profile)
        client_id, giver = connection.client_id, record.giver
        return ProfileView(
            tenant=tenant.slug,
            profile=profile,
            status=connection.status(self._clock.now()),
            in_use=wanted.in_use,
            client_id=client_id,
            consent_role=wanted.consent_role,
            registration_role=wanted.registration_role,
            check=_check_view(record),
            consent_giver=None
            if giver is None
            else ConsentGiverView(name=giver.name, source=giver.source, at=giver.at),
            consent_effective_seconds=None if connection.consent is None else connection.consent.effective_seconds,
            withdraw_url=None
            if client_id is None
            else withdraw_url(tenant.entra_tenant_id, client_id, record.principal_id),
        )


def _check_view(record: PermissionRecord) -> PermissionCheck:
    checked = record.checked_at is not None
    return PermissionCheck(
        tenant=record.tenant,
        profile=record.profile,
        checked_at=record.checked_at,
        in_order=record.in_order if checked else Answer.UNKNOWN,
        permissions=record.states if checked else compare(PROFILES[record.profile], None, None, None, {}),
        detail=record.detail,
        enterprise_application=record.application,
        enabled=record.enabled,
        next_check_at=record.due_at,
    )
