"""What keeps the audit chains."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from contracts.audit_chain import AuditHead

Record = Mapping[str, Any]
"""A record of the chain exactly as it was hashed (contracts.audit_chain)."""


class Chains(Protocol):
    """One chain of records per tenant. Every method may raise LedgerUnavailable."""

    async def head(self, tenant: str) -> AuditHead:
        """Where the chain ends; of length 0 when there is none. Records read after this call reach that far."""
        ...

    async def known(self, tenant: str, events: Collection[str]) -> Collection[str]:
        """Which of these events have a record."""
        ...

    async def append(self, head: AuditHead, records: Sequence[Record]) -> bool:
        """Put the records behind `head`, all or none, whenever the process dies.

        False, and nothing kept, when the chain does not end there any more.
        """
        ...

    async def records(self, tenant: str, after: int | None, limit: int, *, oldest_first: bool) -> Sequence[Record]:
        """Some records, in the order of their numbers or against it, beginning next to number `after`."""
        ...
