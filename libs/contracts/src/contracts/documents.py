"""What a service hands over to be exported sealed into the repositories. No secret is in it."""

from contracts.names import Profile
from contracts.views import Tenant, View


class ProfileRegistration(View):
    """The app registration of a profile; its credential is in the vault alone."""

    profile: Profile
    client_id: str


class TenantDocuments(View):
    """What token-service knows of a tenant and nothing else tells; exported sealed. No secret is in it."""

    tenant: Tenant
    profiles: tuple[ProfileRegistration, ...]
