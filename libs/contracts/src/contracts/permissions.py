"""What is known of an app profile's permissions: required, granted, in the token, effective."""

from typing import Annotated

from pydantic import AwareDatetime, Field, StringConstraints

from contracts.names import (
    AdminRole,
    Answer,
    ConsentSource,
    Feature,
    PermissionFinding,
    PermissionKind,
    Profile,
    Slug,
    TokenStatus,
)
from contracts.views import View

GiverName = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]


class PermissionState(View):
    """One permission. `granted` is what the directory says, `in_token` what the token may tell, `effective` a call."""

    name: str
    kind: PermissionKind
    optional: bool = False
    feature: Feature | None = Field(default=None, description="what an optional permission is for")
    granted: Answer = Answer.UNKNOWN
    in_token: Answer = Answer.UNKNOWN
    effective: Answer = Answer.UNKNOWN
    finding: PermissionFinding | None = None
    detail: str = Field(default="", description="Graph's code, or why something is unknown")


class ConsentGiverView(View):
    """Who gave the admin consent, and how that is known."""

    name: str
    source: ConsentSource
    at: AwareDatetime | None = Field(default=None, description="when the consent was given, as far as known")


class PermissionCheck(View):
    """One check. What could not be read or tried is unknown, and then the whole is not in order, but unknown."""

    tenant: Slug
    profile: Profile
    checked_at: AwareDatetime | None = Field(default=None, description="null: never checked")
    in_order: Answer = Answer.UNKNOWN
    permissions: tuple[PermissionState, ...] = ()
    detail: str = Field(default="", description="why grants could not be read; empty when they were")
    enterprise_application: Answer = Field(
        default=Answer.UNKNOWN, description="whether the tenant has the app as an enterprise application"
    )
    enabled: Answer = Field(default=Answer.UNKNOWN, description="whether sign-in of the enterprise application is on")
    next_check_at: AwareDatetime | None = None


class ProfileView(View):
    """One app registration of a tenant: what it asks for, how it stands, and where consent is withdrawn."""

    tenant: Slug
    profile: Profile
    status: TokenStatus
    in_use: bool = Field(description="a service of this release works with its tokens")
    client_id: str | None = None
    consent_role: AdminRole = Field(description="least directory role that can consent")
    registration_role: AdminRole = Field(description="least directory role that can make the app registration")
    check: PermissionCheck
    consent_giver: ConsentGiverView | None = None
    consent_effective_seconds: float | None = Field(
        default=None, description="from Microsoft's redirect to the proof by a token and a call, of the last consent"
    )
    withdraw_url: str | None = Field(default=None, description="the enterprise application in the Entra admin center")
