"""Secrets go into the vault first, under a path the gateway may create but not read; then only a reference travels."""

import asyncio
import contextlib

from chassis.vault import Secret, Vault, VaultError
from contracts import rpc
from contracts.api import AnyTargetBody, CertificateBody, CredentialBody, StorageTargetResult
from contracts.names import Profile
from contracts.problem import Problem, ProblemError
from contracts.views import StorageTarget, TokenView
from gateway.domain import Asking
from gateway.ports import Services

UNKNOWN_OUTCOME = 500
"""From this status on the service may have acted although it did not say so."""


async def set_credential(
    services: Services,
    vault: Vault,
    tenant: str,
    profile: Profile,
    body: CredentialBody,
    *,
    intake: str,
    asking: Asking,
) -> TokenView:
    """Hand an app's client secret to token-service through the vault; `intake` is a fresh id."""
    question = rpc.SetCredential(profile=profile, client_id=body.client_id, intake=intake)
    secret = {"client_secret": body.client_secret.get_secret_value()}
    return await _through_the_vault(services, vault, tenant, question, secret=secret, asking=asking)


async def set_certificate(
    services: Services,
    vault: Vault,
    tenant: str,
    profile: Profile,
    body: CertificateBody,
    *,
    intake: str,
    asking: Asking,
) -> TokenView:
    """Hand an app's certificate and private key to token-service through the vault; `intake` is a fresh id."""
    question = rpc.SetCredential(profile=profile, client_id=body.client_id, intake=intake)
    pair = {"certificate": body.certificate, "private_key": body.private_key.get_secret_value()}
    return await _through_the_vault(services, vault, tenant, question, secret=pair, asking=asking)


async def _through_the_vault(
    services: Services, vault: Vault, tenant: str, question: rpc.SetCredential, *, secret: Secret, asking: Asking
) -> TokenView:
    path = f"tenants/{tenant}/intake/{question.intake}"
    await vault.kv_create(path, secret)
    try:
        return await services.ask(rpc.CREDENTIAL_SET, tenant, question, asking)
    except (ProblemError, asyncio.CancelledError):
        # Whoever was to take it may be away, and the next try brings it again. What a vault that is away, too, keeps
        # is cleared by token-service.
        with contextlib.suppress(VaultError):
            await vault.kv_delete(path)
        raise


async def create_storage_target(
    services: Services, vault: Vault, tenant: str, body: AnyTargetBody, *, repeatable: bool, asking: Asking
) -> StorageTargetResult:
    """Save a storage target whose connection test held; the request id becomes its id.

    A refused target leaves no secret behind. Where the answer is missing the target may have been saved, so its secret
    stays until the request is repeated: `repeatable` says that this request may be such a repeat.
    """
    target = asking.request_id
    path = f"tenants/{tenant}/storage/{target}"
    if repeatable:
        saved = await _saved_target(services, tenant, target, asking)
        if saved is not None:
            return StorageTargetResult(target=saved, steps=())
        await vault.kv_delete(path)
    keys = {name: secret.get_secret_value() for name, secret in body.credentials if secret is not None}
    await vault.kv_create(path, keys)
    question = rpc.CreateTarget(id=target, **body.model_dump(exclude={"credentials"}))
    try:
        created = await services.ask(rpc.TARGET_CREATE, tenant, question, asking)
    except ProblemError as error:
        if error.problem.status < UNKNOWN_OUTCOME:
            await vault.kv_delete(path)
        raise
    if created.target is None:
        await vault.kv_delete(path)
        raise connection_test_failed(created)
    return StorageTargetResult(target=created.target, steps=created.steps)


async def _saved_target(services: Services, tenant: str, target: str, asking: Asking) -> StorageTarget | None:
    page = rpc.Page()
    while True:
        answer = await services.ask(rpc.TARGET_LIST, tenant, page, asking)
        found = next((saved for saved in answer.items if saved.id == target), None)
        if found is not None or answer.cursor is None:
            return found
        page = rpc.Page(cursor=answer.cursor)


def connection_test_failed(created: rpc.CreatedTarget) -> ProblemError:
    failed = next((step.name for step in created.steps if not step.ok), "the connection test")
    return ProblemError(
        Problem(
            code="connection-test-failed",
            status=422,
            title="The connection test failed",
            detail=f"Nothing was saved. Correct what the step '{failed}' says and try again.",
            errors=tuple(step.model_dump(mode="json", exclude_none=True) for step in created.steps),
        )
    )
