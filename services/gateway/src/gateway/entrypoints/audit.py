"""Who changed what: the records of a tenant's audit chain, and the heads it can be checked against."""

from typing import Annotated

from fastapi import Query
from pydantic import ConfigDict

from contracts.audit_chain import AuditRecord, AuditSeals
from contracts.operations.audit import AUDIT_LIST, AUDIT_SEALS, AuditRecordsOf, AuditSealsOf
from contracts.views import Listing
from gateway.entrypoints.gate import Api, Asked, Gated, Tenant

api = Api("audit")


class AuditQuery(AuditRecordsOf):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SealsQuery(AuditSealsOf):
    model_config = ConfigDict(frozen=True, extra="forbid")


@api.route("list_audit_records")
async def list_audit_records(
    gate: Gated, asking: Asked, tenant: Tenant, query: Annotated[AuditQuery, Query()]
) -> Listing[AuditRecord]:
    """List who changed what, newest first, or from the beginning.

    A record is what was hashed, field by field: the hash of all others in canonical JSON is its `hash`, and the next
    record names it as `previous`.
    """
    return await gate.services.ask(AUDIT_LIST, tenant, query, asking)


@api.route("list_audit_seals")
async def list_audit_seals(
    gate: Gated, asking: Asked, tenant: Tenant, query: Annotated[SealsQuery, Query()]
) -> AuditSeals:
    """List what the end of the audit chain was, day by day, as the tenant's repositories hold it; a month per page.

    `unread` names the storage targets whose seals could not be read now.
    """
    return await gate.services.ask(AUDIT_SEALS, tenant, query, asking)


@api.route("list_installation_audit")
async def list_installation_audit(
    gate: Gated, asking: Asked, query: Annotated[AuditQuery, Query()]
) -> Listing[AuditRecord]:
    """List changes that concern no single tenant: shown to tokens for every tenant. No repository seals them."""
    if not asking.caller.covers_all():
        return Listing[AuditRecord](items=())
    return await gate.services.ask(AUDIT_LIST, None, query, asking)
