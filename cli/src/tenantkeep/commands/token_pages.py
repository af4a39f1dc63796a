"""How tokens look: in a list, alone, and after a check."""

from collections.abc import Sequence

from contracts.entra_errors import APP_DISABLED, by_number
from contracts.names import TokenStatus
from contracts.texts import Text, render
from contracts.token_texts import CONSENT_SOURCES, CREDENTIALS, EXPIRY_SOURCES, NEXT_STEPS, RECORD_ENDS
from contracts.tokens import TokenCheck, TokenDetails, TokenRecord
from contracts.views import TokenView
from tenantkeep.commands import figures, labels
from tenantkeep.commands.output import Screen

TAKE_IT_OFF = Text(
    "Take its secret or certificate off the app registration at Microsoft, too.",
    "Auch bei Microsoft das Geheimnis oder Zertifikat aus der App-Registrierung entfernen.",
)

_DESTROYED = Text("(key destroyed {})", "(Schlüssel vernichtet {})")


def overview(screen: Screen, tokens: Sequence[TokenView]) -> None:
    """One line per profile, with what to do next."""
    if screen.as_json:
        screen.document({"items": list(tokens)})
        return
    headers = (
        labels.PROFILE,
        labels.STATUS,
        labels.CLIENT,
        labels.EXPIRES,
        labels.GENERATED,
        labels.BY,
        labels.PROBLEM,
        labels.REMEDY,
    )
    screen.table(headers, [_row(token, screen) for token in tokens])


def _row(token: TokenView, screen: Screen) -> tuple[str, ...]:
    problem = "" if token.problem is None else f"{labels.error_title(token.problem, screen.language)} {token.detail}"
    return (
        token.profile,
        labels.code(token.status, screen.language),
        token.client_id or "",
        figures.moment(token.expires_at),
        figures.moment(token.generated_at),
        token.generated_by,
        problem.strip(),
        next_step(token, screen.language),
    )


def next_step(token: TokenView, language: str) -> str:
    """What helps, of the problem if there is one; Microsoft's own number says it more exactly than our classes."""
    exact = None if token.problem is None else by_number(token.detail)
    told = "" if exact is None else render(exact, language)
    if token.problem is not None and token.status is not TokenStatus.CONSENT_REQUIRED:
        return told or labels.error_remedy(token.problem, language)
    if _disabled(token):
        return told
    return f"{told} {render(NEXT_STEPS[token.status], language).format(token.profile)}".strip()


def _disabled(token: TokenView) -> bool:
    """Nothing that is done here, and no consent, helps against that."""
    return f"AADSTS{APP_DISABLED}" in token.detail


def details(screen: Screen, token: TokenDetails) -> None:
    """Everything that is known of one token; its problem as message, tenant, time, cause and measure."""
    if screen.as_json:
        screen.document(token)
        return
    overview(screen, [token])
    if token.credential is not None:
        ends = figures.moment(token.credential_expires_at) or screen.text(labels.UNKNOWN)
        source = screen.text(EXPIRY_SOURCES[token.credential_expiry])
        screen.say(Text("Its credential ends: {} ({})", "Zugangsdaten enden: {} ({})"), ends, source)
    if token.problem is not None:
        _problem(screen, token)
    if token.records:
        headers = (
            labels.GENERATED,
            labels.BY,
            labels.SIGNS_IN_WITH,
            labels.CLIENT,
            labels.CONSENT_BY,
            labels.ENDED,
            labels.BY,
        )
        screen.table(headers, [_record(record, screen) for record in token.records])
    if token.notes:
        rows = [(figures.moment(note.at), note.by, note.text) for note in token.notes]
        screen.table((labels.DATE, labels.BY, labels.NOTE), rows)


def _problem(screen: Screen, token: TokenDetails) -> None:
    assert token.problem is not None
    language = screen.language
    remedy = labels.error_remedy(token.problem, language)
    rows = [
        (labels.PROBLEM, f"{labels.error_title(token.problem, language)} {token.detail}".strip()),
        (labels.TENANT, token.tenant),
        (labels.SINCE, figures.moment(token.problem_since)),
        (labels.CAUSE, labels.error_cause(token.problem, language)),
        (labels.MEASURE, next_step(token, language) if _disabled(token) else remedy),
    ]
    for label, value in rows:
        screen.say(Text("{}: {}", "{}: {}"), screen.text(label), value)
    if token.support_contact:
        screen.say(Text("If it comes back, ask: {}", "Kommt es wieder, wenden Sie sich an: {}"), token.support_contact)


def _record(record: TokenRecord, screen: Screen) -> tuple[str, ...]:
    source = "" if record.consent_source is None else f" ({screen.text(CONSENT_SOURCES[record.consent_source])})"
    ended = (
        "" if record.ended is None else f"{figures.moment(record.ended_at)} {screen.text(RECORD_ENDS[record.ended])}"
    )
    return (
        figures.moment(record.generated_at),
        record.generated_by,
        _signs_in_with(record, screen),
        record.client_id,
        f"{record.consent_by}{source}",
        f"{figures.moment(record.ended_at)} {ended}".strip(),
        record.ended_by,
    )


def _signs_in_with(record: TokenRecord, screen: Screen) -> str:
    """Its kind, the thumbprint by which Microsoft's pages show a certificate, and what became of a key in the vault."""
    destroyed = screen.text(_DESTROYED).format(figures.moment(record.key_destroyed_at))
    parts = (
        screen.text(CREDENTIALS[record.credential]),
        "" if record.key is None else str(record.key),
        record.thumbprint,
        "" if record.key_destroyed_at is None else destroyed,
    )
    return " ".join(part for part in parts if part)


def check(screen: Screen, found: TokenCheck) -> None:
    """What a verification found."""
    if screen.as_json:
        return
    status = labels.code(found.status, screen.language)
    screen.say(Text("{}: {} ({})", "{}: {} ({})"), found.profile, status, figures.moment(found.at))
    screen.say(Text("{} {}", "{} {}"), screen.text(labels.PROBED[found.probe]), found.detail)
    if found.without:
        screen.say(Text("{} {}", "{} {}"), screen.text(labels.WITHOUT), ", ".join(found.without))
