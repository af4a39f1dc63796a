"""Our names of the synchronised fields and Graph's (learn.microsoft.com/graph/api/resources/user)."""

from collections.abc import Mapping
from typing import Any

from sync_service.domain.directory_user import DirectoryUser

NAMES: Mapping[str, str] = {
    "display_name": "displayName",
    "first_name": "givenName",
    "last_name": "surname",
    "primary_mail": "mail",
    "job_title": "jobTitle",
    "department": "department",
    "mobile_number": "mobilePhone",
    "business_phones": "businessPhones",
    "office_location": "officeLocation",
    "street": "streetAddress",
    "city": "city",
    "postal_code": "postalCode",
    "country": "country",
    "preferred_language": "preferredLanguage",
    "account_enabled": "accountEnabled",
}

SELECT = ",".join(("id", "userType", *NAMES.values()))


def directory_user(found: Mapping[str, Any]) -> DirectoryUser:
    """Graph's user as ours; only what Graph named is given."""
    given = {ours: _value(ours, found[theirs]) for ours, theirs in NAMES.items() if theirs in found}
    guest = found["userType"] == "Guest" if "userType" in found else None
    return DirectoryUser(str(found["id"]), given, guest)


def _value(name: str, value: Any) -> Any:
    if name == "business_phones":
        return tuple(str(number) for number in value or ())
    if name == "account_enabled":
        return bool(value)
    return str(value) if value else None
