"""What everybody may see of a tenant."""

from contracts import views
from token_service.domain.tenant import RecoveryKey, TenantRecord


def tenant_view(record: TenantRecord) -> views.Tenant:
    """The tenant as it is shown; no secret is in it."""
    return views.Tenant(
        tenant=record.slug,
        entra_tenant_id=record.entra_tenant_id,
        display_name=record.display_name,
        support_contact=record.support_contact,
        created_at=record.created_at,
        recovery_key=None if record.recovery_key is None else _recovery_key_view(record.recovery_key),
        contacts=record.contacts,
    )


def _recovery_key_view(key: RecoveryKey) -> views.RecoveryKeyView:
    return views.RecoveryKeyView(public_key=key.public_key, fingerprint=key.fingerprint, since=key.since)
