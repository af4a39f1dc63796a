"""Questions about the token of one app profile. No answer holds a value of a token or credential."""

from pydantic import Field

from contracts.names import Profile
from contracts.operations.base import Operation, Question
from contracts.tokens import NoteText, TokenCheck, TokenDetails, VaultKeyOffer
from contracts.views import TokenView


class OfProfile(Question):
    profile: Profile


class RetireToken(OfProfile):
    """`used_by` names what works with the profile right now, as only its other owners know; empty: nothing."""

    used_by: tuple[str, ...] = Field(default=(), max_length=100)


class NoteToken(OfProfile):
    text: NoteText


class SetVaultKey(OfProfile):
    """The certificate of the key that is offered was uploaded to this app registration."""

    client_id: str = Field(min_length=1, max_length=128)


TOKEN_GET = Operation("token-service", "token.get", OfProfile, TokenDetails)
TOKEN_RENEW = Operation("token-service", "token.renew", OfProfile, TokenView)
TOKEN_VERIFY = Operation("token-service", "token.verify", OfProfile, TokenCheck)
TOKEN_DEACTIVATE = Operation("token-service", "token.deactivate", RetireToken, TokenView)
TOKEN_DELETE = Operation("token-service", "token.delete", RetireToken, TokenView)
TOKEN_NOTE = Operation("token-service", "token.note", NoteToken, TokenDetails)
VAULT_KEY_OFFER = Operation("token-service", "vault-key.offer", OfProfile, VaultKeyOffer)
VAULT_KEY_SET = Operation("token-service", "vault-key.set", SetVaultKey, TokenView)

TOKEN_OPERATIONS = (
    TOKEN_GET,
    TOKEN_RENEW,
    TOKEN_VERIFY,
    TOKEN_DEACTIVATE,
    TOKEN_DELETE,
    TOKEN_NOTE,
    VAULT_KEY_OFFER,
    VAULT_KEY_SET,
)
