"""What people read about reviews: what each looks at, and what to do about what it found."""

from contracts.names import ReviewKind
from contracts.reviews import ReviewAnswer, ReviewState, ReviewSubject
from contracts.texts import Text

REVIEW_KINDS: dict[ReviewKind, Text] = {
    ReviewKind.DAILY: Text("Daily review", "Tägliche Prüfung"),
    ReviewKind.WEEKLY: Text("Weekly review", "Wöchentliche Prüfung"),
    ReviewKind.MONTHLY: Text("Monthly review", "Monatliche Prüfung"),
}

REVIEW_STATES: dict[ReviewState, Text] = {
    ReviewState.OPEN: Text("Open", "Offen"),
    ReviewState.DONE: Text("Done", "Erledigt"),
}

REVIEW_ANSWERS: dict[ReviewAnswer, Text] = {
    ReviewAnswer.GOOD: Text("Good", "Gut"),
    ReviewAnswer.BAD: Text("Bad", "Schlecht"),
    ReviewAnswer.UNKNOWN: Text("Unknown", "Unbekannt"),
}

REVIEW_SUBJECTS: dict[ReviewSubject, Text] = {
    ReviewSubject.JOB_HEALTH: Text("Is any job class critical?", "Ist eine Auftragsart kritisch?"),
    ReviewSubject.NEW_ERRORS: Text("Any new errors?", "Gibt es neue Fehler?"),
    ReviewSubject.TOKEN_STATUS: Text("Is the token active?", "Ist das Token aktiv?"),
    ReviewSubject.TOKEN_END: Text("When does the token end?", "Wann läuft das Token ab?"),
    ReviewSubject.PERMISSIONS: Text("Are the permissions right?", "Stimmen die Berechtigungen?"),
    ReviewSubject.RUN_TIMES: Text("Do run times rise?", "Steigen die Laufzeiten?"),
    ReviewSubject.ERROR_RATE: Text("Do errors rise?", "Steigen die Fehler?"),
    ReviewSubject.RECURRENCE: Text("Do problems recur?", "Wiederholen sich Probleme?"),
}

REVIEW_MEASURES: dict[ReviewSubject, Text] = {
    ReviewSubject.JOB_HEALTH: Text("investigate at once", "sofort untersuchen"),
    ReviewSubject.NEW_ERRORS: Text("act at once", "sofort handeln"),
    ReviewSubject.TOKEN_STATUS: Text("renew or regenerate the token", "Token aktualisieren oder neu generieren"),
    ReviewSubject.TOKEN_END: Text(
        "it should renew itself: renew or regenerate it",
        "es sollte sich selbst erneuern: aktualisieren oder neu generieren",
    ),
    ReviewSubject.PERMISSIONS: Text("check the permissions and the consent", "Berechtigungen und Genehmigung prüfen"),
    ReviewSubject.RUN_TIMES: Text("possibly more data", "möglicherweise mehr Daten"),
    ReviewSubject.ERROR_RATE: Text("find the cause", "Ursache suchen"),
    ReviewSubject.RECURRENCE: Text("find a fundamental solution", "grundsätzliche Lösung suchen"),
}
"""What a check that is not good asks for."""
