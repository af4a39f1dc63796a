"""Error classes: one enum with cause, remedy, effect and the texts people read."""

from dataclasses import dataclass
from enum import StrEnum

from contracts.texts import Text


class ErrorClass(StrEnum):
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - an error class, not a password
    CONSENT_REQUIRED = "consent_required"
    ACCESS_DENIED = "access_denied"
    RATE_LIMITED = "rate_limited"
    CONNECTION_TIMEOUT = "connection_timeout"
    NO_VALID_TOKEN = "no_valid_token"  # noqa: S105 - an error class, not a password
    NOT_FOUND = "not_found"
    STORAGE_UNREACHABLE = "storage_unreachable"
    STORAGE_DENIED = "storage_denied"
    VAULT_UNREACHABLE = "vault_unreachable"
    INTEGRITY = "integrity"
    CORRUPT_SOURCE_ITEM = "corrupt_source_item"
    UNSUPPORTED_ITEM = "unsupported_item"
    CANCELLED = "cancelled"
    INTERNAL = "internal"


class Effect(StrEnum):
    """What an error of this class does to its job."""

    RETRY = "retry"
    HOLD = "hold"
    ITEM = "item"
    FAIL = "fail"


@dataclass(frozen=True)
class Explanation:
    """How an error class is shown: title, cause and remedy in both languages, and its effect."""

    title: Text
    cause: Text
    remedy: Text
    effect: Effect

    def runbook(self, error: ErrorClass) -> str:
        """Path of the runbook inside the project."""
        return f"deploy/monitoring/runbooks/{error.value}.md"


_E = ErrorClass

EXPLANATIONS: dict[ErrorClass, Explanation] = {
    _E.TOKEN_EXPIRED: Explanation(
        Text("Access token expired", "Zugriffstoken abgelaufen"),
        Text("token problem", "Token-Problem"),
        Text("renew or regenerate the token", "Token aktualisieren oder neu generieren"),
        Effect.HOLD,
    ),
    _E.CONSENT_REQUIRED: Explanation(
        Text("Admin consent required", "Admin-Genehmigung erforderlich"),
        Text("consent missing", "Genehmigung fehlt"),
        Text("generate a new token with consent", "Neues Token mit Genehmigung generieren"),
        Effect.HOLD,
    ),
    _E.ACCESS_DENIED: Explanation(
        Text("Access denied", "Zugriff verweigert"),
        Text("permission missing", "Fehlende Berechtigung"),
        Text("check admin consent", "Admin-Consent prüfen"),
        Effect.HOLD,
    ),
    _E.RATE_LIMITED: Explanation(
        Text("Rate limit exceeded", "Anfragelimit überschritten"),
        Text("too many requests", "Zu viele Anfragen"),
        Text("wait, retried automatically", "Abwarten, automatische Wiederholung"),
        Effect.RETRY,
    ),
    _E.CONNECTION_TIMEOUT: Explanation(
        Text("Connection timeout", "Zeitüberschreitung der Verbindung"),
        Text("network problem", "Netzwerk-Problem"),
        Text("check the network, try later", "Netzwerk prüfen, später erneut versuchen"),
        Effect.RETRY,
    ),
    _E.NO_VALID_TOKEN: Explanation(
        Text("No valid admin token", "Kein gültiges Admin-Token"),
        Text("token expired", "Token abgelaufen"),
        Text("wait for renewal", "Warten auf Erneuerung"),
        Effect.HOLD,
    ),
    _E.NOT_FOUND: Explanation(
        Text("User not found", "Benutzer nicht gefunden"),
        Text("user deleted in Microsoft 365", "Benutzer in M365 gelöscht"),
        Text("check the local user", "Lokalen Benutzer prüfen"),
        Effect.ITEM,
    ),
    _E.STORAGE_UNREACHABLE: Explanation(
        Text("Storage unreachable", "Speicher nicht erreichbar"),
        Text("the storage target does not answer", "Das Speicherziel antwortet nicht"),
        Text("check the target's address and network", "Adresse und Netzwerk des Ziels prüfen"),
        Effect.HOLD,
    ),
    _E.STORAGE_DENIED: Explanation(
        Text("Storage access denied", "Speicherzugriff verweigert"),
        Text("the storage target refuses the credentials", "Das Speicherziel lehnt die Zugangsdaten ab"),
        Text(
            "renew the target's access key and run the connection test",
            "Zugangsschlüssel erneuern und Verbindungstest ausführen",
        ),
        Effect.FAIL,
    ),
    _E.VAULT_UNREACHABLE: Explanation(
        Text("Vault unreachable", "Tresor nicht erreichbar"),
        Text("the vault does not answer or is sealed", "Der Tresor antwortet nicht oder ist versiegelt"),
        Text(
            "start or unseal the vault; work resumes by itself",
            "Tresor starten oder entsiegeln; die Arbeit läuft von selbst weiter",
        ),
        Effect.HOLD,
    ),
    _E.INTEGRITY: Explanation(
        Text("Stored data is damaged", "Gespeicherte Daten sind beschädigt"),
        Text(
            "bytes in the storage differ from what was written",
            "Bytes im Speicher weichen vom Geschriebenen ab",
        ),
        Text(
            "keep the storage unchanged and contact support",
            "Speicher unverändert lassen und Support kontaktieren",
        ),
        Effect.FAIL,
    ),
    _E.CORRUPT_SOURCE_ITEM: Explanation(
        Text("Item cannot be read in Microsoft 365", "Element in Microsoft 365 nicht lesbar"),
        Text("the item is damaged at its source", "Das Element ist in der Quelle beschädigt"),
        Text(
            "open the item in Outlook; it is tried again at every run",
            "Element in Outlook öffnen; jeder Lauf versucht es erneut",
        ),
        Effect.ITEM,
    ),
    _E.UNSUPPORTED_ITEM: Explanation(
        Text("Item type not supported", "Elementtyp nicht unterstützt"),
        Text("Microsoft Graph does not deliver this item", "Microsoft Graph liefert dieses Element nicht"),
        Text("see the list of supported items", "Siehe Liste der unterstützten Elemente"),
        Effect.ITEM,
    ),
    _E.CANCELLED: Explanation(
        Text("Cancelled", "Abgebrochen"),
        Text("a person cancelled the job", "Eine Person hat den Auftrag abgebrochen"),
        Text("start it again when wanted", "Bei Bedarf erneut starten"),
        Effect.FAIL,
    ),
    _E.INTERNAL: Explanation(
        Text("Internal error", "Interner Fehler"),
        Text("a defect in Tenantkeep", "Ein Fehler in Tenantkeep"),
        Text("contact support with the job's id", "Support mit der Auftrags-ID kontaktieren"),
        Effect.FAIL,
    ),
}
