"""What people read about app profiles: roles, features, what to look at before consent, how to take it back."""

from contracts.names import AdminRole, Feature
from contracts.texts import Text

ROLE_NAMES: dict[AdminRole, Text] = {
    AdminRole.GLOBAL_ADMINISTRATOR: Text("Global Administrator", "Globaler Administrator"),
    AdminRole.PRIVILEGED_ROLE_ADMINISTRATOR: Text(
        "Privileged Role Administrator", "Administrator für privilegierte Rollen"
    ),
    AdminRole.APPLICATION_ADMINISTRATOR: Text("Application Administrator", "Anwendungsadministrator"),
    AdminRole.CLOUD_APPLICATION_ADMINISTRATOR: Text("Cloud Application Administrator", "Cloudanwendungsadministrator"),
    AdminRole.SECURITY_READER: Text("Security Reader", "Sicherheitsleseberechtigter"),
    AdminRole.REPORTS_READER: Text("Reports Reader", "Berichtsleseberechtigter"),
}

FEATURES: dict[Feature, Text] = {
    Feature.PROFILE_UPDATE: Text("changing employees' data", "Ändern von Mitarbeiterdaten"),
    Feature.CONSENT_GIVER: Text("who consented", "wer zugestimmt hat"),
    Feature.DELEGATED_CHECK: Text("check of delegated permissions", "Prüfung delegierter Berechtigungen"),
    Feature.PERSON_SIGN_IN: Text("sign-in of a person", "Anmeldung einer Person"),
    Feature.CALENDARS: Text("calendars", "Kalender"),
    Feature.CONTACTS: Text("contacts", "Kontakte"),
    Feature.ADDRESS_BOOK: Text("address book", "Adressbuch"),
    Feature.PASSKEY_DETAILS: Text("details of security keys", "Einzelheiten zu Sicherheitsschlüsseln"),
    Feature.ROLE_SCHEDULES: Text("eligible and temporary roles", "aktivierbare und befristete Rollen"),
}


LEAST_ROLE = Text(
    "Application Administrator is enough for the app registration and for delegated permissions. Microsoft requires "
    "Privileged Role Administrator where application permissions of Microsoft Graph are granted. Global Administrator "
    "is enough and never needed: whoever consents, the app gets the permissions of this list and nothing of the "
    "person's own rights.",
    "Für die App-Registrierung und für delegierte Berechtigungen genügt die Rolle Anwendungsadministrator. Wo "
    "Anwendungsberechtigungen für Microsoft Graph erteilt werden, verlangt Microsoft die Rolle Administrator für "
    "privilegierte Rollen. Globaler Administrator genügt und ist nie nötig: Wer auch zustimmt, die App erhält die "
    "Berechtigungen dieser Liste und nichts von den eigenen Rechten der Person.",
)

HOW_TO_WITHDRAW = Text(
    "To withdraw the consent, an administrator of the tenant opens the enterprise application in the Entra admin "
    "center and deletes it, or removes permissions under Permissions. Tenantkeep notices it at the next check or with "
    "the first call that is refused, and holds the jobs of this profile.",
    "Um die Genehmigung zu widerrufen, öffnet ein Administrator des Mandanten die Unternehmensanwendung im Entra Admin "
    "Center und löscht sie oder entzieht Berechtigungen unter „Berechtigungen“. Tenantkeep bemerkt es bei der "
    "nächsten Prüfung oder beim ersten abgelehnten Aufruf und hält die Aufträge dieses Profils an.",
)

PREFLIGHT: tuple[Text, ...] = (
    Text(
        "An administrator with the role named here is at hand.",
        "Ein Administrator mit der hier genannten Rolle ist verfügbar.",
    ),
    Text(
        "The tenant is the right one: compare the Entra tenant id.",
        "Es ist der richtige Mandant: Entra-Mandanten-ID vergleichen.",
    ),
    Text(
        "There is time to verify afterwards: status, permission check, test backup.",
        "Es ist Zeit, danach zu prüfen: Status, Berechtigungsprüfung, Testsicherung.",
    ),
    Text(
        "No pop-up blocker is in the way: consent is a page of its own, never a pop-up.",
        "Kein Popup-Blocker steht im Weg: Die Genehmigung ist eine eigene Seite, nie ein Popup.",
    ),
)
"""What to look at before a token is generated."""
