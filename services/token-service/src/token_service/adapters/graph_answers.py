"""What may be told of an answer of Microsoft Graph."""

import re
from typing import Any

import httpx

_CODE = re.compile(r"[A-Za-z_.]{1,60}")


def body_of(answer: httpx.Response) -> dict[str, Any]:
    """Give the JSON object; empty when it is none."""
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def code_of(answer: httpx.Response) -> str:
    """Give Graph's error code, or the status: its sentences may name people and addresses."""
    error = body_of(answer).get("error")
    code = _CODE.fullmatch(str(error.get("code", ""))) if isinstance(error, dict) else None
    return code[0] if code else f"HTTP {answer.status_code}"
