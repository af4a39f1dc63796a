"""What people read: English and German for every code.

Services and API carry codes; only CLI, console and documents render these.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from contracts.names import ConsentOutcome, Health, HoldReason, JobState, LegalHoldState, TokenStatus


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
}


def code_text(code: StrEnum, language: str) -> str:
    """Text of a state, status, health or hold reason; KeyError for a code without text (a test forbids that)."""
    return render(_TABLES[type(code)][code], language)
