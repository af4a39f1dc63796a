"""Words of tables and sentences of commands, in both languages. Codes have their texts in contracts."""

from enum import StrEnum

from contracts.browsing import ItemChange
from contracts.errors import EXPLANATIONS, ErrorClass
from contracts.names import JobKind, LeftOutReason, LockMode
from contracts.texts import Text, code_text, render

TENANT = Text("Tenant", "Mandant")
RESTORED = Text("Restored and compared", "Wiederhergestellt und verglichen")
WOULD_RESTORE = Text("Dry run: this would be restored", "Probelauf: das würde wiederhergestellt")
WITHOUT = Text("without", "ohne")
NEW = Text("Created", "Neu")
REPLACED = Text("Replaced", "Ersetzt")
THERE_ALREADY = Text("Left, there already", "Belassen, schon da")
RESUMED = Text("Done before", "Vorher erledigt")
COMPARED = Text("Equal", "Gleich")
NEW_FOLDERS = Text("New folders", "Neue Ordner")
NAME = Text("Name", "Name")
ENTRA_TENANT = Text("Entra tenant id", "Entra-Mandanten-ID")
CREATED = Text("Created", "Angelegt")
PROFILE = Text("Profile", "Profil")
STATUS = Text("Status", "Status")
CLIENT = Text("Client id", "Client-ID")
EXPIRES = Text("Expires", "Läuft ab")
PROBLEM = Text("Problem", "Problem")
ID = Text("Id", "ID")
ENDPOINT = Text("Endpoint", "Endpunkt")
BUCKET = Text("Bucket", "Bucket")
PREFIX = Text("Prefix", "Präfix")
RECOVERY_KEY = Text("Recovery key", "Wiederherstellungsschlüssel")
LOCK = Text("Immutable", "Unveränderlich")
LOCKS = {
    LockMode.COMPLIANCE: Text("yes, for everybody", "ja, für alle"),
    LockMode.GOVERNANCE: Text("yes, except with the right to bypass", "ja, außer mit dem Recht zum Umgehen"),
}
TESTED = Text("Tested", "Getestet")
STEP = Text("Step", "Schritt")
RESULT = Text("Result", "Ergebnis")
DETAIL = Text("Detail", "Einzelheit")
TARGET = Text("Storage target", "Speicherziel")
SOURCES = Text("Sources", "Quellen")
SOURCE = Text("Source", "Quelle")
BY_SOURCE = Text("By source", "Nach Quelle")
DEPARTED = Text("gone since {}", "fort seit {}")
RETENTION = Text("Retention", "Aufbewahrung")
IMMUTABLE = Text("Immutable until", "Unveränderlich bis")
HELD = Text("Held", "Gesperrt")
SET_BY = Text("Set by", "Gesetzt von")
SET_AT = Text("Set", "Gesetzt am")
SCHEDULE = Text("Schedule", "Zeitplan")
NEXT_RUN = Text("Next run", "Nächster Lauf")
WHEN_ASKED = Text("when asked", "auf Anforderung")
PAUSED = Text("paused", "angehalten")
INCLUDED = Text("Included", "Umfasst")
EXCLUDED = Text("Excluded", "Ausgenommen")
EVERY_MAILBOX = Text("every mailbox", "jedes Postfach")
LAST_RUN = Text("Last run", "Letzter Lauf")
RUN = Text("Run", "Lauf")
JOB = Text("Job", "Auftrag")
KIND = Text("Kind", "Art")
STATE = Text("State", "Status")
REQUESTED = Text("Requested", "Angefordert")
DURATION = Text("Duration", "Dauer")
JOBS = Text("Jobs", "Aufträge")
MAILBOX = Text("Mailbox", "Postfach")
LISTED = Text("Listed", "Vorhanden")
STORED = Text("Stored", "Gespeichert")
UNCHANGED = Text("Unchanged", "Unverändert")
FAILED = Text("Failed", "Fehlgeschlagen")
SKIPPED = Text("Skipped", "Übersprungen")
RESTORE_POINT = Text("Restore point", "Wiederherstellungspunkt")
TAKEN = Text("Taken", "Stand")
COMPLETE = Text("Complete", "Vollständig")
ITEMS = Text("Items", "Elemente")
SIZE = Text("Size", "Größe")
VERIFIED = Text("Verified", "Geprüft")
HEALTH = Text("Health", "Zustand")
FAILURE_RATIO = Text("Failures", "Fehlerquote")
PARTIAL_RATIO = Text("Partial", "Teilweise")
LAST_SUCCESS = Text("Last success", "Letzter Erfolg")
REASON = Text("Reason", "Grund")
ITEM = Text("Item", "Element")
CAUSE = Text("Cause", "Ursache")
MEASURE = Text("What to do", "Maßnahme")
FATAL_ERROR = Text("Fatal error", "Abbruchfehler")
ITEM_ERRORS = Text("Item errors (tried again at the next run)", "Fehler einzelner Elemente (nächster Lauf versucht es)")
SKIPPED_ITEMS = Text("Skipped with a cause", "Mit Grund übersprungen")
DURABLE = Text("Durable", "Durable")
SUBJECT = Text("Subject", "Subject")
DELIVERIES = Text("Deliveries", "Zustellungen")
BURIED = Text("Since", "Seit")
REPLAYED = Text("Replayed", "Wiederholt")
LEVEL = Text("Level", "Stufe")
GOOD = Text("Good", "In Ordnung")
OF_ALL = Text("Of all", "Von allen")
READ = Text("Read", "Gelesen")
READ_SINCE = Text("All read since", "Alles gelesen seit")
RECEIPT = Text("Receipt", "Beleg")
AFFECTED = Text("Lost items", "Verlorene Elemente")
REPAIRED = Text("Repaired", "Repariert")
OBJECT = Text("Object", "Objekt")
EXPIRED = Text("Expired points", "Abgelaufene Punkte")
DELETED = Text("Deleted", "Gelöscht")
LOCKED = Text("Locked", "Gesperrt")
REWRITTEN = Text("Packs rewritten", "Packs neu geschrieben")
MERGED = Text("Index merged", "Index vereint")
STORED_BYTES = Text("Stored", "Belegt")
WASTE = Text("Waste", "Überflüssig")
SWEEP_AFTER = Text("Deleted after", "Gelöscht nach")
CHECKED = Text("What was checked", "Was geprüft wurde")
MAINTAINED = Text("What maintenance did", "Was die Wartung tat")
OBJECT_PROBLEMS = Text("Problems found", "Gefundene Probleme")
FOLDER = Text("Folder", "Ordner")
DATE = Text("Date", "Datum")
FROM = Text("From", "Von")
TO = Text("To", "An")
CC = Text("Cc", "Kopie")
WHAT = Text("Subject", "Betreff")
ATTACHMENTS = Text("Attachments", "Anhänge")
EXCERPT = Text("Excerpt", "Auszug")
SEEN = Text("In restore points", "In Wiederherstellungspunkten")
CHANGE = Text("Change", "Änderung")
CHANGES = {
    ItemChange.ADDED: Text("added", "neu"),
    ItemChange.REMOVED: Text("removed", "entfernt"),
    ItemChange.CHANGED: Text("changed", "geändert"),
    ItemChange.MOVED: Text("moved", "verschoben"),
}
YES = Text("yes", "ja")
NO = Text("no", "nein")
OK = Text("ok", "in Ordnung")
AREA = Text("Area", "Bereich")
ANSWER = Text("Answer", "Antwort")
REMEDY = Text("Next step", "Nächster Schritt")

