"""An employee and an entry of the activity log as documents, and back."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from chassis.documents import SCHEMA, Document, upgraded
from contracts.employees import Activity, LocalFields, SynchronisedFields
from contracts.names import DirectoryState, Role
from sync_service.adapters.mongo_store import SCHEMA_VERSION, key
from sync_service.domain.employee import Employee


def stored(employee: Employee) -> Document:
    """All of it but `_id` and schema version; `mail` and `begins` are what look-ups compare."""
    fields = employee.fields
    begins = (fields.display_name, fields.first_name, fields.last_name, fields.primary_mail)
    return {
        **asdict(employee),
        "fields": fields.model_dump(mode="json"),
        "local": employee.local.model_dump(mode="json"),
        "roles": [role.value for role in employee.roles],
        "directory_state": employee.directory_state.value,
        "mail": employee.mail,
        "begins": sorted({text.lower() for text in begins if text}),
    }


def document(employee: Employee) -> Document:
    return {"_id": key(employee.tenant, employee.id), SCHEMA: SCHEMA_VERSION, **stored(employee)}


def employee_of(found: Document) -> Employee:
    known = upgraded(found, SCHEMA_VERSION, {}, "employees")
    return Employee(
        tenant=known["tenant"],
        id=known["id"],
        fields=SynchronisedFields.model_validate(known["fields"]),
        imported_at=known["imported_at"],
        synced_at=known["synced_at"],
        version=known["version"],
        local=LocalFields.model_validate(known["local"]),
        roles=tuple(Role(role) for role in known["roles"]),
        directory_state=DirectoryState(known["directory_state"]),
        deleted_at=known["deleted_at"],
        predecessor=known["predecessor"],
        successor=known["successor"],
        offer_open=known["offer_open"],
    )


def entry(tenant: str, activity: Activity) -> Document:
    """`order` is unique and grows with time: pages are cut there."""
    identity = key(tenant, activity.id)
    return {
        "_id": identity,
        SCHEMA: SCHEMA_VERSION,
        "tenant": tenant,
        "order": order(activity.at, activity.id),
        **activity.model_dump(mode="python"),
    }


def order(at: datetime, identity: str) -> str:
    return f"{at.timestamp():017.6f}/{identity}"


def activity_of(found: Document) -> Activity:
    known: dict[str, Any] = upgraded(found, SCHEMA_VERSION, {}, "activity")
    return Activity.model_validate(known)
