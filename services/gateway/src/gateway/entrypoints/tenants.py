"""Tenants, their tokens and credentials, their health."""

from typing import Annotated

from fastapi import Query, Response
from pydantic import ConfigDict

from contracts import rpc
from contracts.api import CertificateBody, ContactsBody, CredentialBody, RecoveryKeyBody, TenantBody
from contracts.names import Profile
from contracts.onboarding import OnboardingView
from contracts.operations import onboarding
from contracts.views import HealthView, Listing, Tenant, TokenView
from gateway.entrypoints.gate import PREFIX, Api, Asked, Creating, Gated
from gateway.entrypoints.gate import Tenant as Slug
from gateway.usecases import secrets, tenants

api = Api("tenants")


class PageQuery(rpc.Page):
    """Unknown parameters are refused: a mistyped filter must not show everything."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@api.route("list_tenants")
async def list_tenants(gate: Gated, asking: Asked, page: Annotated[PageQuery, Query()]) -> Listing[Tenant]:
    """List your tenants.

    Tenants your token does not cover are neither shown nor counted.
    """
    return await tenants.list_tenants(gate.services, page, asking)


@api.route("register_tenant", status_code=201)
async def register_tenant(gate: Gated, creation: Creating, body: TenantBody, response: Response) -> Tenant:
    """Register a tenant."""
    tenant = await tenants.register_tenant(gate.services, body, creation.identified(body))
    response.headers["location"] = f"{PREFIX}/tenants/{tenant.tenant}"
    return tenant


@api.route("get_tenant")
async def get_tenant(gate: Gated, asking: Asked, tenant: Slug) -> Tenant:
    """Show a tenant."""
    return await gate.services.ask(rpc.TENANT_GET, tenant, rpc.Nothing(), asking)


@api.route("set_recovery_key")
async def set_recovery_key(gate: Gated, asking: Asked, tenant: Slug, body: RecoveryKeyBody) -> Tenant:
    """Replace the recovery key of a tenant by its public half.

    Repositories are wrapped to the new key within a day, at the latest by their next backup; from then on the key
    before opens nothing that is written.
    """
    question = rpc.SetRecoveryKey(public_key=body.public_key)
    return await gate.services.ask(rpc.RECOVERY_KEY_SET, tenant, question, asking)


@api.route("set_contacts")
async def set_contacts(gate: Gated, asking: Asked, tenant: Slug, body: ContactsBody) -> Tenant:
    """Set whom the tenant names for problems and for incidents.

    The support contact is shown with every error, the security contact is told of incidents.
    """
    question = onboarding.SetContacts(support=body.support, security=body.security)
    return await gate.services.ask(onboarding.CONTACTS_SET, tenant, question, asking)


@api.route("get_onboarding")
async def get_onboarding(gate: Gated, asking: Asked, tenant: Slug) -> OnboardingView:
    """Show how far the tenant is on its way to regular backups.

    The first step that is not reached comes with its cause and the next step, as codes.
    """
    return await gate.services.ask(onboarding.ONBOARDING_GET, tenant, rpc.Nothing(), asking)


@api.route("list_tokens")
async def list_tokens(gate: Gated, asking: Asked, tenant: Slug) -> Listing[TokenView]:
    """Show the state of the tenant's Microsoft 365 tokens, one per app profile.

    Values are never shown.
    """
    return await gate.services.ask(rpc.TOKEN_LIST, tenant, rpc.Nothing(), asking)


@api.route("set_credential")
async def set_credential(gate: Gated, asking: Asked, tenant: Slug, profile: Profile, body: CredentialBody) -> TokenView:
    """Set the client secret of an app profile.

    The secret goes straight into the vault and is never shown again; the answer says whether a token could be
    obtained with it.
    """
    intake = gate.fresh_id()
    return await secrets.set_credential(gate.services, gate.vault, tenant, profile, body, intake=intake, asking=asking)


@api.route("set_certificate")
async def set_certificate(
    gate: Gated, asking: Asked, tenant: Slug, profile: Profile, body: CertificateBody
) -> TokenView:
    """Set the certificate and private key of an app profile.

    Both go straight into the vault and are never shown again; the answer says whether a token could be obtained.
    """
    intake = gate.fresh_id()
    return await secrets.set_certificate(gate.services, gate.vault, tenant, profile, body, intake=intake, asking=asking)


@api.route("get_health")
async def get_health(gate: Gated, asking: Asked, tenant: Slug) -> Listing[HealthView]:
    """Show the health of each job kind over the last 24 hours.

    Every ratio carries its denominator; a kind without a run in the expected interval is unknown, not healthy.
    """
    return await gate.services.ask(rpc.HEALTH_GET, tenant, rpc.Nothing(), asking)
