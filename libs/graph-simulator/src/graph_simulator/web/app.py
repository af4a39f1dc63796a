"""The ASGI application: one origin that is sign-in host, Graph, upload host and control API at once."""

import itertools
import json
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from graph_simulator import directory
from graph_simulator.database import open_database
from graph_simulator.fault_rules import FaultRules
from graph_simulator.permissions import EXCHANGE, READ_ME
from graph_simulator.published import answer_problems
from graph_simulator.times import now
from graph_simulator.tokens import Caller, TokenInvalidError, Tokens
from graph_simulator.web import uploads
from graph_simulator.web.call import Call, forbidden, parse_options, parse_preferences
from graph_simulator.web.control import Control, ensure_control_token
from graph_simulator.web.limits import Consumer, OutlookLimits, OutlookThrottle, Ticket
from graph_simulator.web.login import LoginCall
from graph_simulator.web.misbehaviour import Delivery, refusal
from graph_simulator.web.paths import Route, RouteTable, split
from graph_simulator.web.problems import JSON_TYPE, GraphProblem, LoginProblem
from graph_simulator.web.routes import GRANTS, GraphHandler, LoginHandler, graph_routes, login_routes
from graph_simulator.web.stats import Stats

Target = TypeVar("Target", bound=Callable[..., Awaitable[object]])


@dataclass(frozen=True, slots=True)
class Answer:
    """A response and the name under which it is counted."""

    template: str
    response: Response


