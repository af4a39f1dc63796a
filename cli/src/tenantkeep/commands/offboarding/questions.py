"""The API's routes about the end of a tenant."""

from urllib.parse import quote

from pydantic import BaseModel

from contracts.api import AttestedKeyBody, ExportDecisionBody, ShreddingBody
from contracts.offboarding import OffboardingView
from tenantkeep.commands.client import Gateway


class Offboardings:
    """Of one tenant. Every method raises `CommandError`, as the gateway's do."""

    def __init__(self, gateway: Gateway, tenant: str) -> None:
        self._gateway = gateway
        self._path = f"/tenants/{quote(tenant, safe='')}/offboarding"

    def record(self) -> OffboardingView:
        return self._ask("GET")

    def begin(self) -> OffboardingView:
        return self._ask("POST")

    def cancel(self) -> OffboardingView:
        return self._ask("DELETE")

    def decide_export(self, body: ExportDecisionBody) -> OffboardingView:
        return self._ask("POST", "/export", body)

    def order_shredding(self, body: ShreddingBody) -> OffboardingView:
        return self._ask("POST", "/shredding", body)

    def attest_recovery_key(self, body: AttestedKeyBody) -> OffboardingView:
        return self._ask("POST", "/recovery-keys", body)

    def _ask(self, method: str, below: str = "", body: BaseModel | None = None) -> OffboardingView:
        return self._gateway.call(method, self._path + below, OffboardingView, body)
