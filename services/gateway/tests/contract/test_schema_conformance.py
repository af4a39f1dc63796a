"""schemathesis: whatever is sent to whatever route, the answer is one the OpenAPI document promises, and no 500."""

import asyncio
from collections import Counter
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from contracts.authorization import ROUTES
from gateway.openapi import document

EXAMPLES = 5
"""Requests per route and mode: valid ones and broken ones."""

CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "broken"])
async def test_every_answer_is_one_the_document_promises(gateway: Any, mode: GenerationMode) -> None:
    loop, answers = asyncio.get_running_loop(), Counter[int]()
    token = gateway.issuer.token()
    schema = schemathesis.openapi.from_dict(document())

    async def send(case: Any) -> Any:
        kwargs = case.as_transport_kwargs(base_url="https://gateway.example")
        given = dict(kwargs.pop("headers", None) or {})
        # As bytes: what is tried in a header need not be ASCII. The token is ours, whatever is tried in its place.
        headers = {name: value.encode("latin-1") for name, value in given.items() if name.lower() != "authorization"}
        headers["authorization"] = f"Bearer {token}".encode()
        kwargs.pop("cookies", None)
        if isinstance(kwargs.get("data"), bytes | str):
            kwargs["content"] = kwargs.pop("data")
        return await gateway.client.request(headers=headers, **kwargs)

    def explore(operation: Any) -> None:
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def one(case: Any) -> None:
            answer = asyncio.run_coroutine_threadsafe(send(case), loop).result(20)
            answers[answer.status_code] += 1
            case.validate_response(answer, checks=CHECKS)
            assert answer.status_code != 500, case.as_curl_command()

        one()

    explored = []
    for found in schema.get_all_operations():
        operation = found.ok()
        if mode is GenerationMode.POSITIVE or _can_be_broken(operation):
            await asyncio.to_thread(explore, operation)
        explored.append(operation.definition.raw["operationId"])
    assert sorted(explored) == sorted(ROUTES)
    assert sum(answers.values()) >= EXAMPLES, answers


def _can_be_broken(operation: Any) -> bool:
    return bool(list(operation.path_parameters) or list(operation.query) or list(operation.body))
