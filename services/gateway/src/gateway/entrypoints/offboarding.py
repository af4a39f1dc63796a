"""The end of a tenant: stop, export, shred, proof."""

from contracts import rpc
from contracts.api import AttestedKeyBody, ExportDecisionBody, ShreddingBody
from contracts.offboarding import OffboardingView
from contracts.operations import offboarding
from gateway.entrypoints.gate import Api, Asked, Gated
from gateway.entrypoints.gate import Tenant as Slug
from gateway.usecases import offboarding as commands

api = Api("tenants")


@api.route("get_offboarding")
async def get_offboarding(gate: Gated, asking: Asked, tenant: Slug) -> OffboardingView:
    """Show the record of a tenant's offboarding, and what stands before its next step.

    What can be checked is checked before it is shown.
    """
    return await gate.services.ask(offboarding.OFFBOARDING_GET, tenant, rpc.Nothing(), asking)


@api.route("begin_offboarding")
async def begin_offboarding(gate: Gated, asking: Asked, tenant: Slug) -> OffboardingView:
    """Stop everything that works for a tenant: pause its backups, deactivate its tokens.

    Nothing stored is touched, and it can be cancelled until shredding is ordered.
    """
    return await commands.begin(gate.services, tenant, asking)


@api.route("cancel_offboarding")
async def cancel_offboarding(gate: Gated, asking: Asked, tenant: Slug) -> OffboardingView:
    """Cancel an offboarding.

    Credentials are set again and configurations resumed by people; the record keeps what was done.
    """
    return await commands.cancel(gate.services, tenant, asking)


@api.route("decide_export")
async def decide_export(gate: Gated, asking: Asked, tenant: Slug, body: ExportDecisionBody) -> OffboardingView:
    """Record that the data was exported and handed over, or that this was declined."""
    question = offboarding.DecideExport(exported=body.exported, note=body.note)
    return await gate.services.ask(offboarding.EXPORT_DECIDE, tenant, question, asking)


@api.route("order_shredding")
async def order_shredding(gate: Gated, asking: Asked, tenant: Slug, body: ShreddingBody) -> OffboardingView:
    """Order that everything stored is made unreadable; the answer lists every key that has to be destroyed.

    Refused while a legal hold or the least retention covers anything. The vault's key is destroyed by an operator's
    own role, the recovery keys by the customer.
    """
    question = offboarding.OrderShredding(confirm=body.confirm)
    return await gate.services.ask(offboarding.SHREDDING_ORDER, tenant, question, asking)


@api.route("attest_recovery_key")
async def attest_recovery_key(gate: Gated, asking: Asked, tenant: Slug, body: AttestedKeyBody) -> OffboardingView:
    """Record who on the customer's side says that every copy of a recovery key is destroyed."""
    question = offboarding.AttestKey(fingerprint=body.fingerprint, by=body.by)
    return await gate.services.ask(offboarding.KEY_ATTEST, tenant, question, asking)
