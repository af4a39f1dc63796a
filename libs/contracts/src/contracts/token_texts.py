"""What people read about tokens: what to have at hand before, what to do next, and the card for quick reference."""

from typing import NamedTuple

from contracts.names import ConsentSource, CredentialKind, ExpirySource, RecordEnd, TokenStatus
from contracts.texts import Text

PREFLIGHT: tuple[Text, ...] = (
    Text(
        "An administrator account with the role that the profile needs is at hand.",
        "Ein Administratorkonto mit der Rolle, die das Profil braucht, ist zur Hand.",
    ),
    Text("The tenant is known: this one, no other.", "Der Mandant ist bekannt: dieser, kein anderer."),
    Text("There is time to verify the token afterwards.", "Es ist Zeit, das Token danach zu prüfen."),
    Text(
        "No pop-up blocker is in the way: consent opens as a whole page, never as a pop-up.",
        "Kein Pop-up-Blocker ist im Weg: Die Genehmigung öffnet sich als ganze Seite, nie als Pop-up.",
    ),
)
"""Looked at before a token is generated."""

NEXT_STEPS: dict[TokenStatus, Text] = {
    TokenStatus.ACTIVE: Text("nothing: it renews itself", "nichts: Es erneuert sich selbst"),
    TokenStatus.EXPIRING: Text("tenantkeep token renew {}", "tenantkeep token renew {}"),
    TokenStatus.EXPIRED: Text("tenantkeep token renew {}", "tenantkeep token renew {}"),
    TokenStatus.CONSENT_REQUIRED: Text("tenantkeep tenant consent {}", "tenantkeep tenant consent {}"),
    TokenStatus.DEACTIVATED: Text("tenantkeep token generate {}", "tenantkeep token generate {}"),
    TokenStatus.UNKNOWN: Text("tenantkeep token generate {}", "tenantkeep token generate {}"),
}
"""The command that helps; `{}` takes the profile."""

CREDENTIALS: dict[CredentialKind, Text] = {
    CredentialKind.SECRET: Text("client secret", "Geheimer Clientschlüssel"),
    CredentialKind.CERTIFICATE: Text("certificate", "Zertifikat"),
    CredentialKind.VAULT_KEY: Text("key in the vault", "Schlüssel im Tresor"),
}

EXPIRY_SOURCES: dict[ExpirySource, Text] = {
    ExpirySource.APPLICATION: Text("as the app registration says", "laut App-Registrierung"),
    ExpirySource.CERTIFICATE: Text("as the certificate says", "laut Zertifikat"),
    ExpirySource.REMOVED: Text(
        "the app registration holds it no more: the next sign-in will be refused; upload it again or generate anew",
        "die App-Registrierung enthält sie nicht mehr: Die nächste Anmeldung wird abgelehnt; erneut hochladen oder neu "
        "generieren",
    ),
    ExpirySource.UNKNOWN: Text("not read yet, or not readable", "noch nicht gelesen oder nicht lesbar"),
}

RECORD_ENDS: dict[RecordEnd, Text] = {
    RecordEnd.REPLACED: Text("replaced", "ersetzt"),
    RecordEnd.DEACTIVATED: Text("deactivated", "deaktiviert"),
    RecordEnd.INCIDENT: Text("deactivated: incident", "deaktiviert: Vorfall"),
    RecordEnd.DELETED: Text("deleted", "gelöscht"),
}

CONSENT_SOURCES: dict[ConsentSource, Text] = {
    ConsentSource.AUDIT: Text("directory audit log", "Überwachungsprotokoll des Verzeichnisses"),
    ConsentSource.TYPED: Text("typed in", "eingetragen"),
}


class Card(NamedTuple):
    """A situation and what to do, in this order."""

    situation: Text
    steps: tuple[Text, ...]


QUICK_REFERENCE: tuple[Card, ...] = (
    Card(
        Text("A new token is needed", "Ein neues Token wird gebraucht"),
        (
            Text(
                "generate it with the administrator: tenantkeep token generate",
                "mit dem Administrator generieren: tenantkeep token generate",
            ),
            Text("verify it: tenantkeep token verify", "prüfen: tenantkeep token verify"),
            Text("test it: tenantkeep backup run", "testen: tenantkeep backup run"),
        ),
    ),
    Card(
        Text("A token does not work", "Ein Token funktioniert nicht"),
        (
            Text("look at its status: tenantkeep token show", "Status ansehen: tenantkeep token show"),
            Text("check the permissions: tenantkeep token verify", "Berechtigungen prüfen: tenantkeep token verify"),
            Text(
                "if needed, generate it again: tenantkeep token generate",
                "bei Bedarf neu generieren: tenantkeep token generate",
            ),
        ),
    ),
    Card(
        Text("A job fails", "Ein Auftrag schlägt fehl"),
        (
            Text("look at its details: tenantkeep jobs show", "Einzelheiten ansehen: tenantkeep jobs show"),
            Text("find the cause, which is shown with it", "die Ursache feststellen, die dabei steht"),
            Text("take the measure that is shown with it", "die Maßnahme ergreifen, die dabei steht"),
        ),
    ),
    Card(
        Text("An incident", "Ein Vorfall"),
        (
            Text(
                "deactivate at once: tenantkeep incident open",
                "sofort deaktivieren: tenantkeep incident open",
            ),
            Text(
                "inform IT security (the incident does: security.incident-opened)",
                "IT-Sicherheit informieren (der Vorfall tut es: security.incident-opened)",
            ),
            Text("generate a new one: tenantkeep token generate", "neues Token generieren: tenantkeep token generate"),
        ),
    ),
    Card(
        Text("A new tenant", "Ein neuer Mandant"),
        (
            Text("create it: tenantkeep tenant add", "anlegen: tenantkeep tenant add"),
            Text("generate its tokens: tenantkeep token generate", "Token generieren: tenantkeep token generate"),
            Text("test backup: tenantkeep backup run", "Testsicherung: tenantkeep backup run"),
            Text("productive: give the backup a schedule", "produktiv: der Sicherung einen Zeitplan geben"),
        ),
    ),
)
