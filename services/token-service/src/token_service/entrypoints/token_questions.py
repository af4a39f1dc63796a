"""Answers about the token of one profile (contracts.operations.tokens)."""

from dataclasses import dataclass

from chassis.clock import Clock
from chassis.rpc import Call, RpcServer
from contracts import tokens, views
from contracts.operations import tokens as asked
from contracts.problem import not_found
from token_service.domain.connection import Connection
from token_service.entrypoints.token_views import check_view, details_view, offer_view, token_view
from token_service.ports import Connections, Tenants
from token_service.usecases.note_token import NoteToken
from token_service.usecases.offer_vault_key import OfferVaultKey
from token_service.usecases.renew_now import RenewNow
from token_service.usecases.retire_token import RetireToken
from token_service.usecases.set_credential import SetCredential
from token_service.usecases.verify_token import VerifyToken


@dataclass(frozen=True)
class TokenQuestions:
    tenants: Tenants
    connections: Connections
    renew_now: RenewNow
    verify: VerifyToken
    retire: RetireToken
    note: NoteToken
    offer_vault_key: OfferVaultKey
    set_credential: SetCredential
    clock: Clock

    def bind(self, server: RpcServer) -> None:
        """Register all answers; call before the broker starts."""
        server.answer(asked.TOKEN_GET, self.token_get)
        server.answer(asked.TOKEN_RENEW, self.token_renew)
        server.answer(asked.TOKEN_VERIFY, self.token_verify)
        server.answer(asked.TOKEN_DEACTIVATE, self.token_deactivate)
        server.answer(asked.TOKEN_DELETE, self.token_delete)
        server.answer(asked.TOKEN_NOTE, self.token_note)
        server.answer(asked.VAULT_KEY_OFFER, self.vault_key_offer)
        server.answer(asked.VAULT_KEY_SET, self.vault_key_set)

    async def token_get(self, call: Call[asked.OfProfile]) -> tokens.TokenDetails:
        """Show a profile without a token, too: it is unknown, not absent."""
        tenant, profile = call.one_tenant(), call.question.profile
        return await self._details(await self.connections.get(tenant, profile) or Connection(tenant, profile))

    async def token_renew(self, call: Call[asked.OfProfile]) -> views.TokenView:
        return self._view(await self.renew_now(call.one_tenant(), call.question.profile, call.caller))

    async def token_verify(self, call: Call[asked.OfProfile]) -> tokens.TokenCheck:
        return check_view(await self.verify(call.one_tenant(), call.question.profile))

    async def token_deactivate(self, call: Call[asked.RetireToken]) -> views.TokenView:
        tenant, profile = call.one_tenant(), call.question.profile
        return self._view(await self.retire.deactivate(tenant, profile, call.caller, call.question.used_by))

    async def token_delete(self, call: Call[asked.RetireToken]) -> views.TokenView:
        tenant, profile = call.one_tenant(), call.question.profile
        return self._view(await self.retire.delete(tenant, profile, call.caller, call.question.used_by))

    async def token_note(self, call: Call[asked.NoteToken]) -> tokens.TokenDetails:
        tenant, profile = call.one_tenant(), call.question.profile
        return await self._details(await self.note(tenant, profile, call.question.text, call.caller))

    async def vault_key_offer(self, call: Call[asked.OfProfile]) -> tokens.VaultKeyOffer:
        tenant, profile = call.one_tenant(), call.question.profile
        return offer_view(tenant, profile, await self.offer_vault_key(tenant, profile, call.caller))

    async def vault_key_set(self, call: Call[asked.SetVaultKey]) -> views.TokenView:
        tenant, wish = call.one_tenant(), call.question
        return self._view(await self.set_credential.vault_key(tenant, wish.profile, wish.client_id, call.caller))

    async def _details(self, connection: Connection) -> tokens.TokenDetails:
        tenant = await self.tenants.get(connection.tenant)
        if tenant is None:
            raise not_found("tenant")
        support = tenant.contacts.support
        whom = tenant.support_contact if support is None else f"{support.name}, {support.mail}"
        return details_view(connection, self.clock.now(), whom)

    def _view(self, connection: Connection) -> views.TokenView:
        return token_view(connection, self.clock.now())
