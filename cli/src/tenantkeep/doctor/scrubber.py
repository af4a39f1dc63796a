"""Take secrets and people out of what leaves this machine."""

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from contracts.redaction import MASK, masked, redacted

_WORD = re.compile(r"[A-Za-z0-9+/=_.~-]{16,}")
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_SHORTEST = 8


class Scrubber:
    """Three nets: the known secrets of this folder in every form, whatever looks like one, and addresses of people.

    An address becomes the same word everywhere in one bundle, so that a mailbox can be followed but not named.
    """

    def __init__(self, known: Iterable[str | bytes] = ()) -> None:
        self._salt = secrets.token_bytes(16)
        forms = sorted({form for value in known for form in _forms(value)}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, forms))) if forms else None

    @classmethod
    def of_files(cls, files: Iterable[Path]) -> "Scrubber":
        """Know every long word of these files, and the whole content of those that are no text."""
        known: list[str | bytes] = []
        for path in files:
            content = path.read_bytes()
            try:
                known += _WORD.findall(content.decode())
            except UnicodeDecodeError:
                known.append(content)
        return cls(known)

    def text(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(MASK, text)
        return _ADDRESS.sub(self._pseudonym, masked(text))

    def document(self, value: Any) -> str:
        """The value as JSON text, scrubbed; what stands under a telling name is masked whole."""
        return self.text(json.dumps(redacted(value), indent=2, ensure_ascii=False))

    def _pseudonym(self, found: re.Match[str]) -> str:
        digest = hmac.new(self._salt, found.group().lower().encode(), hashlib.sha256).hexdigest()
        return f"person-{digest[:10]}"


def _forms(value: str | bytes) -> set[str]:
    raw = value if isinstance(value, bytes) else value.encode()
    if len(raw) < _SHORTEST:
        return set()
    encoded = {base64.b64encode(raw).rstrip(b"="), base64.urlsafe_b64encode(raw).rstrip(b"=")}
    forms = {form.decode() for form in encoded} | {raw.hex()}
    if isinstance(value, str):
        forms |= {value, quote(value, safe=""), json.dumps(value)[1:-1]}
    return forms
