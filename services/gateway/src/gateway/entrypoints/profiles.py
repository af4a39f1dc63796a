"""App profiles: one list of what each asks for and how it stands, and the check of its permissions."""

from contracts.api import ConsentGiverBody
from contracts.names import Profile
from contracts.operations import permissions as operations
from contracts.operations.base import Nothing
from contracts.permissions import PermissionCheck, ProfileView
from contracts.views import Listing
from gateway.entrypoints.gate import Api, Asked, Gated
from gateway.entrypoints.gate import Tenant as Slug

api = Api("profiles")


@api.route("list_profiles")
async def list_profiles(gate: Gated, asking: Asked, tenant: Slug) -> Listing[ProfileView]:
    """Show the tenant's app profiles with their permissions and state.

    Each names the least directory role that can consent; `start_consent` authorises it.
    """
    return await gate.services.ask(operations.PROFILE_LIST, tenant, Nothing(), asking)


@api.route("check_permissions")
async def check_permissions(gate: Gated, asking: Asked, tenant: Slug, profile: Profile) -> PermissionCheck:
    """Check the permissions of an app profile now: required, granted, in the token, effective.

    What could not be read or tried is unknown, never missing.
    """
    question = operations.CheckPermissions(profile=profile)
    return await gate.services.ask(operations.PERMISSIONS_CHECK, tenant, question, asking)


@api.route("set_consent_giver")
async def set_consent_giver(
    gate: Gated, asking: Asked, tenant: Slug, profile: Profile, body: ConsentGiverBody
) -> ProfileView:
    """Write down who gave the admin consent, where the directory audit does not tell."""
    question = operations.NameConsentGiver(profile=profile, name=body.name, at=body.at)
    return await gate.services.ask(operations.CONSENT_GIVER_SET, tenant, question, asking)
