"""Words for employees and syncs, in both languages."""

from contracts.names import DirectoryState, Role, SyncKind
from contracts.texts import Text, render
from tenantkeep.commands import labels

EMPLOYEE = Text("Employee", "Mitarbeiter")
MAIL = Text("Mail address", "Mailadresse")
ROLES = Text("Roles", "Rollen")
ACCOUNT = Text("Account", "Konto")
ENABLED = Text("enabled", "aktiv")
DISABLED = Text("disabled", "deaktiviert")
SYNCED = Text("Synchronised", "Abgeglichen")
STALE = Text("stale", "veraltet")
FIELD = Text("Field", "Feld")
VALUE = Text("Value", "Wert")
OLD = Text("Before", "Vorher")
NEW = Text("After", "Nachher")
BY = Text("Who", "Wer")
ORIGIN = Text("By way of", "Auf dem Weg")
AT = Text("When", "Wann")
ACTION = Text("What", "Was")
OBJECT_ID = Text("Entra object id", "Entra-Objekt-ID")
SIGN_IN_NAME = Text("Signs in as", "Anmeldename")
ERASED = Text("Erased", "Gelöscht")
COUNT = Text("Number", "Anzahl")
SETTING = Text("Setting", "Einstellung")

DIRECTORY_STATES: dict[DirectoryState, Text] = {
    DirectoryState.PRESENT: Text("present", "vorhanden"),
    DirectoryState.DELETED: Text("deleted in Microsoft 365", "in Microsoft 365 gelöscht"),
}
ROLE_NAMES: dict[Role, Text] = {
    Role.OPERATOR: Text("Operator", "Betreiber"),
    Role.ADMIN: Text("Admin", "Admin"),
    Role.USER: Text("User", "Benutzer"),
    Role.HR: Text("HR", "Personal"),
    Role.ACCOUNTING: Text("Accounting", "Buchhaltung"),
}
SYNC_KINDS: dict[SyncKind, Text] = {
    SyncKind.FULL: Text("everybody", "alle"),
    SyncKind.INCREMENTAL: Text("changes", "Änderungen"),
    SyncKind.USERS: Text("single users", "einzelne Benutzer"),
}
FIELDS: dict[str, Text] = {
    "display_name": Text("Display name", "Anzeigename"),
    "first_name": Text("First name", "Vorname"),
    "last_name": Text("Last name", "Nachname"),
    "primary_mail": Text("Primary mail address", "Primäre Mailadresse"),
    "job_title": Text("Job title", "Position"),
    "department": Text("Department", "Abteilung"),
    "mobile_number": Text("Mobile number", "Mobilnummer"),
    "business_phones": Text("Business phones", "Geschäftliche Rufnummern"),
    "office_location": Text("Office location", "Bürostandort"),
    "street": Text("Street", "Straße"),
    "city": Text("City", "Ort"),
    "postal_code": Text("Postal code", "Postleitzahl"),
    "country": Text("Country", "Land"),
    "preferred_language": Text("Preferred language", "Bevorzugte Sprache"),
    "account_enabled": Text("Account enabled", "Konto aktiv"),
    "employee_type": Text("Employee type", "Art des Mitarbeiters"),
    "employee_status": Text("Employee status", "Mitarbeiterstatus"),
    "remote_worker": Text("Remote worker", "Arbeitet remote"),
    "gdpr_exempt": Text("GDPR exempt", "DSGVO ignorieren"),
    "gdpr_reason": Text("GDPR reason", "DSGVO-Grund"),
    "entry_date": Text("Entry date", "Eintrittsdatum"),
    "exit_date": Text("Exit date", "Austrittsdatum"),
    "roles": ROLES,
}


def field(name: str, language: str) -> str:
    """Text of a field; the name itself for one that a newer release has."""
    text = FIELDS.get(name)
    return name if text is None else render(text, language)


def yes_or_no(value: bool, language: str) -> str:
    return render(labels.YES if value else labels.NO, language)
