"""Heads of the audit chain as the repositories hold them: what the chain can be checked against from outside.

They lie among the kept documents, under a name per month: of each name the newest thirty stay, so every month keeps its
seals for ever.
"""

import asyncio
from datetime import datetime

import structlog

from backup_engine import Repository, RepositoryError
from backup_service.ports import Catalogue, Repositories
from chassis.vault import VaultError
from contracts.audit_chain import AuditSeal, AuditSeals
from contracts.operations.audit import AuditSealsOf

log = structlog.get_logger()

_NAME = "audit-"
_TARGETS = 100


def seals_of(moment: datetime) -> str:
    """The name under which the seals of a month are kept."""
    return f"{_NAME}{moment:%Y-%m}"


class ReadSeals:
    def __init__(self, catalogue: Catalogue, repositories: Repositories) -> None:
        self._catalogue = catalogue
        self._repositories = repositories

    async def __call__(self, tenant: str, question: AuditSealsOf) -> AuditSeals:
        """The seals of the month behind the cursor, in every repository that can be read; the others are named."""
        targets = (await self._catalogue.targets(tenant, None, _TARGETS)).items
        found: list[AuditSeal] = []
        months: set[str] = set()
        unread = []
        for target in targets:
            try:
                repository = await self._repositories.open(tenant, target.id)
                later = await asyncio.to_thread(_months, repository, question.cursor or "")
                found += await asyncio.to_thread(_first, repository, target.id, later)
                months |= set(later)
            except (RepositoryError, VaultError) as error:
                log.warning("seals cannot be read", tenant=tenant, target=target.id, reason=type(error).__name__)
                unread.append(target.id)
        first = min(months, default="")
        ours = [seal for seal in found if seal.tenant == tenant and f"{seal.sealed_on:%Y-%m}" == first]
        return AuditSeals(
            items=tuple(sorted(ours, key=lambda seal: seal.length)),
            cursor=first if len(months) > 1 else None,
            unread=tuple(unread),
        )


def _months(repository: Repository, after: str) -> list[str]:
    months = (name.removeprefix(_NAME) for name in repository.documents.services() if name.startswith(_NAME))
    return sorted(month for month in months if month > after)


def _first(repository: Repository, target: str, months: list[str]) -> list[AuditSeal]:
    """Those of the first month; a later one than another repository's is dropped by the caller, and read again."""
    found = repository.documents.versions(f"{_NAME}{months[0]}") if months else []
    return [AuditSeal.model_validate({**document, "target": target}) for document in found]
