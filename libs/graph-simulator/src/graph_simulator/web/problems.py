"""Error answers of Graph and of the token endpoint, in their published shapes.

https://learn.microsoft.com/graph/errors · https://learn.microsoft.com/entra/identity-platform/reference-error-codes
"""

import json
from collections.abc import Mapping
from uuid import uuid4

from starlette.responses import Response

from graph_simulator.times import iso, now

JSON_TYPE = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"


class GraphProblem(Exception):
    """An error that Graph answers with its JSON error body."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})

    def response(self, request_id: str, client_request_id: str) -> Response:
        inner = {
            "date": iso(now()).removesuffix("Z"),
            "request-id": request_id,
            "client-request-id": client_request_id,
        }
        error = {"code": self.code, "message": self.message, "innerError": inner}
        return json_response({"error": error}, self.status, self.headers)


class LoginProblem(Exception):
    """An error of the token endpoint, with its AADSTS number."""

    def __init__(self, status: int, error: str, number: int, text: str) -> None:
        super().__init__(f"AADSTS{number}: {text}")
        self.status = status
        self.error = error
        self.number = number

    def response(self, correlation_id: str) -> Response:
        trace_id = str(uuid4())
        stamp = iso(now()).replace("T", " ")
        description = f"{self} Trace ID: {trace_id} Correlation ID: {correlation_id} Timestamp: {stamp}"
        body = {
            "error": self.error,
            "error_description": description,
            "error_codes": [self.number],
            "timestamp": stamp,
            "trace_id": trace_id,
            "correlation_id": correlation_id,
            "error_uri": f"https://login.microsoftonline.com/error?code={self.number}",
        }
        return Response(json.dumps(body), self.status, media_type="application/json; charset=utf-8")


def json_response(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with JSON under Graph's content type."""
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(body, status, headers, JSON_TYPE)


def bad_request(message: str, code: str = "RequestBroker--ParseUri") -> GraphProblem:
    return GraphProblem(400, code, message)


def item_not_found() -> GraphProblem:
    return GraphProblem(404, "ErrorItemNotFound", "The specified object was not found in the store.")


def user_not_found(key: str) -> GraphProblem:
    text = f"Resource '{key}' does not exist or one of its queried reference-property objects are not present."
    return GraphProblem(404, "Request_ResourceNotFound", text)
