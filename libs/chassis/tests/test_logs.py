import dataclasses
import json
import logging
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from pydantic import BaseModel, SecretStr

from chassis import logs
from contracts.redaction import masked, redacted

PLANTED = "planted-Zk3vQ9"
JWT = f"eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiJtZSIsIm4iOiJ{PLANTED}.c2lnbmF0dXJlLi4u"
VAULT_TOKEN = f"s.{PLANTED}AAAAAAAAAAAAAAA"
NKEY_SEED = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"
PRIVATE_KEY = f"-----BEGIN PRIVATE KEY-----\n{PLANTED}\n-----END PRIVATE KEY-----"

Lines = Callable[[], list[dict[str, Any]]]


class Credential(BaseModel):
    client_secret: str
    note: str = "kept"


@dataclasses.dataclass(frozen=True)
class Login:
    user: str
    password: str


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Lines]:
    """Configure inside the test: between set-up and call pytest puts its own level and handlers in place."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def read() -> list[dict[str, Any]]:
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    yield read
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def test_a_line_is_json_with_time_level_service_logger_and_fields(lines: Lines) -> None:
    logs.configure("debug", "token-service")
    structlog.get_logger("chassis.test").info("job claimed", attempt=2, kinds={"backup"}, size=b"123")
    (line,) = lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "job claimed",
        "level": "info",
        "logger": "chassis.test",
        "service": "token-service",
        "attempt": 2,
        "kinds": ["backup"],
        "size": "3 bytes",
    }


def test_bound_fields_are_on_every_line_inside_and_on_none_after(lines: Lines) -> None:
    logs.configure("debug", "token-service")
    log = structlog.get_logger()
    with logs.bound(tenant="contoso", job="01J", session="01S"):
        log.info("inside")
        logging.getLogger("library").warning("library inside")
    log.info("after")
    inside, library, after = lines()
    for line in (inside, library):
        assert (line["tenant"], line["job"], line["session"]) == ("contoso", "01J", "01S")
    assert "tenant" not in after


def test_levels_hold_for_ours_and_for_libraries(lines: Lines) -> None:
    logs.configure("warning", "token-service")
    structlog.get_logger().info("too quiet")
    logging.getLogger("library").info("too quiet")
    logging.getLogger("httpx").info("HTTP Request: GET https://graph.microsoft.com/")
    structlog.get_logger().warning("loud")
    assert [line["event"] for line in lines()] == ["loud"]


@pytest.mark.parametrize("level", ["debug", "info"])
def test_msal_says_nothing_at_any_level(lines: Lines, level: str) -> None:
    """At debug it tells of code and code verifier, at warning of claims, at error of whole answers."""
    logs.configure(level, "token-service")
    for name in ("msal", "msal.token_cache", "msal.oauth2cli.oidc", "msal.application"):
        for say in (logging.getLogger(name).debug, logging.getLogger(name).warning, logging.getLogger(name).error):
            say('event={"data": {"code_verifier": "%s"}}', PLANTED)
    structlog.get_logger().warning("loud")
    assert [line["event"] for line in lines()] == ["loud"]


@pytest.mark.parametrize(
    "fields",
    [
        {"access_token": PLANTED},
        {"vault_secret_id": PLANTED},
        {"Password": PLANTED},
        {"headers": {"Authorization": PLANTED, "Set-Cookie": PLANTED}},
        {"form": [{"client_assertion": PLANTED}]},
        {"anything": SecretStr(PLANTED)},
        {"nested": {"list": [(SecretStr(PLANTED),)]}},
        {"text": f"sent Authorization: Bearer {PLANTED}"},
        {"text": f"Basic {PLANTED}=="},
        {"text": f"answer was {JWT}"},
        {"text": f"login gave {VAULT_TOKEN}"},
        {"text": PRIVATE_KEY},
        {"text": PRIVATE_KEY[:45]},
        {"url": f"https://user:{PLANTED}@proxy.example:8080/x"},
        {"url": f"https://login.example/token?client_secret={PLANTED}&x=1"},
        {"url": f"https://app.example/callback?code={PLANTED}&state={PLANTED}"},
        {"body": json.dumps({"refresh_token": PLANTED, "password": f"two {PLANTED}"})},
        {"model": Credential(client_secret=PLANTED)},
        {"login": Login("me", f"with space {PLANTED}")},
        {"text": f"> Authorization: Negotiate {PLANTED}\n> Cookie: session={PLANTED}; theme=dark"},
        {f"token={PLANTED}": "in a key"},
    ],
    ids=lambda fields: next(iter(fields))[:12],
)
def test_no_way_of_logging_a_secret_shows_it(lines: Lines, fields: dict[str, Any]) -> None:
    logs.configure("debug", "token-service")
    structlog.get_logger().warning("planted", **fields)
    logging.getLogger("library").warning("fields %s", fields)
    said = json.dumps(lines())
    assert PLANTED not in said
    assert "[redacted]" in said


def test_exceptions_are_shown_without_locals_and_without_secrets(lines: Lines) -> None:
    logs.configure("debug", "token-service")

    def fails() -> None:
        hidden = f"{PLANTED}-in-a-local"
        raise LookupError(f"GET https://h.example/?access_token={PLANTED} with {len(hidden)} letters")

    try:
        fails()
    except LookupError:
        structlog.get_logger().exception("call failed")
        logging.getLogger("library").exception("call failed")
    for line in lines():
        assert "LookupError: GET https://h.example/?access_token=[redacted]" in line["exception"]
        assert PLANTED not in json.dumps(line)


def test_warnings_of_python_take_the_same_way(lines: Lines) -> None:
    logs.configure("debug", "token-service")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn(f"old call with token={PLANTED}", UserWarning, stacklevel=1)
    (line,) = lines()
    assert line["logger"] == "py.warnings"
    assert PLANTED not in json.dumps(line)


@pytest.mark.parametrize(
    "text",
    [
        "token expired",
        "m365.evt.v1.contoso.token.refreshed",
        "https://127.0.0.1:8444/v1.0/users?$select=id,mail",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "data/01ARZ3NDEKTSV4RRFFQ69G5FAV/000001-e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "basic checks passed",
    ],
)
def test_ordinary_texts_stay_as_they_are(text: str) -> None:
    assert masked(text) == text


def test_plain_values_keep_their_types() -> None:
    value = {"n": 1, "f": 0.5, "none": None, "yes": True, "list": ["a", ("b",)]}
    assert redacted(value) == {"n": 1, "f": 0.5, "none": None, "yes": True, "list": ["a", ["b"]]}


def test_nkey_seeds_are_masked() -> None:
    assert NKEY_SEED not in masked(f"seed {NKEY_SEED}")


@pytest.mark.parametrize("piece", ["a", "token", "eyJ", "basic ", "cookie ", "://", "-----BEGIN PRIVATE KEY-----"])
def test_a_long_text_takes_no_long_time(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    before = time.perf_counter()
    masked(text)
    assert time.perf_counter() - before < 2
