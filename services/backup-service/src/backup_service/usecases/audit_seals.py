"""Heads of the audit chain as the repositories hold them: what the chain can be checked against from outside.

They lie among the kept documents, under a name per month: of each name the newest thirty stay, so every month keeps its
seals for ever.
"""

import asyncio
from datetime import datetime

from backup_engine import Repository, RepositoryError
from backup_service.ports import Catalogue, Repositories
from chassis.vault import VaultError
from contracts.audit_chain import AuditSeal
from contracts.operations.audit import AuditSealsOf
from contracts.problem import unavailable
from contracts.views import Listing

_NAME = "audit-"
_TARGETS = 100


def seals_of(moment: datetime) -> str:
    """The name under which the seals of a month are kept."""
    return f"{_NAME}{moment:%Y-%m}"


class AuditSeals:
    def __init__(self, catalogue: Catalogue, repositories: Repositories) -> None:
        self._catalogue = catalogue
        self._repositories = repositories

    async def __call__(self, tenant: str, question: AuditSealsOf) -> Listing[AuditSeal]:
        """The seals of the month behind the cursor, in all repositories. Raises ProblemError: unavailable."""
        targets = (await self._catalogue.targets(tenant, None, _TARGETS)).items
        try:
            opened = {target.id: await self._repositories.open(tenant, target.id) for target in targets}
            months = await asyncio.to_thread(_months, list(opened.values()), question.cursor or "")
            if not months:
                return Listing[AuditSeal](items=())
            seals = [
                AuditSeal.model_validate({**document, "target": target})
                for target, repository in opened.items()
                for document in await asyncio.to_thread(repository.documents.versions, f"{_NAME}{months[0]}")
            ]
        except (RepositoryError, VaultError) as error:
            raise unavailable(f"the seals cannot be read from storage: {error}") from error
        ours = tuple(sorted((seal for seal in seals if seal.tenant == tenant), key=lambda seal: seal.length))
        return Listing[AuditSeal](items=ours, cursor=months[0] if len(months) > 1 else None)


def _months(repositories: list[Repository], after: str) -> list[str]:
    names = {name for repository in repositories for name in repository.documents.services()}
    months = (name.removeprefix(_NAME) for name in names if name.startswith(_NAME))
    return sorted(month for month in months if month > after)
