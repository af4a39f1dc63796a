"""The control API under /_simulator: statistics, faults, and what an administrator might do to a tenant.

Every request needs the bearer token that lies in DIR/control.token.
"""

import hmac
import json
import secrets
import sqlite3
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from graph_simulator import directory, folders
from graph_simulator.directory import Tenant, UnknownNameError
from graph_simulator.fault_rules import FaultInvalidError, FaultRules
from graph_simulator.times import WALL, iso, now
from graph_simulator.tokens import Tokens, rotate_signing_key
from graph_simulator.web import app_control, calendar_control, directory_control
from graph_simulator.web.limits import OutlookThrottle
from graph_simulator.web.stats import Stats

TOKEN_FILE = "control.token"  # noqa: S105 - a file name


def ensure_control_token(state: Path) -> str:
    """Return the control token of the state folder, made on first use and readable by its owner only."""
    path = state / TOKEN_FILE
    if not path.exists():
        unfinished = path.with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        unfinished.touch(mode=0o600)
        unfinished.write_text(secrets.token_urlsafe(32))
        unfinished.rename(path)
    return path.read_text().strip()


@dataclass(slots=True)
class Control:
    """Answers the control API."""

    connection: sqlite3.Connection
    faults: FaultRules
    tokens: Tokens
    stats: Stats
    throttle: OutlookThrottle
    token: str

    async def answer(self, request: Request, segments: list[str]) -> Response:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.encode(), self.token.encode()):
            return JSONResponse({"error": "the control token is missing or wrong"}, 401)
        try:
            return self._route(request.method, segments, await request.body())
        except (FaultInvalidError, json.JSONDecodeError) as error:
            return JSONResponse({"error": str(error)}, 400)
        except UnknownNameError as error:
            return JSONResponse({"error": str(error)}, 404)

    def _route(self, method: str, segments: list[str], body: bytes) -> Response:
        match (method, *segments):
            case ("GET" | "POST", "stats", *rest):
                return self._stats(method, rest)
            case (_, "faults", *rest):
                return self._faults(method, rest, body)
            case ("PUT", "clock"):
                return self._clock(body)
            case ("POST", "keys", "rotate"):
                return JSONResponse({"kid": rotate_signing_key(self.connection)[0]})
            case (_, "tenants", tenant, *rest):
                return self._tenant(method, tenant, rest, body)
            case _:
                return JSONResponse({"error": "no such control operation"}, 404)

    def _stats(self, method: str, rest: list[str]) -> Response:
        match (method, *rest):
            case ("GET",):
                return JSONResponse(self.stats.as_json() | {"mailboxes": self.throttle.as_json()})
            case ("POST", "reset"):
                self.stats.reset()
                self.throttle.reset_highest()
                return Response(status_code=204)
            case _:
                return JSONResponse({"error": "no such control operation"}, 404)

    def _faults(self, method: str, rest: list[str], body: bytes) -> Response:
        match (method, *rest):
            case ("GET",):
                return JSONResponse({"faults": [rule.as_json() for rule in self.faults.rules()]})
            case ("POST",):
                spec = json.loads(body)
                if not isinstance(spec, dict):
                    raise FaultInvalidError("a fault is a JSON object")
                return JSONResponse(self.faults.add(spec).as_json(), 201)
            case ("DELETE",):
                return JSONResponse({"removed": self.faults.clear()})
            case ("DELETE", pk) if pk.isdecimal():
                return JSONResponse({"removed": self.faults.clear(int(pk))})
            case _:
                return JSONResponse({"error": "no such control operation"}, 404)

    def _clock(self, body: bytes) -> Response:
        wanted = json.loads(body)
        try:
            WALL.ahead = timedelta(seconds=float(wanted.get("ahead", 0)))
            self.tokens.sign_in_ahead = timedelta(seconds=float(wanted.get("sign_in_ahead", 0)))
        except (AttributeError, TypeError, ValueError) as error:
            return JSONResponse({"error": f"no clock: {error}"}, 400)
        return JSONResponse({"now": iso(now())})

    def _tenant(self, method: str, name: str, rest: list[str], body: bytes) -> Response:
        tenant = directory.find_tenant(self.connection, name)
        match (method, *rest):
            case (_, "users", *what):
                return self._users_of(method, tenant, what, body)
            case ("POST", "revoke-tokens"):
                return JSONResponse({"revoked": self.tokens.revoke_all(tenant.id)})
            case ("GET", "invitations"):
                return JSONResponse({"invitations": calendar_control.invitations(self.connection, tenant.id)})
            case ("POST", "move-event"):
                return JSONResponse(calendar_control.move_event(self.connection, tenant.id, json.loads(body)))
            case (_, "apps", profile, *what):
                app = directory.find_app(self.connection, tenant.id, profile)
                return app_control.answer(self.connection, app, method, what, body)
            case _:
                return directory_control.answer(self.connection, tenant, method, rest, body)

    def _users_of(self, method: str, tenant: Tenant, what: list[str], body: bytes) -> Response:
        match (method, *what):
            case ("GET",):
                return JSONResponse({"tenant_id": tenant.id, "users": self._users(tenant.id)})
            case ("POST", upn, "archive"):
                folders.give_archive(self.connection, directory.find_user(self.connection, tenant.id, upn)["pk"])
                return Response(status_code=204)
            case _:
                return directory_control.answer(self.connection, tenant, method, ["users", *what], body)

    def _users(self, tenant_id: str) -> list[dict[str, object]]:
        rows = self.connection.execute(
            "SELECT user.id, upn, count(message.pk) AS messages, coalesce(sum(size), 0) AS bytes"
            " FROM user LEFT JOIN message ON message.user_pk = user.pk"
            " WHERE tenant_id = ? GROUP BY user.pk ORDER BY user.pk",
            (tenant_id,),
        )
        return [dict(row) for row in rows]
