"""What is known about a profile's tokens beyond their state: who generated them, what ended them, dated notes."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from contracts.names import ConsentSource, CredentialKind, Profile, RecordEnd, Slug, TokenStatus
from contracts.views import TokenView, View

NoteText = Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]
"""What happened, in a sentence or two; nobody's secret."""

NOTES = 100
"""Notes a profile may have: one answer of the bus holds them all."""


Probe = Literal["effective", "not_effective", "unproven", "no_token"]


class TokenRecord(View):
    """One credential that was proven by a token, from that moment until it was replaced, switched off or deleted.

    Automatic renewals belong to the record of their credential.
    """

    number: int = Field(description="counts from 1 per profile")
    client_id: str
    credential: CredentialKind
    generated_at: AwareDatetime
    generated_by: str
    consent_by: str = Field(default="", description="who gave admin consent; empty: not known")
    consent_source: ConsentSource | None = None
    ended: RecordEnd | None = Field(default=None, description="null: in use")
    ended_at: AwareDatetime | None = None
    ended_by: str = ""
    thumbprint: str = Field(default="", description="of its certificate, as Microsoft's pages show it (SHA-1, hex)")
    key: int | None = Field(default=None, description="number of its key in the vault")
    key_destroyed_at: AwareDatetime | None = Field(
        default=None, description="when that key was destroyed; null while it exists"
    )


class VaultKeyOffer(View):
    """A key that was made in the vault, and its certificate for the app registration. Nothing of it is secret.

    The app signs in with it when it is proven; until then with what it had before.
    """

    tenant: Slug
    profile: Profile
    number: int = Field(description="counts from 1 per profile")
    certificate: str = Field(description="PEM; upload it to the app registration as it is")
    thumbprint: str = Field(description="as Microsoft's pages show it (SHA-1, hex)")
    thumbprint_sha256: str = Field(description="SHA-256, hex")
    expires_at: AwareDatetime
    offered_at: AwareDatetime
    offered_by: str


class TokenNote(View):
    at: AwareDatetime
    by: str
    text: str


class TokenDetails(TokenView):
    """State, records (newest first) and notes (newest first). The value is never shown."""

    support_contact: str = Field(default="", description="whom to ask when a problem comes back")
    records: tuple[TokenRecord, ...] = ()
    notes: tuple[TokenNote, ...] = ()


class TokenCheck(View):
    """What a check of a token right now found; `unproven` and `no_token` are no verdict about the permissions."""

    tenant: Slug
    profile: Profile
    at: AwareDatetime
    status: TokenStatus
    probe: Probe
    detail: str = Field(default="", description="the workload and Microsoft's code")
    without: tuple[str, ...] = Field(
        default=(), description="optional workloads that the app is not let into, with Graph's code"
    )
    test_backup: bool = Field(default=False, description="a test backup would prove the rest")
