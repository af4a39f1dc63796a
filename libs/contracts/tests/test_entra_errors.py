import pytest

from contracts.entra_errors import BY_NUMBER, BY_WORD, explained

REFERENCE = """7000222 7000215 7000218 700027 700016 90002 7000112 65001 65004 700082 70008 50173 50076 50079 53003
    50196 90055 90093 90094 50011 70011"""


@pytest.mark.parametrize("number", [int(number) for number in REFERENCE.split()])
def test_every_documented_number_has_cause_and_next_step_in_both_languages(number: int) -> None:
    text = explained(f"some_word AADSTS{number}")
    assert text == BY_NUMBER[number]
    assert text.en != text.de


@pytest.mark.parametrize("word", ["access_denied", "permission_denied", "consent_required", "invalid_scope"])
def test_a_redirect_without_a_number_is_explained_by_its_word(word: str) -> None:
    assert explained(word) == BY_WORD[word]


def test_the_number_says_more_than_the_word_and_what_is_unknown_is_not_invented() -> None:
    assert explained("consent_required AADSTS65004") == BY_WORD["access_denied"]
    assert explained("consent_required AADSTS99999") == BY_WORD["consent_required"]
    assert explained("mail: ErrorAccessDenied") is None
    assert explained("") is None
