"""Take secrets out of what is about to be written; for logs, health answers and anything else people read.

Two nets: a value under a telling name is replaced whole, and what looks like a secret is masked in any text.
"""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

MASK = "[redacted]"

_TELLING = re.compile(
    r"token|secret|passw|passphrase|authorization|assertion|cookie|credential|nkey|api_?key|private_?key|\bpwd\b",
    re.IGNORECASE,
)

# Little is matched around the word: an unbounded run would make long texts quadratic.
_NAME = r"(?:token|secret|password|passphrase|assertion|authorization|cookie|api_?key)[\w-]{0,32}"

_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    # PEM private keys
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), MASK),
    # JSON web tokens, whole or cut off in the signature
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]*(?:\.[\w-]*)?"), MASK),
    # Authorization headers; an all-lower-case word behind "basic" is an ordinary sentence
    (re.compile(r"\b((?i:bearer|basic))\s+(?=[a-z-]*[A-Z0-9_.~+/=])[\w.~+/=-]{6,}"), rf"\1 {MASK}"),
    # tokens of Vault and OpenBao
    (re.compile(r"\b(?:hv[sbr]|s|b)\.[A-Za-z0-9_-]{20,}"), MASK),
    # nkey seeds
    (re.compile(r"\bS[UAOCNX][A-Z2-7]{56}\b"), MASK),
    # user:password@ in URLs
    (re.compile(r"(://[^/\s:@]*):[^/\s@]+@"), rf"\1:{MASK}@"),
    # the rest of the line, because a scheme of its own may stand before the secret
    (re.compile(r"((?:authorization|cookie)\s*[:=]\s*)(?![\"'])[^\r\n]+", re.IGNORECASE), rf"\1{MASK}"),
    # "name": "value" and name='value' in JSON and Python texts, then name=value in queries and forms
    (re.compile(rf"""({_NAME}["']?\s*[=:]\s*)(["'])(?:(?!\2).)*\2""", re.IGNORECASE), rf"\1\2{MASK}\2"),
    (re.compile(rf"""({_NAME}\s*[=:]\s*)(?!["'])[^\s&,;)}}\]]+""", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(r"([?&](?:code|sig|state|nonce)=)[^&\s\"']+"), rf"\1{MASK}"),
)


def masked(text: str) -> str:
    """Mask what looks like a secret inside `text`."""
    for shape, replacement in _SHAPES:
        text = shape.sub(replacement, text)
    return text


def redacted(value: Any, name: str = "") -> Any:
    """Copy `value` as plain JSON types without secrets; `name` is the key it stands under."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, SecretStr) or _TELLING.search(name):
        return MASK
    if isinstance(value, bytes | bytearray):
        return f"{len(value)} bytes"
    if isinstance(value, Mapping):
        return {masked(str(key)): redacted(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redacted(inner) for inner in value]
    return masked(str(value))
