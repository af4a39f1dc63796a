"""New credentials of a storage target: a new place in the vault, the switch once they hold, then the old ones go."""

from chassis.vault import Vault
from contracts import rpc
from contracts.api import SFTPCredentials, StorageCredentialsBody, StorageTargetResult
from contracts.problem import ProblemError, invalid
from gateway.domain import Asking
from gateway.ports import Services
from gateway.usecases.secrets import UNKNOWN_OUTCOME, connection_test_failed


async def renew_storage_credentials(
    services: Services,
    vault: Vault,
    tenant: str,
    target: str,
    body: StorageCredentialsBody,
    *,
    repeatable: bool,
    asking: Asking,
) -> StorageTargetResult:
    """The request id names the new credentials; the switch is one write of the target's document.

    Whoever dies before it leaves a secret that nobody uses, which the repeated request takes away (`repeatable` says
    that it may be one). Whoever dies after it leaves former secrets: the repeated request or the next renewal
    destroys them.
    """
    saved = await services.ask(rpc.TARGET_GET, tenant, rpc.ById(id=target), asking)
    if (saved.kind == "sftp") != isinstance(body.credentials, SFTPCredentials):
        raise invalid(f"the storage target takes credentials of the kind {saved.kind}")
    result = StorageTargetResult(target=saved, steps=())
    if saved.credentials != asking.request_id:
        result = await _switch(services, vault, tenant, target, body, repeatable=repeatable, asking=asking)
    for former in result.target.retired:
        await vault.kv_delete(_path(tenant, former))
    return result


async def _switch(
    services: Services,
    vault: Vault,
    tenant: str,
    target: str,
    body: StorageCredentialsBody,
    *,
    repeatable: bool,
    asking: Asking,
) -> StorageTargetResult:
    path = _path(tenant, asking.request_id)
    if repeatable:
        await vault.kv_delete(path)
    await vault.kv_create(path, {name: part.get_secret_value() for name, part in body.credentials if part is not None})
    question = rpc.RenewTarget(id=target, credentials=asking.request_id)
    try:
        done = await services.ask(rpc.TARGET_RENEW, tenant, question, asking)
    except ProblemError as error:
        # Without an answer the switch may have been made, and they are in use.
        if error.problem.status < UNKNOWN_OUTCOME:
            await vault.kv_delete(path)
        raise
    if done.target is None:
        await vault.kv_delete(path)
        raise connection_test_failed(done)
    return StorageTargetResult(target=done.target, steps=done.steps)


def _path(tenant: str, credentials: str) -> str:
    return f"tenants/{tenant}/storage/{credentials}"