GENERATED = Text("Generated", "Generiert")
BY = Text("By", "Von")
SIGNS_IN_WITH = Text("Signs in with", "Meldet sich an mit")
CONSENT_BY = Text("Consent by", "Genehmigung durch")
ENDED = Text("Ended", "Beendet")
NOTE = Text("Note", "Notiz")
PROBED = {
    "effective": Text(
        "Microsoft Graph lets the app into every workload of the profile.",
        "Microsoft Graph lässt die App in jeden Bereich des Profils.",
    ),
    "not_effective": Text(
        "Microsoft Graph refuses the app: a permission or the consent is missing.",
        "Microsoft Graph lehnt die App ab: Eine Berechtigung oder die Genehmigung fehlt.",
    ),
    "unproven": Text(
        "Microsoft Graph gave no answer: nothing is proven, in neither direction.",
        "Microsoft Graph gab keine Antwort: Bewiesen ist nichts, weder so noch so.",
    ),
    "no_token": Text("There is no token to try.", "Es gibt kein Token zum Prüfen."),
}
UNKNOWN = Text("unknown", "unbekannt")
OPENED = Text("Opened", "Eröffnet")
OPEN = Text("open", "offen")
CLOSED = Text("closed", "abgeschlossen")
CLOSED_AT = Text("Closed", "Abgeschlossen")
REPLACED_AT = Text("Replaced", "Ersetzt")
SINCE = Text("Since", "Seit")
LEFT_OUT = Text("Not backed up", "Nicht gesichert")
LEFT_OUT_REASONS: dict[LeftOutReason, Text] = {
    LeftOutReason.GUEST: Text("guest of the tenant", "Gast des Mandanten"),
    LeftOutReason.NO_ADDRESS: Text("no mail address", "keine Mailadresse"),
    LeftOutReason.NO_MAILBOX: Text("no mailbox (no licence?)", "kein Postfach (keine Lizenz?)"),
    LeftOutReason.ACCESS_DENIED: Text("the app may not read it", "die App darf es nicht lesen"),
    LeftOutReason.OUT_OF_SCOPE: Text("not covered", "nicht im Umfang"),
    LeftOutReason.DEPARTED: Text("left; restore points stay", "ausgeschieden; Sicherungspunkte bleiben"),
}