@dataclass(slots=True)
class Simulator:
    """The tenant's servers. Build it with `build`."""

    state: Path
    connection: sqlite3.Connection
    tokens: Tokens
    faults: FaultRules
    stats: Stats
    control: Control
    throttle: OutlookThrottle
    check_answers: bool = False
    """Compare every JSON answer of Graph with the published types; `GET stats` tells what does not fit."""
    _lookups: Iterator[int] = field(default_factory=itertools.count)
    _graph: RouteTable[GraphHandler] = field(default_factory=graph_routes)
    _login: RouteTable[LoginHandler] = field(default_factory=login_routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"unexpected ASGI scope {scope['type']}")
        request = Request(scope, receive)
        segments = split(scope["raw_path"])
        path = "/" + "/".join(segments)
        size = request.headers.get("content-length", "")
        ticket = self.throttle.enter(
            self._consumer(request, segments), request.method, int(size) if size.isdecimal() else 0
        )
        try:
            answer = await self._answer(request, segments, path, ticket.refusal)
            counted = self._counting(send, f"{request.method} {answer.template}", ticket)
            if segments[:1] == ["_simulator"]:
                await answer.response(scope, receive, counted)
            else:
                await Delivery(self.faults, request.method, path).deliver(answer.response, scope, receive, counted)
        finally:
            ticket.leave()

    def _consumer(self, request: Request, segments: list[str]) -> Consumer | None:
        """Return the app and mailbox a request counts against; None for what Outlook does not limit."""
        match segments:
            case ["v1.0", users, user, _, *_] if users.lower() == "users":
                scheme, _, token = request.headers.get("authorization", "").partition(" ")
                try:
                    caller = self.tokens.check(token.strip() if scheme.lower() == "bearer" else "")
                    mailbox = directory.find_user(self.connection, caller.tenant_id, user)
                except (TokenInvalidError, directory.UnknownNameError):
                    return None  # refused by its handler, before any mailbox is reached
                return Consumer(caller.app_id, mailbox["id"])
            case ["_upload", token]:
                return uploads.consumer(self.connection, token)
        return None

    async def _answer(self, request: Request, segments: list[str], path: str, throttled: Response | None) -> Answer:
        if segments[:1] == ["_simulator"]:
            return Answer("/_simulator", await self.control.answer(request, segments[1:]))
        refused = throttled or await refusal(self.faults, request.method, path)
        if segments[:1] == ["v1.0"]:
            return await self._answer_graph(request, segments[1:], refused)
        if segments[:1] == ["_upload"]:
            return Answer("/_upload/{token}", refused or await self._answer_upload(request, segments[1:]))
        return await self._answer_login(request, segments, refused)

    async def _answer_graph(self, request: Request, segments: list[str], refused: Response | None) -> Answer:
        request_id = str(uuid4())
        client_request_id = request.headers.get("client-request-id", request_id)
        found = self._graph.find(request.method, segments)
        template = f"/v1.0{found[0].template}" if isinstance(found, tuple) else "/v1.0/{unknown}"
        preferences = parse_preferences(request.headers.getlist("prefer"))
        applied = ""
        try:
            if refused is None:
                call = self._call(request, found, preferences)
                response = await _matched(found)[0].target(call)
                applied = call.applied_preferences()
            else:
                response = refused
        except GraphProblem as problem:
            response = problem.response(request_id, client_request_id)
        response.headers["request-id"] = request_id
        response.headers["client-request-id"] = client_request_id
        response.headers["x-ms-ags-diagnostic"] = '{"ServerInfo":{"DataCenter":"Simulator","Slice":"E","Ring":"0"}}'
        response.headers["strict-transport-security"] = "max-age=31536000"
        response.headers["OData-Version"] = "4.0"
        response.headers["Cache-Control"] = "private"
        if applied:
            response.headers["Preference-Applied"] = applied
        if self.check_answers and refused is None and response.headers.get("content-type") == JSON_TYPE:
            for each in answer_problems(json.loads(bytes(response.body))):
                self.stats.unpublished[f"{request.method} {template} {each}"] += 1
        return Answer(template, response)

    def _call(
        self,
        request: Request,
        found: tuple[Route[GraphHandler], dict[str, str]] | list[str],
        preferences: dict[str, str],
    ) -> Call:
        caller = self._caller(request)
        route, values = _matched(found)
        if route.roles == READ_ME and caller.person_id is None:
            text = "/me request is only valid with delegated authentication flow."
            raise GraphProblem(400, "BadRequest", text)
        if not route.roles & caller.roles:
            raise forbidden(exchange=bool(route.roles & EXCHANGE))
        call = Call(
            request=request,
            connection=self.connection,
            state=self.state,
            faults=self.faults,
            caller=caller,
            base_url=_base_url(request),
            path=values,
            options=parse_options(request.scope["query_string"]),
            preferences=preferences,
        )
        if route.roles & EXCHANGE and "user" in values:
            call.require_mailbox(next(self._lookups))
        return call

    def _caller(self, request: Request) -> Caller:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        challenge = {
            "WWW-Authenticate": 'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize"'
        }
        if scheme.lower() != "bearer" or not token.strip():
            raise GraphProblem(401, "InvalidAuthenticationToken", "Access token is empty.", challenge)
        try:
            return self.tokens.check(token.strip())
        except TokenInvalidError as error:
            raise GraphProblem(401, "InvalidAuthenticationToken", str(error), challenge) from error

    async def _answer_login(self, request: Request, segments: list[str], refused: Response | None) -> Answer:
        found = self._login.find(request.method, segments)
        if isinstance(found, list):
            return Answer("/{unknown}", refused or Response(status_code=405 if found else 404))
        route, values = found
        if refused is not None:
            return Answer(route.template, refused)
        call = LoginCall(request, self.connection, self.tokens, self.stats, _base_url(request), values, GRANTS)
        correlation_id = request.headers.get("client-request-id", str(uuid4()))
        try:
            response = await route.target(call)
        except LoginProblem as problem:
            response = problem.response(correlation_id)
        response.headers["x-ms-request-id"] = str(uuid4())
        response.headers["client-request-id"] = correlation_id
        response.headers["Cache-Control"] = "no-store, no-cache"
        return Answer(route.template, response)

    async def _answer_upload(self, request: Request, segments: list[str]) -> Response:
        try:
            match (request.method, *segments):
                case ("PUT", token):
                    return await uploads.put_range(self.connection, self.state, token, request, _base_url(request))
                case ("GET", token):
                    return uploads.get_status(self.connection, token)
                case ("DELETE", token):
                    return uploads.cancel(self.connection, self.state, token)
                case _:
                    return Response(status_code=405)
        except GraphProblem as problem:
            request_id = str(uuid4())
            return problem.response(request_id, request_id)

    def _counting(self, send: Send, name: str, ticket: Ticket) -> Send:
        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.stats.requests[name] += 1
                self.stats.statuses[str(message["status"])] += 1
                date = (b"date", format_datetime(now(), usegmt=True).encode())
                message = {**message, "headers": [*message["headers"], date]}
            else:
                self.stats.bytes_out += len(message.get("body", b""))
                if not message.get("more_body", False):
                    # The client may have read the end, and asked the next thing, before a slow socket lets us go on.
                    ticket.leave()
            await send(message)

        return counted


def build(
    state: Path,
    *,
    token_lifetime: timedelta,
    opaque_tokens: bool = False,
    limits: OutlookLimits | None = None,
    check_answers: bool = False,
) -> Simulator:
    """Open the state folder and wire the application."""
    connection = open_database(state)
    tokens, faults, stats = Tokens(connection, token_lifetime, opaque_tokens), FaultRules(connection), Stats()
    throttle = OutlookThrottle(limits or OutlookLimits())
    control = Control(connection, faults, tokens, stats, throttle, ensure_control_token(state))
    return Simulator(state, connection, tokens, faults, stats, control, throttle, check_answers)


def _matched(found: tuple[Route[Target], dict[str, str]] | list[str]) -> tuple[Route[Target], dict[str, str]]:
    if isinstance(found, tuple):
        return found
    if found:
        raise GraphProblem(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
    raise GraphProblem(404, "ResourceNotFound", "Resource not found for the segment.")


def _base_url(request: Request) -> str:
    return f"https://{request.headers.get('host', 'localhost')}"
