"""Heads of the audit chain as the repositories hold them: what the chain can be checked against from outside.

They lie among the kept documents, of which the newest thirty of each name stay. A name covers ten days at most, with a
seal a day: every seal stays for ever.
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
_MONTH = len("2026-11")


def seals_of(moment: datetime) -> str:
    """The name under which seals are kept: one for the days of a month that begin with the same digit."""
    return f"{_NAME}{moment:%Y-%m-%d}"[:-1]


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


def _months(repository: Repository, after: str) -> dict[str, list[str]]:
    """The names of each month behind `after`, in order."""
    months: dict[str, list[str]] = {}
    for name in sorted(repository.documents.services()):
        month = name.removeprefix(_NAME)[:_MONTH]
        if name.startswith(_NAME) and month > after:
            months.setdefault(month, []).append(name)
    return months


def _first(repository: Repository, target: str, months: dict[str, list[str]]) -> list[AuditSeal]:
    """Those of the first month; a later one than another repository's is dropped by the caller, and read again."""
    found = (document for name in next(iter(months.values()), []) for document in repository.documents.versions(name))
    return [AuditSeal.model_validate({**document, "target": target}) for document in found]
