"""The token of one app profile: look, renew, verify, switch off, delete, note."""

from typing import Annotated

from fastapi import Path

from contracts.api import TokenNoteBody, VaultKeyBody
from contracts.names import Profile
from contracts.operations import tokens as asked
from contracts.tokens import TokenCheck, TokenDetails, VaultKeyOffer
from contracts.views import TokenView
from gateway.entrypoints.gate import Api, Asked, Gated, Tenant
from gateway.usecases.profile_use import users_of

api = Api("tokens")

AppProfile = Annotated[Profile, Path(description="app profile")]


@api.route("get_token")
async def get_token(gate: Gated, asking: Asked, tenant: Tenant, profile: AppProfile) -> TokenDetails:
    """Show the token of an app profile: its state, who generated it, and notes.

    The value is never shown.
    """
    return await gate.services.ask(asked.TOKEN_GET, tenant, asked.OfProfile(profile=profile), asking)


@api.route("renew_token")
async def renew_token(gate: Gated, asking: Asked, tenant: Tenant, profile: AppProfile) -> TokenView:
    """Renew the token of an app profile now.

    It renews itself; this is for those who cannot wait. The token before stays when no new one is issued.
    """
    return await gate.services.ask(asked.TOKEN_RENEW, tenant, asked.OfProfile(profile=profile), asking)


@api.route("verify_token")
async def verify_token(gate: Gated, asking: Asked, tenant: Tenant, profile: AppProfile) -> TokenCheck:
    """Try the token of an app profile on Microsoft Graph now.

    One harmless call per workload. `unproven` says that Graph gave no answer, not that something is wrong.
    """
    return await gate.services.ask(asked.TOKEN_VERIFY, tenant, asked.OfProfile(profile=profile), asking)


@api.route("offer_vault_key")
async def offer_vault_key(gate: Gated, asking: Asked, tenant: Tenant, profile: AppProfile) -> VaultKeyOffer:
    """Have a key made in the vault for an app profile, and get its certificate to upload.

    The private half never leaves the vault. A repeat gives the same certificate until the key is in use. What the app
    signs in with stays as it is until `set_vault_key` has proven the new key.
    """
    return await gate.services.ask(asked.VAULT_KEY_OFFER, tenant, asked.OfProfile(profile=profile), asking)


@api.route("set_vault_key")
async def set_vault_key(
    gate: Gated, asking: Asked, tenant: Tenant, profile: AppProfile, body: VaultKeyBody
) -> TokenView:
    """Sign in with the key that was offered, now that its certificate is uploaded.

    A token request with the new key proves it; only then it takes the place of what the app signed in with before,
    whose key in the vault is destroyed. Refused (422) as long as Microsoft does not know the certificate.
    """
    question = asked.SetVaultKey(profile=profile, client_id=body.client_id)
    return await gate.services.ask(asked.VAULT_KEY_SET, tenant, question, asking)


@api.route("deactivate_token")
async def deactivate_token(gate: Gated, asking: Asked, tenant: Tenant, profile: AppProfile) -> TokenView:
    """Deactivate the token of an app profile.

    Token and credential are destroyed here; take the credential off the app registration at Microsoft, too. The last
    valid token of a profile in use is refused (409 `token-in-use`): generate the new one first, or open an incident.
    """
    question = asked.RetireToken(profile=profile, used_by=await users_of(gate.services, tenant, profile, asking))
    return await gate.services.ask(asked.TOKEN_DEACTIVATE, tenant, question, asking)


@api.route("delete_token")
async def delete_token(gate: Gated, asking: Asked, tenant: Tenant, profile: AppProfile) -> TokenView:
    """Delete the token of an app profile and forget its app registration.

    Records and notes stay. The last valid token of a profile in use is refused (409 `token-in-use`).
    """
    question = asked.RetireToken(profile=profile, used_by=await users_of(gate.services, tenant, profile, asking))
    return await gate.services.ask(asked.TOKEN_DELETE, tenant, question, asking)


@api.route("note_token")
async def note_token(
    gate: Gated, asking: Asked, tenant: Tenant, profile: AppProfile, body: TokenNoteBody
) -> TokenDetails:
    """Put a dated note on the token of an app profile."""
    question = asked.NoteToken(profile=profile, text=body.text)
    return await gate.services.ask(asked.TOKEN_NOTE, tenant, question, asking)
