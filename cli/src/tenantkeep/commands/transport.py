"""Requests to the gateway's API: signed in, repeated while a service restarts, every failure explained."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, SecretStr, ValidationError

from contracts.problem import Problem
from contracts.texts import Text
from contracts.views import Listing
from tenantkeep.commands import trust
from tenantkeep.commands.errors import CommandError, Unreachable, refused
from tenantkeep.commands.patience import Patience
from tenantkeep.commands.session import Access, Bearer

V = TypeVar("V", bound=BaseModel)

ROOT = "/api/v1"
_TIMEOUT = httpx.Timeout(60.0, connect=5.0)
_PAGE = 200


class Transport:
    """One signed-in connection. Every method raises `CommandError`: `Unreachable` when a repeat may help.

    With `patience` a question is asked again while a service restarts; a download, whose ticket is spent, never is.
    """

    def __init__(self, access: Access, patience: Patience | None = None) -> None:
        self._patience = patience
        self._url = access.url.rstrip("/")
        self._http = httpx.Client(
            base_url=self._url,
            auth=Bearer(access),
            verify=trust.context(access.ca_file),
            trust_env=False,
            timeout=_TIMEOUT,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    @contextmanager
    def asking_once(self) -> Iterator[None]:
        """Without patience: for a caller that goes on asking by itself and has its own time-out."""
        patience, self._patience = self._patience, None
        try:
            yield
        finally:
            self._patience = patience

    def address(self, path: str) -> str:
        """The whole address of a path of the API, for people."""
        return f"{self._url}{ROOT}{path}"

    def _get(self, path: str, model: type[V]) -> V:
        return self._answer(self._send("GET", path), model)

    def _page(self, path: str, model: type[V], asked: Mapping[str, Any]) -> V:
        wanted = {name: value for name, value in asked.items() if value not in {None, ""}}
        return self._answer(self._send("GET", path, params=wanted), model)

    def _list(self, path: str, model: type[V], **query: str | None) -> list[V]:
        """All pages."""
        wanted: dict[str, Any] = {name: value for name, value in query.items() if value is not None}
        found: list[V] = []
        seen: set[str] = set()
        while True:
            page = self._answer(self._send("GET", path, params={**wanted, "limit": _PAGE}), Listing[model])  # type: ignore[valid-type] # pydantic builds the model of a page at run time
            found.extend(page.items)
            if page.cursor is None:
                return found
            if page.cursor in seen:
                raise not_ours(f"list at {path} that never ends")
            seen.add(page.cursor)
            wanted["cursor"] = page.cursor

    def _post(self, path: str, body: BaseModel | None, model: type[V], key: str | None = None) -> V:
        """The idempotency key makes a repeated request harmless, also the one `_send` repeats itself."""
        headers = {"idempotency-key": key or str(uuid.uuid4())}
        content = None if body is None else revealed(body)
        return self._answer(self._send("POST", path, json=content, headers=headers), model)

    def call(self, method: str, path: str, answer: type[V], body: BaseModel | None = None) -> V:
        """Ask for a topic that keeps its questions in a module of its own; `path` is below the API's root."""
        return self._answer(self._send(method, path, json=None if body is None else revealed(body)), answer)

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        def once() -> httpx.Response:
            return self._http.request(method, ROOT + path, **request)

        with self._explained():
            return once() if self._patience is None else self._patience.ask(once)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except httpx.TransportError as error:
            reason = type(error).__name__
            raise Unreachable(
                Text(
                    f"The gateway {self._url} does not answer ({reason}).",
                    f"Das Gateway {self._url} antwortet nicht ({reason}).",
                ),
                Text("Is the stack running? tenantkeep status", "Läuft der Stack? tenantkeep status"),
                code="unreachable",
            ) from error

    def _answer(self, answer: httpx.Response, model: type[V]) -> V:
        if not answer.is_success:
            raise problem_of(answer)
        try:
            return model.model_validate_json(answer.content)
        except ValidationError as error:
            fields = ", ".join(".".join(str(part) for part in e["loc"]) for e in error.errors(include_input=False))
            raise not_ours(f"answer to {answer.request.method} {answer.request.url.path} ({fields})") from error


def part(value: str) -> str:
    """One path segment, whatever a person typed."""
    return quote(value, safe="")


def revealed(body: BaseModel) -> dict[str, Any]:
    """The body as JSON with its secrets: this is the one place that sends them."""

    def reveal(value: Any) -> Any:
        if isinstance(value, SecretStr):
            return value.get_secret_value()
        if isinstance(value, Mapping):
            return {key: reveal(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [reveal(item) for item in value]
        return value

    revealed: dict[str, Any] = reveal(body.model_dump())
    return revealed


def problem_of(answer: httpx.Response) -> CommandError:
    try:
        problem = Problem.model_validate_json(answer.content)
    except ValidationError:
        problem = Problem(code="unknown", status=answer.status_code, title=f"The server answers {answer.status_code}")
    return refused(problem)


def not_ours(what: str) -> CommandError:
    return CommandError(
        Text(f"The gateway sent an unexpected {what}.", f"Unerwartet vom Gateway: {what}."),
        Text(
            "Are gateway and command line of the same version? tenantkeep --help",
            "Haben Gateway und Befehlszeile dieselbe Version? tenantkeep --help",
        ),
        code="protocol",
    )
