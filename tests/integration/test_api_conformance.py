"""schemathesis against the gateway of a whole stack: every route, with things that exist and things that do not.

The same as services/gateway/tests/contract/test_schema_conformance.py, which asks a gateway whose services are fakes.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from stack_fixture import running_stack
from two_tenants import Api, Customer, back_up, connect, onboard, seed

from contracts.authorization import ROUTES
from contracts.names import Profile

pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
TENANT = "contoso"
EXAMPLES = 12
"""Requests per route and mode."""

CHECKS = [status_code_conformance, content_type_conformance, response_headers_conformance, response_schema_conformance]


@dataclass
class Site:
    """A stack with a backed-up tenant; `known` are ids that exist, by the name of the path parameter."""

    api: Api
    client: httpx.Client
    customer: Customer
    known: dict[str, str]

    def send(self, case: Any) -> httpx.Response:
        bearer = {"authorization": f"Bearer {self.api.token(['*'])}"}
        kwargs = case.as_transport_kwargs(base_url=str(self.client.base_url))
        kwargs.pop("cookies", None)
        generated = {name.lower(): value for name, value in (kwargs.pop("headers", None) or {}).items()}
        headers = generated | bearer
        if isinstance(kwargs.get("data"), bytes | str):
            kwargs["content"] = kwargs.pop("data")
        return self.client.request(headers=headers, **kwargs)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("conformance")
    with running_stack(folder) as stack, connect(stack) as client:
        api = Api(stack, client)
        apps = seed(api, folder, TENANT, 6)
        customer = back_up(api, apps, onboard(api, apps))
        known = {
            "tenant": TENANT,
            "profile": Profile.EXCHANGE_BACKUP.value,
            "configuration": customer.configuration,
            "run": customer.run,
            "job": customer.job,
            "restore_point": customer.restore_point,
            "folder": customer.folder,
            "item": customer.item,
        }
        yield Site(api, client, customer, known)


def test_a_real_stack_answers_as_the_document_promises(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads((ROOT / "docs" / "reference" / "openapi.json").read_text(encoding="utf-8"))
    schema = schemathesis.openapi.from_dict(document)
    answers: Counter[str] = Counter()
    explored = []
    for found in schema.get_all_operations():
        operation = found.ok()
        explored.append(operation.definition.raw["operationId"])
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            if mode is GenerationMode.POSITIVE or _can_be_broken(operation):
                answers.update(_explore(site, operation, mode))
    assert sorted(explored) == sorted(ROUTES)
    figures = {"routes": len(explored), "requests": answers.total(), "answers": dict(sorted(answers.items()))}
    out = ROOT / "tests" / "soak" / "out"
    out.mkdir(parents=True, exist_ok=True)
    (out / "schemathesis.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    with capsys.disabled():
        print(f"\nschemathesis against a real stack: {figures}")
    assert answers["500"] == 0
    # Otherwise everything ended at the door and nothing behind it was asked.
    assert answers["200"] >= EXAMPLES
    assert answers["202"] >= 1


def _explore(site: Site, operation: Any, mode: GenerationMode) -> Counter[str]:
    answers: Counter[str] = Counter()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), existing=st.booleans())
    def one(case: Any, existing: bool) -> None:  # noqa: FBT001 - hypothesis names its arguments
        if existing:
            case.path_parameters = {name: site.known.get(name, value) for name, value in _parameters(case).items()}
        try:
            answer = site.send(case)
        except httpx.LocalProtocolError:  # no client can put such a header on the wire
            reject()
        answers[str(answer.status_code)] += 1
        case.validate_response(answer, checks=CHECKS)
        assert answer.status_code != httpx.codes.INTERNAL_SERVER_ERROR, case.as_curl_command()

    one()
    return answers


def _parameters(case: Any) -> dict[str, Any]:
    return dict(case.path_parameters or {})


def _can_be_broken(operation: Any) -> bool:
    return bool(list(operation.path_parameters) or list(operation.query) or list(operation.body))
