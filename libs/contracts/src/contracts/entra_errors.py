"""What Microsoft's sign-in and consent answer when they refuse, in words that say what to do next.

Programs branch on the OAuth word, which is stable; the AADSTS number names the cause to people
(https://learn.microsoft.com/entra/identity-platform/reference-error-codes).
"""

import re

from contracts.texts import Text

_NUMBER = re.compile(r"AADSTS([0-9]{4,8})")
_LESSER_ROLE = Text(
    "The person who signed in may not grant these permissions: an administrator with the role Privileged Role "
    "Administrator or Global Administrator is needed.",
    "Die angemeldete Person darf diese Berechtigungen nicht erteilen: Nötig ist ein Administrator mit der Rolle "
    "Administrator für privilegierte Rollen oder Globaler Administrator.",
)
_DECLINED = Text(
    "The person declined, and nothing was changed. Ask again when it is wanted.",
    "Die Person hat abgelehnt, und nichts wurde geändert. Bei Bedarf erneut anfordern.",
)
_NOT_CONSENTED = Text(
    "Nobody has consented to these permissions in this tenant yet: ask for admin consent.",
    "In diesem Mandanten hat diesen Berechtigungen noch niemand zugestimmt: Admin-Genehmigung anfordern.",
)
_SIGN_IN_AGAIN = Text(
    "The sign-in is not valid any more: sign in again.", "Die Anmeldung gilt nicht mehr: neu anmelden."
)
_INTERRUPTED = Text(
    "A policy of the organisation asks for more at sign-in (a second factor, a known device): sign in again and follow "
    "what Microsoft asks for.",
    "Eine Richtlinie der Organisation verlangt mehr bei der Anmeldung (zweiter Faktor, bekanntes Gerät): neu anmelden "
    "und Microsofts Anweisungen folgen.",
)
_TOO_MANY = Text(
    "Microsoft refuses for now, because too many sign-ins came in a short time: wait some minutes.",
    "Microsoft lehnt vorübergehend ab, weil zu viele Anmeldungen in kurzer Zeit kamen: einige Minuten warten.",
)

APP_DISABLED = 7000112
"""Looks like a missing consent to programs, and no consent heals it."""

CERTIFICATE_UNKNOWN = 700027
"""The app registration does not hold the certificate that an assertion names, or not yet."""

BY_NUMBER: dict[int, Text] = {
    7000222: Text(
        "The client secret has ended: make a new one and set it.",
        "Das Client-Geheimnis ist abgelaufen: ein neues erstellen und setzen.",
    ),
    7000215: Text(
        "The client secret is wrong: enter its value, not its id.",
        "Das Client-Geheimnis ist falsch: seinen Wert eintragen, nicht seine ID.",
    ),
    7000218: Text(
        "No credential was sent: set a client secret or a certificate.",
        "Es wurden keine Zugangsdaten gesendet: Client-Geheimnis oder Zertifikat setzen.",
    ),
    CERTIFICATE_UNKNOWN: Text(
        "Microsoft does not know the certificate: upload its public half to the app registration.",
        "Microsoft kennt das Zertifikat nicht: seinen öffentlichen Teil in der App-Registrierung hochladen.",
    ),
    700024: Text(
        "The signed assertion is not valid at this time: the clock of the machine that token-service runs on is wrong.",
        "Die signierte Assertion gilt zu dieser Zeit nicht: Die Uhr des Rechners, auf dem token-service läuft, geht "
        "falsch.",
    ),
    700016: Text(
        "The app does not exist in this tenant, or its enterprise application was deleted: check the client id, then "
        "ask for consent.",
        "Die App gibt es in diesem Mandanten nicht, oder ihre Unternehmensanwendung wurde gelöscht: Client-ID prüfen, "
        "dann Genehmigung anfordern.",
    ),
    APP_DISABLED: Text(
        "Sign-in of the enterprise application is switched off: an administrator of the tenant switches it on again.",
        "Die Anmeldung der Unternehmensanwendung ist deaktiviert: Ein Administrator des Mandanten muss sie aktivieren.",
    ),
    90002: Text(
        "Microsoft does not know the tenant: check the Entra tenant id.",
        "Microsoft kennt den Mandanten nicht: Entra-Mandanten-ID prüfen.",
    ),
    65001: _NOT_CONSENTED,
    65004: _DECLINED,
    90093: _LESSER_ROLE,
    90094: _LESSER_ROLE,
    50011: Text(
        "The redirect URI is not registered: add this gateway's address to the app registration.",
        "Die Umleitungs-URI ist nicht registriert: die Adresse dieses Gateways in der App-Registrierung eintragen.",
    ),
    70011: Text(
        "The app registration asks for no permissions of Microsoft Graph, or for unknown ones: compare with the list.",
        "Die App-Registrierung verlangt keine oder unbekannte Berechtigungen von Microsoft Graph: mit der Liste "
        "vergleichen.",
    ),
    54005: _SIGN_IN_AGAIN,
    70008: _SIGN_IN_AGAIN,
    700082: _SIGN_IN_AGAIN,
    50173: _SIGN_IN_AGAIN,
    501481: _SIGN_IN_AGAIN,
    50076: _INTERRUPTED,
    50079: _INTERRUPTED,
    53003: _INTERRUPTED,
    50196: _TOO_MANY,
    90055: _TOO_MANY,
}
"""By the AADSTS number."""

BY_WORD: dict[str, Text] = {
    "access_denied": _DECLINED,
    "permission_denied": _DECLINED,
    "consent_required": _NOT_CONSENTED,
    "interaction_required": _INTERRUPTED,
    "login_required": _SIGN_IN_AGAIN,
    "invalid_grant": _SIGN_IN_AGAIN,
    "invalid_client": BY_NUMBER[7000215],
    "unauthorized_client": BY_NUMBER[700016],
    "invalid_scope": BY_NUMBER[70011],
    "temporarily_unavailable": _TOO_MANY,
    "id_token": Text(
        "What came back is no answer to this sign-in and is not believed: ask for a new link. If it happens again, "
        "somebody stands between, or a clock is wrong.",
        "Was zurückkam, ist nicht die Antwort auf diese Anmeldung und wird nicht geglaubt: einen neuen Link anfordern. "
        "Geschieht es erneut, steht jemand dazwischen, oder eine Uhr geht falsch.",
    ),
    "server_error": Text(
        "Microsoft could not do it at the moment: try again shortly.",
        "Microsoft konnte es im Moment nicht ausführen: in Kürze erneut versuchen.",
    ),
}
"""By the OAuth word, for answers without a number we know."""


def explained(detail: str) -> Text | None:
    """Find cause and next step for `word AADSTSnnn`, as details of consents and tokens are written; None: unknown.

    What we refuse ourselves names an `id_token`.
    """
    return by_number(detail) or next((BY_WORD[word] for word in detail.split() if word in BY_WORD), None)


def by_number(detail: str) -> Text | None:
    """The same by the AADSTS number alone, which is more exact than any class of errors."""
    number = _NUMBER.search(detail)
    return None if number is None else BY_NUMBER.get(int(number[1]))