KINDS: dict[JobKind, Text] = {
    JobKind.BACKUP: Text("Backup", "Sicherung"),
    JobKind.RESTORE: Text("Restore", "Wiederherstellung"),
    JobKind.VERIFY: Text("Verification", "Prüfung"),
    JobKind.RESTORE_DRILL: Text("Restore drill", "Wiederherstellungsprobe"),
    JobKind.MAINTAIN: Text("Maintenance", "Wartung"),
    JobKind.SYNC: Text("Directory sync", "Verzeichnisabgleich"),
}

_HEALTH_REASONS: dict[str, Text] = {
    "failures": Text("10 % failures or more", "10 % Fehler oder mehr"),
    "no_run_in_interval": Text("no run in the expected interval", "kein Lauf im erwarteten Zeitraum"),
    "clock_ahead": Text("the clock of a worker is ahead", "die Uhr eines Workers geht vor"),
    "held_too_long": Text(
        "a job is held for longer than one interval", "ein Auftrag ist länger als ein Intervall angehalten"
    ),
}


def health_reason(reason: str, language: str) -> str:
    """Text of a reason of monitor-service; a code from a newer one is shown as it is."""
    text = _HEALTH_REASONS.get(reason)
    return reason if text is None else render(text, language)


def error_title(error: ErrorClass, language: str) -> str:
    return render(EXPLANATIONS[error].title, language)


def error_cause(error: ErrorClass, language: str) -> str:
    return render(EXPLANATIONS[error].cause, language)


def error_remedy(error: ErrorClass, language: str) -> str:
    return render(EXPLANATIONS[error].remedy, language)


def code(value: StrEnum, language: str) -> str:
    """Text of a state, status, health or hold reason."""
    return code_text(value, language)
