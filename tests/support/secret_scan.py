"""Look for known secrets in everything that people, other services or disks get to see."""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus

import nats
import psutil
from pymongo import MongoClient
from stack_fixture import RunningStack

from contracts.bus_users import BOOTSTRAP
from tenantkeep.stack import documents, secrets, trust
from tenantkeep.stack import nats as stack_nats

_WINDOW = 20
_VAULT_TOKEN = re.compile(rb"(?:hv[sbr]|\b[sb])\.[A-Za-z0-9_-]{24,}")
_JWT = re.compile(rb"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}")
"""An access token, an id_token, a client assertion: whichever, and whether or not it is known here."""
_WORDS = re.compile(r"[A-Za-z0-9+/=_.~-]{16,}")


@dataclass
class Scan:
    """Known secrets, and what was found where."""

    needles: dict[bytes, str] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)
    bytes_read: dict[str, int] = field(default_factory=dict)

    def know(self, name: str, value: str | bytes) -> None:
        """Look for this value: raw, encoded, and in parts, as a log that cuts long lines would show it."""
        raw = value if isinstance(value, bytes) else value.encode()
        assert len(raw) >= 8, f"{name} is too short to be told from chance"
        forms = {
            raw,
            base64.b64encode(raw).rstrip(b"="),
            base64.urlsafe_b64encode(raw).rstrip(b"="),
            raw.hex().encode(),
        }
        if isinstance(value, str):
            forms |= {quote(value).encode(), quote_plus(value).encode(), json.dumps(value)[1:-1].encode()}
            forms |= _parts(value)
        for form in forms:
            self.needles[form] = name

    def know_file(self, path: Path) -> None:
        """Every long word of a file that holds secrets; the whole of it where that is no text."""
        raw = path.read_bytes()
        try:
            self.know_text(path.name, raw.decode())
        except UnicodeDecodeError:
            self.know(path.name, raw)

    def know_text(self, name: str, text: str) -> None:
        """Every long word of a text that is secret, as the lines of a PEM key are."""
        for word in _WORDS.findall(text):
            self.know(name, word)

    def read(self, place: str, content: str | bytes) -> None:
        """Look into one text; `place` names it in a finding, up to the first colon in the counts."""
        raw = content if isinstance(content, bytes) else content.encode()
        kind = place.partition(":")[0]
        self.bytes_read[kind] = self.bytes_read.get(kind, 0) + len(raw)
        names = {name for needle, name in self.needles.items() if needle in raw}
        if _VAULT_TOKEN.search(raw):
            names.add("a token of the vault")
        if _JWT.search(raw):
            names.add("a JWT")
        self.found += [f"{name} in {place}" for name in sorted(names)]


def _parts(value: str) -> set[bytes]:
    """Its end and its middle; its start too unless that is the public header of a token."""
    if len(value) < 2 * _WINDOW:
        return set()
    middle = len(value) // 2
    parts = {value[-_WINDOW:], value[middle - _WINDOW // 2 : middle + _WINDOW // 2]}
    if not value.startswith("eyJ"):
        parts.add(value[:_WINDOW])
    return {part.encode() for part in parts}


def files(scan: Scan, paths: Iterable[Path], kind: str) -> None:
    for path in paths:
        if path.is_file():
            scan.read(f"{kind}:{path.name}", path.read_bytes())


def processes(scan: Scan, stack: RunningStack) -> None:
    """What any user of the machine (arguments) or the same user (environment) can read of a process."""
    for name, process in stack.state.processes.items():
        if process.identity is not None:
            running = psutil.Process(process.identity.pid)
            scan.read(f"arguments:{name}", "\0".join(running.cmdline()))
            scan.read(f"environment:{name}", "\0".join(f"{k}={v}" for k, v in running.environ().items()))


def databases(scan: Scan, stack: RunningStack) -> None:
    """Every document of every database, read as the service that owns it."""
    for user, database in documents.DATABASES.items():
        password = secrets.mongo_password(stack.home, user).read_text()
        options = {"username": user, "password": password, "tls": True, "tlsCAFile": str(stack.home.ca)}
        with MongoClient(documents.url(stack.ports), **options) as client:
            for collection in client[database].list_collection_names():
                for document in client[database][collection].find({}):
                    scan.read(f"documents:{database}.{collection}", repr(document))


async def streams(scan: Scan, stack: RunningStack) -> None:
    """Every message of every stream, with its headers."""
    connection = await nats.connect(
        stack_nats.url(stack.ports),
        connect_timeout=10,  # a handshake on a busy machine
        tls=trust.context(stack.home.ca),
        tls_handshake_first=True,
        nkeys_seed=str(secrets.nats_seed(stack.home, BOOTSTRAP.name)),
        inbox_prefix=BOOTSTRAP.inbox.encode(),
    )
    try:
        jetstream = connection.jetstream()
        for info in await jetstream.streams_info():
            scan.read(f"streams:{info.config.name}", repr(info))
            for sequence in range(max(1, info.state.first_seq), info.state.last_seq + 1):
                try:
                    message = await jetstream.get_msg(info.config.name, sequence)
                except nats.js.errors.NotFoundError:
                    continue  # a work queue forgets what is done
                place = f"streams:{info.config.name} {message.subject}"
                scan.read(place, f"{message.subject} {message.headers} ".encode() + (message.data or b""))
    finally:
        await connection.close()


def known_to(stack: RunningStack) -> Iterator[Path]:
    """Every file of the stack that holds a password, a seed or a private key."""
    yield from (path for path in stack.home.secrets.iterdir() if path.suffix != ".json")
    yield from stack.home.pki.glob("*.key")
    yield stack.home.simulator / "control.token"
