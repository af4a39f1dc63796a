"""What people read: English and German for every code.

Services and API carry codes; only CLI, console and documents render these.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from contracts.names import ConsentOutcome, Health, HoldReason, JobState, LegalHoldState, StorageFinding, TokenStatus


class Text(NamedTuple):
    en: str
    de: str


JOB_STATES: dict[JobState, Text] = {
    JobState.WAITING: Text("Waiting", "Wartend"),
    JobState.RUNNING: Text("Running", "Laufend"),
    JobState.SUCCEEDED: Text("Succeeded", "Erfolgreich"),
    JobState.PARTIAL: Text("Partial", "Teilweise"),
    JobState.FAILED: Text("Failed", "Fehlgeschlagen"),
}

TOKEN_STATUSES: dict[TokenStatus, Text] = {
    TokenStatus.ACTIVE: Text("Active", "Aktiv"),
    TokenStatus.EXPIRING: Text("Expiring", "Läuft ab"),
    TokenStatus.EXPIRED: Text("Expired", "Abgelaufen"),
    TokenStatus.CONSENT_REQUIRED: Text("Consent required", "Zustimmung erforderlich"),
    TokenStatus.DEACTIVATED: Text("Deactivated", "Deaktiviert"),
    TokenStatus.UNKNOWN: Text("Unknown", "Unbekannt"),
}

CONSENT_OUTCOMES: dict[ConsentOutcome, Text] = {
    ConsentOutcome.WAITING: Text("Waiting for an administrator", "Warten auf einen Administrator"),
    ConsentOutcome.DECLINED: Text(
        "The administrator declined; nothing was changed. Ask again when it is wanted.",
        "Der Administrator hat abgelehnt; nichts wurde geändert. Bei Bedarf erneut anfordern.",
    ),
    ConsentOutcome.FAILED: Text(
        "Microsoft could not grant the consent; check client id and redirect URI of the app registration.",
        "Microsoft konnte die Genehmigung nicht erteilen; Client-ID und Umleitungs-URI der App-Registrierung prüfen.",
    ),
    ConsentOutcome.EXPIRED: Text(
        "The answer came too late; ask for consent again.",
        "Die Antwort kam zu spät; die Genehmigung erneut anfordern.",
    ),
    ConsentOutcome.GRANTED: Text(
        "Microsoft reports the consent; it counts as soon as a token and a call prove it.",
        "Microsoft meldet die Genehmigung; sie gilt, sobald ein Token und ein Aufruf sie beweisen.",
    ),
    ConsentOutcome.NOT_EFFECTIVE: Text(
        "Microsoft Graph still refuses the app; this may take minutes and is tried again automatically.",
        "Microsoft Graph lehnt die App noch ab; das kann Minuten dauern und wird automatisch erneut versucht.",
    ),
    ConsentOutcome.EFFECTIVE: Text("The consent is effective", "Die Genehmigung ist wirksam"),
}

HEALTH: dict[Health, Text] = {
    Health.HEALTHY: Text("Healthy", "Gesund"),
    Health.CRITICAL: Text("Critical", "Kritisch"),
    Health.UNKNOWN: Text("Unknown", "Unbekannt"),
}

HOLD_REASONS: dict[HoldReason, Text] = {
    HoldReason.NO_VALID_TOKEN: Text(
        "No valid token; waiting for renewal", "Kein gültiges Token; Warten auf Erneuerung"
    ),
    HoldReason.CONSENT_LOST: Text("Admin consent is missing", "Admin-Genehmigung fehlt"),
    HoldReason.STORAGE_UNREACHABLE: Text(
        "The storage target cannot be reached", "Das Speicherziel ist nicht erreichbar"
    ),
    HoldReason.VAULT_UNREACHABLE: Text("The vault cannot be reached", "Der Tresor ist nicht erreichbar"),
    HoldReason.GRAPH_UNREACHABLE: Text("Microsoft Graph cannot be reached", "Microsoft Graph ist nicht erreichbar"),
    HoldReason.TENANT_THROTTLED: Text("Microsoft throttles this tenant", "Microsoft drosselt diesen Mandanten"),
}


LEGAL_HOLD_STATES: dict[LegalHoldState, Text] = {
    LegalHoldState.PLACING: Text("Being placed", "Wird eingerichtet"),
    LegalHoldState.ACTIVE: Text("In force", "In Kraft"),
    LegalHoldState.RELEASING: Text("Being released", "Wird aufgehoben"),
    LegalHoldState.RELEASED: Text("Released", "Aufgehoben"),
    LegalHoldState.FAILED: Text("Not in force", "Nicht in Kraft"),
}

STORAGE_FINDINGS: dict[StorageFinding, Text] = {
    StorageFinding.DENIED: Text(
        "Refused: check credentials, region, bucket or folder, and permissions.",
        "Verweigert: Zugangsdaten, Region, Bucket oder Ordner und Berechtigungen prüfen.",
    ),
    StorageFinding.UNREACHABLE: Text(
        "No usable answer: check address, TLS and network.",
        "Keine brauchbare Antwort: Adresse, TLS und Netz prüfen.",
    ),
    StorageFinding.FULL: Text(
        "No room: free some, or raise the quota.", "Kein Platz: Platz schaffen oder das Kontingent erhöhen."
    ),
    StorageFinding.OTHER_BYTES: Text(
        "Other bytes came back than were written: do not use this storage.",
        "Es kamen andere Bytes zurück als geschrieben: diesen Speicher nicht verwenden.",
    ),
    StorageFinding.RANGE_IGNORED: Text(
        "Parts of an object cannot be read; every restore needs that.",
        "Teile eines Objekts lassen sich nicht lesen; jede Wiederherstellung braucht das.",
    ),
    StorageFinding.NOT_LISTED: Text(
        "A finished write does not show in a listing at once.",
        "Ein abgeschlossener Schreibvorgang erscheint nicht sofort in der Auflistung.",
    ),
    StorageFinding.OVERWRITES: Text(
        "Existing objects are overwritten: S3 must honour If-None-Match, renaming over SFTP must not replace.",
        "Vorhandenes wird überschrieben: S3 muss If-None-Match beachten, Umbenennen per SFTP darf nichts ersetzen.",
    ),
    StorageFinding.NOT_DELETED: Text("A deleted object is still there.", "Ein gelöschtes Objekt ist noch vorhanden."),
    StorageFinding.APPEND_ONLY: Text(
        "The account may only add: expired restore points stay until somebody who may delete removes them.",
        "Das Konto darf nur hinzufügen: Abgelaufenes bleibt, bis jemand mit Löschrecht es entfernt.",
    ),
    StorageFinding.NOT_LOCKABLE: Text(
        "Nothing can be locked: create the bucket with object lock, and let the key set retentions.",
        "Nichts lässt sich sperren: Bucket mit Object Lock anlegen und dem Schlüssel das Setzen von Fristen erlauben.",
    ),
    StorageFinding.LOCK_NOT_KEPT: Text(
        "Locks are accepted but not kept: this storage is not immutable.",
        "Sperren werden angenommen, aber nicht eingehalten: Dieser Speicher ist nicht unveränderlich.",
    ),
    StorageFinding.LOCK_SHORTENED: Text(
        "The lock could be shortened with these credentials: take away the right to bypass it.",
        "Die Sperre ließ sich mit diesen Zugangsdaten verkürzen: das Recht zum Umgehen entziehen.",
    ),
    StorageFinding.LITTLE_ROOM: Text("Less than 1 GiB is free.", "Weniger als 1 GiB ist frei."),
    StorageFinding.CLOCK_OFF: Text(
        "The clocks are more than five minutes apart: set them by NTP.",
        "Die Uhren gehen mehr als fünf Minuten auseinander: per NTP stellen.",
    ),
    StorageFinding.NOT_PREPARED: Text(
        "The folders are missing and this account may not make them: see docs/reference/sftp.md.",
        "Die Ordner fehlen, und dieses Konto darf sie nicht anlegen: siehe docs/reference/sftp.md.",
    ),
    StorageFinding.FAILED: Text(
        "The step failed; the detail says how.", "Der Schritt schlug fehl; die Einzelheit sagt, wie."
    ),
}


def render(text: Text, language: str) -> str:
    """The German text for `de…`, otherwise the English one."""
    return text.de if language.lower().startswith("de") else text.en


_TABLES: Mapping[type[StrEnum], Mapping[Any, Text]] = {
    JobState: JOB_STATES,
    TokenStatus: TOKEN_STATUSES,
    ConsentOutcome: CONSENT_OUTCOMES,
    Health: HEALTH,
    HoldReason: HOLD_REASONS,
    LegalHoldState: LEGAL_HOLD_STATES,
    StorageFinding: STORAGE_FINDINGS,
}


def code_text(code: StrEnum, language: str) -> str:
    """Text of a state, status, health or hold reason; KeyError for a code without text (a test forbids that)."""
    return render(_TABLES[type(code)][code], language)
