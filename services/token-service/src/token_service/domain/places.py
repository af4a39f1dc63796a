"""Where things of a tenant lie in the vault."""

from contracts.names import Profile


def intakes(tenant: str) -> str:
    """All that the gateway has brought and this service has not taken yet."""
    return f"tenants/{tenant}/intake"


def intake(tenant: str, reference: str) -> str:
    """A secret the gateway has brought: `{"client_secret"}`, or `{"certificate", "private_key"}`."""
    return f"{intakes(tenant)}/{reference}"


def credentials(tenant: str, profile: Profile) -> str:
    """A proven credential: `{"client_id"}` and what the intake held, or `{"certificate", "vault_key"}`.

    Nobody but this service reads it.
    """
    return f"tenants/{tenant}/credentials/{profile}"


def sign_in(tenant: str, state: str) -> str:
    """What a sign-in in progress needs at its end: `{"kept", "expires_at"}`; `state` is a hash."""
    return f"tenants/{tenant}/sign-in/{state}"


def token(tenant: str, profile: Profile) -> str:
    """The current token: `{"access_token", "expires_at", "generation", "fingerprint"}`."""
    return f"tenants/{tenant}/tokens/{profile}"


def recovery_key(tenant: str) -> str:
    """The public half of the customer's recovery key: `{"public_key"}`. backup-service wraps data keys to it."""
    return f"tenants/{tenant}/recovery-key"


def transit_key(tenant: str) -> str:
    """The key that wraps the data keys of the tenant's repository."""
    return f"tenant-{tenant}"


def app_key(tenant: str, profile: Profile, number: int) -> str:
    """A key that the profile's app signs in with. The dots keep tenants apart: no slug has one."""
    return f"app.{tenant}.{profile}.{number}"
