"""What is known of a person who signed in at Microsoft: who, with which roles, and what that leaves of the consent."""

from pydantic import AwareDatetime, Field

from contracts.names import AdminRole, Answer, Slug
from contracts.views import View


class SignInLink(View):
    """Where a person signs in; works once, until `expires_at`."""

    url: str
    expires_at: AwareDatetime


class ScopeState(View):
    """One delegated permission. `effective` is what is both consented and within the person's own rights."""

    name: str
    consented: Answer
    own: Answer = Field(description="whether the person's own rights include it")
    effective: Answer
    detail: str = ""


class SignedInPerson(View):
    """The person behind an id_token that was validated; no token of theirs is kept."""

    tenant: Slug
    name: str
    roles: tuple[AdminRole, ...] = ()
    roles_known: bool = False
    may_consent: Answer = Field(default=Answer.UNKNOWN, description="whether they can consent to the app profiles")
    scopes: tuple[ScopeState, ...] = ()
