"""A tenant: its slug here and its id at Microsoft, bound to each other for ever."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class TenantRecord:
    """Slug and Entra tenant id are one to one; neither is ever given to another tenant."""

    slug: str
    entra_tenant_id: str
    display_name: str
    support_contact: str
    created_at: datetime
