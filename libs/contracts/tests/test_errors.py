"""Error classes and the words people read, as the product requires them (R-B error texts, R-K7, R-B9)."""

import pytest

from contracts import texts
from contracts.errors import EXPLANATIONS, Effect, ErrorClass
from contracts.names import Health, HoldReason, JobState, TokenStatus

# class, text, cause en, cause de, measure en, measure de, effect
REQUIRED = [
    (
        "token_expired",
        "Access token expired",
        "token problem",
        "Token-Problem",
        "renew or regenerate the token",
        "Token aktualisieren oder neu generieren",
        "hold",
    ),
    (
        "consent_required",
        "Admin consent required",
        "consent missing",
        "Genehmigung fehlt",
        "generate a new token with consent",
        "Neues Token mit Genehmigung generieren",
        "hold",
    ),
    (
        "rate_limited",
        "Rate limit exceeded",
        "too many requests",
        "Zu viele Anfragen",
        "wait, retried automatically",
        "Abwarten, automatische Wiederholung",
        "retry",
    ),
    (
        "connection_timeout",
        "Connection timeout",
        "network problem",
        "Netzwerk-Problem",
        "check the network, try later",
        "Netzwerk prüfen, später erneut versuchen",
        "retry",
    ),
    (
        "no_valid_token",
        "No valid admin token",
        "token expired",
        "Token abgelaufen",
        "wait for renewal",
        "Warten auf Erneuerung",
        "hold",
    ),
    (
        "access_denied",
        "Access denied",
        "permission missing",
        "Fehlende Berechtigung",
        "check admin consent",
        "Admin-Consent prüfen",
        "hold",
    ),
    (
        "not_found",
        "User not found",
        "user deleted in Microsoft 365",
        "Benutzer in M365 gelöscht",
        "check the local user",
        "Lokalen Benutzer prüfen",
        "item",
    ),
]


@pytest.mark.parametrize("row", REQUIRED, ids=[row[0] for row in REQUIRED])
def test_R_B_error_texts_are_the_required_ones(row: tuple[str, ...]) -> None:  # noqa: N802 - named after the rows
    code, title, cause_en, cause_de, measure_en, measure_de, effect = row
    explanation = EXPLANATIONS[ErrorClass(code)]
    assert explanation.title.en == title
    assert explanation.cause == (cause_en, cause_de)
    assert explanation.remedy == (measure_en, measure_de)
    assert explanation.effect is Effect(effect)


@pytest.mark.parametrize("error", ErrorClass)
def test_every_error_class_has_title_cause_and_remedy_in_both_languages(error: ErrorClass) -> None:
    explanation = EXPLANATIONS[error]
    for text in (explanation.title, explanation.cause, explanation.remedy):
        assert text.en.strip()
        assert text.de.strip()
        assert text.en != text.de
    assert explanation.runbook(error) == f"deploy/monitoring/runbooks/{error}.md"


def test_R_K7_job_states() -> None:  # noqa: N802 - named after the row
    assert [texts.code_text(state, "de") for state in JobState] == [
        "Wartend",
        "Laufend",
        "Erfolgreich",
        "Teilweise",
        "Fehlgeschlagen",
    ]


def test_R_B9_health() -> None:  # noqa: N802 - named after the row
    assert [texts.code_text(health, "de-AT") for health in Health] == ["Gesund", "Kritisch", "Unbekannt"]
    assert [texts.code_text(health, "en") for health in Health] == ["Healthy", "Critical", "Unknown"]


@pytest.mark.parametrize("code", [*JobState, *TokenStatus, *Health, *HoldReason])
def test_every_code_has_a_text_in_both_languages(code: JobState | TokenStatus | Health | HoldReason) -> None:
    assert texts.code_text(code, "en").strip()
    assert texts.code_text(code, "de").strip()


def test_another_language_falls_back_to_english() -> None:
    assert texts.code_text(Health.HEALTHY, "fr") == "Healthy"
