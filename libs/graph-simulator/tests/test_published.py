from typing import Any

import pytest

from graph_simulator.published import answer_problems, properties, type_of_context, types

METADATA = "https://graph.example/v1.0/$metadata#"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("users", "user"),
        ("users('8f')/messages/$entity", "message"),
        ("users('8f')/contacts", "contact"),
        ("contacts/$entity", "orgContact"),
        ("Collection(mailFolder)", "mailFolder"),
        ("Collection(microsoft.graph.group)", "group"),
        ("directoryObjects", "directoryObject"),
        ("organization", "organization"),
        ("users('8f')/contacts('a')/photo/$entity", "profilePhoto"),
        ("microsoft.graph.uploadSession", "uploadSession"),
        ("users('8f')/contactFolders('a/b')/contacts/$entity", "contact"),
    ],
)
def test_the_context_names_the_type(path: str, name: str) -> None:
    assert type_of_context(METADATA + path) == name


def test_every_word_of_the_table_is_a_type_or_a_form() -> None:
    forms = {"string", "boolean", "integer", "number", "instant", "date", "guid", "base64"}
    words = {kind.strip("[]") for name in types() for kind in properties(name).values()}
    assert words - forms <= types().keys()
    assert properties("message")["id"] == "string"


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ({"value": [{"id": "a", "subject": "b", "receivedDateTime": "2026-01-01T00:00:00Z"}]}, []),
        ({"value": [{"Subject": "b"}]}, ["$[0].Subject: not a property of message"]),
        ({"value": [{"isRead": "true"}]}, ["$[0].isRead: 'true' is no boolean"]),
        ({"value": [{"toRecipients": {}}]}, ["$[0].toRecipients: no list"]),
        ({"value": [{"body": "text"}]}, ["$[0].body: no itemBody object"]),
        ({"value": [{"receivedDateTime": "tomorrow"}]}, ["$[0].receivedDateTime: 'tomorrow' is no instant"]),
        ({"value": [{"attachments": [{"@odata.type": "#microsoft.graph.fileAttachment", "size": 1}]}]}, []),
        ({"value": [{"attachments": [{"size": 1.5}]}]}, ["$[0].attachments[0].size: '1.5' is no integer"]),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(answer: dict[str, Any], found: list[str]) -> None:
    assert answer_problems({"@odata.context": f"{METADATA}Collection(message)", **answer}) == found


def test_answers_without_context_or_of_an_unknown_type_are_named() -> None:
    assert answer_problems({"id": "a"}) == ["the answer has no @odata.context"]
    assert answer_problems([]) == ["the answer is no JSON object"]
    context = f"{METADATA}planets"
    assert answer_problems({"@odata.context": context, "value": []}) == [f"{context}: no published type planet"]
    assert answer_problems({"error": {"code": "x", "message": "y"}}) == []
    assert answer_problems({"error": {"message": "y"}}) == ["$.error: needs code and message"]
