"""Legal holds: what they cover does not expire until somebody releases them."""

from typing import Annotated

from fastapi import Query

from contracts import rpc
from contracts.api import LegalHoldBody, LegalHoldReleaseBody
from contracts.views import LegalHold, Listing
from gateway.entrypoints.backups import Id
from gateway.entrypoints.gate import Api, Asked, Creating, Gated, Tenant
from gateway.entrypoints.tenants import PageQuery

api = Api("legal holds")


@api.route("list_legal_holds")
async def list_legal_holds(
    gate: Gated, asking: Asked, tenant: Tenant, page: Annotated[PageQuery, Query()]
) -> Listing[LegalHold]:
    """List legal holds, newest first, released ones included."""
    return await gate.services.ask(rpc.LEGAL_HOLD_LIST, tenant, page, asking)


@api.route("place_legal_hold", status_code=201)
async def place_legal_hold(gate: Gated, creation: Creating, tenant: Tenant, body: LegalHoldBody) -> LegalHold:
    """Place a legal hold on a restore point, on all of a resource, or on a whole storage target.

    It is in force when its state is `active`: then it is written into the repository, and on a storage with object
    lock every object has the legal hold of the storage.
    """
    question = rpc.PlaceLegalHold.model_validate(body.model_dump())
    return await gate.services.ask(rpc.LEGAL_HOLD_PLACE, tenant, question, creation.identified(body))


@api.route("release_legal_hold")
async def release_legal_hold(
    gate: Gated, asking: Asked, tenant: Tenant, hold: Id, body: LegalHoldReleaseBody
) -> LegalHold:
    """Release a legal hold.

    The hold and its release stay on record. What it covered expires at its own date, unless another hold covers it.
    """
    question = rpc.ReleaseLegalHold(id=hold, reason=body.reason)
    return await gate.services.ask(rpc.LEGAL_HOLD_RELEASE, tenant, question, asking)
