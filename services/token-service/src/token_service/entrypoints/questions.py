"""Answers over the bus (contracts.rpc)."""

from chassis.clock import Clock
from chassis.rpc import Call, RpcServer
from contracts import documents, rpc, views
from contracts.names import Profile
from contracts.problem import invalid, not_found
from token_service.domain.connection import Connection
from token_service.domain.tenant import TenantRecord
from token_service.entrypoints.tenant_views import tenant_view
from token_service.entrypoints.token_views import token_view
from token_service.ports import Connections, Tenants
from token_service.usecases.consent import Consent
from token_service.usecases.keep_recovery_key import KeepRecoveryKey
from token_service.usecases.register_tenant import RegisterTenant
from token_service.usecases.set_credential import SetCredential


class Questions:
    def __init__(
        self,
        tenants: Tenants,
        connections: Connections,
        *,
        register: RegisterTenant,
        keep_recovery_key: KeepRecoveryKey,
        set_credential: SetCredential,
        consent: Consent,
        clock: Clock,
    ) -> None:
        self._tenants = tenants
        self._connections = connections
        self._register = register
        self._keep_recovery_key = keep_recovery_key
        self._set_credential = set_credential
        self._consent = consent
        self._clock = clock

    def bind(self, server: RpcServer) -> None:
        """Register all answers; call before the broker starts."""
        server.answer(rpc.TENANT_REGISTER, self.tenant_register)
        server.answer(rpc.TENANT_LIST, self.tenant_list)
        server.answer(rpc.TENANT_GET, self.tenant_get)
        server.answer(rpc.RECOVERY_KEY_SET, self.recovery_key_set)
        server.answer(rpc.CREDENTIAL_SET, self.credential_set)
        server.answer(rpc.CONSENT_START, self.consent_start)
        server.answer(rpc.CONSENT_FINISH, self.consent_finish)
        server.answer(rpc.TOKEN_LIST, self.token_list)
        server.answer(rpc.DOCUMENTS_EXPORT, self.documents_export)

    async def tenant_register(self, call: Call[rpc.RegisterTenant]) -> views.Tenant:
        if call.tenant not in (None, call.question.tenant):
            raise invalid("the question is about another tenant than its subject")
        return tenant_view(await self._register(call.question, call.caller))

    async def tenant_list(self, call: Call[rpc.Page]) -> views.Listing[views.Tenant]:
        limit = call.question.limit
        found = await self._tenants.page(call.question.cursor, limit + 1)
        cursor = found[limit - 1].slug if len(found) > limit else None
        return views.Listing[views.Tenant](items=tuple(tenant_view(record) for record in found[:limit]), cursor=cursor)

    async def tenant_get(self, call: Call[rpc.Nothing]) -> views.Tenant:
        return tenant_view(await self._known(call.one_tenant()))

    async def recovery_key_set(self, call: Call[rpc.SetRecoveryKey]) -> views.Tenant:
        return tenant_view(await self._keep_recovery_key(call.one_tenant(), call.question.public_key, call.caller))

    async def credential_set(self, call: Call[rpc.SetCredential]) -> views.TokenView:
        return token_view(await self._set_credential(call.one_tenant(), call.question, call.caller), self._clock.now())

    async def consent_start(self, call: Call[rpc.StartConsent]) -> views.ConsentLink:
        return await self._consent.start(call.one_tenant(), call.question, call.caller)

    async def consent_finish(self, call: Call[rpc.FinishConsent]) -> views.ConsentResult:
        """Whose consent it is says the state alone: the browser that brings it has no token of ours."""
        return await self._consent.finish(call.question, call.caller)

    async def token_list(self, call: Call[rpc.Nothing]) -> views.Listing[views.TokenView]:
        """Show every profile, also those without a credential: those are unknown, not absent."""
        tenant = (await self._known(call.one_tenant())).slug
        known = {connection.profile: connection for connection in await self._connections.of_tenant(tenant)}
        shown = (known.get(profile) or Connection(tenant, profile) for profile in Profile)
        now = self._clock.now()
        return views.Listing[views.TokenView](items=tuple(token_view(connection, now) for connection in shown))

    async def documents_export(self, call: Call[rpc.Nothing]) -> documents.TenantDocuments:
        """Give what the register knows of the tenant: no secret, and nothing that renews itself."""
        tenant = await self._known(call.one_tenant())
        connections = await self._connections.of_tenant(tenant.slug)
        return documents.TenantDocuments(
            tenant=tenant_view(tenant),
            profiles=tuple(
                documents.ProfileRegistration(profile=connection.profile, client_id=connection.client_id)
                for connection in connections
                if connection.client_id is not None
            ),
        )

    async def _known(self, slug: str) -> TenantRecord:
        record = await self._tenants.get(slug)
        if record is None:
            raise not_found("tenant")
        return record
