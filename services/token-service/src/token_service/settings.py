"""Settings of token-service; the only reader of the environment."""

from typing import Annotated

from pydantic import Field

from chassis.settings import Seconds, ServiceSettings
from token_service.domain.connection import RenewalPolicy
from token_service.domain.onboarding import LookPolicy
from token_service.domain.permissions import CheckPolicy


class TokenServiceSettings(ServiceSettings):
    """+ when tokens are renewed."""

    graph_scope: str = Field(
        "https://graph.microsoft.com/.default",
        description="Scope of the tokens that are asked for (national clouds have their own).",
    )
    token_renew_share: Annotated[float, Field(gt=0, lt=0.9)] = Field(
        0.6, description="Share of a token's life after which it is renewed; up to a tenth is added at random."
    )
    token_retry_base: Seconds = Field(
        5.0, description="Seconds until the second attempt to get a token; then doubling."
    )
    token_retry_cap: Seconds = Field(
        300.0, description="Longest pause between two attempts to get a token, in seconds."
    )
    token_claim: Seconds = Field(
        60.0, description="Seconds after which another replica takes over a renewal whose worker died."
    )
    credential_look: Seconds = Field(
        86_400.0, description="Seconds after which it is read again when the credential of a profile ends."
    )
    incident_look: Seconds = Field(
        5.0, description="Seconds between two looks at an incident whose replacement is not effective yet."
    )
    intake_life: Seconds = Field(
        600.0, description="Seconds a secret may wait in the vault for token-service before it is destroyed."
    )
    token_rejected_pause: Seconds = Field(
        5.0, description="Seconds a token must have lived before a rejection leads to its renewal."
    )
    onboarding_look: Seconds = Field(
        5.0, description="Seconds until the facts of an onboarding that changed are looked at again without an event."
    )
    onboarding_look_longest: Seconds = Field(
        300.0, description="Longest pause between two looks, in seconds; productive tenants have this rhythm."
    )

    vault_key_days: Annotated[int, Field(ge=1, le=1095)] = Field(
        365, description="Days for which the certificate of an app's key in the vault is valid."
    )

    def onboarding(self) -> LookPolicy:
        """Give the policy these settings describe."""
        return LookPolicy(shortest=self.onboarding_look, longest=self.onboarding_look_longest)

    permission_check_interval: Seconds = Field(
        86_400.0, description="Seconds from one permission check of a profile to the next when all was in order."
    )
    permission_check_retry: Seconds = Field(
        900.0, description="The same when something was missing, too much or could not be looked up."
    )
    permission_check_calm: Seconds = Field(
        30.0, description="Seconds after a permission check before a refused call leads to the next one."
    )

    def checks(self) -> CheckPolicy:
        """Give the policy these settings describe."""
        return CheckPolicy(
            interval=self.permission_check_interval,
            retry=self.permission_check_retry,
            calm=self.permission_check_calm,
        )

    def renewal(self) -> RenewalPolicy:
        """Give the policy these settings describe."""
        return RenewalPolicy(
            share=self.token_renew_share,
            retry_base=self.token_retry_base,
            retry_cap=self.token_retry_cap,
            claim=self.token_claim,
            rejected_pause=self.token_rejected_pause,
        )
