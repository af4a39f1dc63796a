"""Questions about app profiles and their permissions."""

from pydantic import AwareDatetime

from contracts.names import Profile
from contracts.operations.base import Nothing, Operation, Question
from contracts.permissions import GiverName, PermissionCheck, ProfileView
from contracts.views import Listing


class CheckPermissions(Question):
    profile: Profile


class NameConsentGiver(Question):
    """What a person knows and the directory audit does not tell (any more)."""

    profile: Profile
    name: GiverName
    at: AwareDatetime | None = None


PROFILE_LIST = Operation("token-service", "profile.list", Nothing, Listing[ProfileView])
PERMISSIONS_CHECK = Operation("token-service", "permissions.check", CheckPermissions, PermissionCheck)
CONSENT_GIVER_SET = Operation("token-service", "consent-giver.set", NameConsentGiver, ProfileView)

PERMISSION_OPERATIONS = (PROFILE_LIST, PERMISSIONS_CHECK, CONSENT_GIVER_SET)
