"""Object names of the format (docs/reference/repository-format.md, section 1)."""

import re

from backup_engine.errors import IntegrityError, InvalidName

CONFIG = "config"
KEYS = "keys/"
DATA = "data/"
INDEX = "index/"
INDEX_MERGED = "index/merged/"
MANIFESTS = "manifests/"
SNAPSHOTS = "snapshots/"
SESSIONS = "sessions/"
GC = "gc/"
RECEIPTS = "receipts/"
HOLDS = "holds/"
EXPORTS = "exports/"
POLICIES = "policies/"
RELEASED = "-released"
RECEIPTS = "receipts/"
DAMAGE = "damage/"
DERIVED = "derived/"

_POLICY_DIGITS = 8
_SESSION = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,127}")
_SERVICE = re.compile(r"[a-z0-9-]{1,64}")
_NUMBER = re.compile(r"\d{8}")
_RUN = re.compile(r"gc/(?P<n>\d{8})/(?:condemned|done)")
_PACK = re.compile(r"data/(?P<session>[0-9A-Z]{26})/\d{6}-(?P<sha256>[0-9a-f]{64})")


def check_session(session: str) -> str:
    if not _SESSION.fullmatch(session):
        raise InvalidName(f"a session is a ULID of 26 upper-case characters, not {session!r}")
    return session


def check_shard(shard: str) -> str:
    if not all(_PART.fullmatch(part) for part in shard.split("/")):
        raise InvalidName(f"not a shard name: {shard!r}")
    return shard


def export(service: str, ulid: str) -> str:
    """Name of a documents export; with "" instead of a ULID the start of all of that service."""
    if not _SERVICE.fullmatch(service):
        raise InvalidName(f"not the name of a service: {service!r}")
    return f"{EXPORTS}{service}/{check_session(ulid) if ulid else ''}"


def export_service(name: str) -> str:
    return name.removeprefix(EXPORTS).partition("/")[0]


def data_key(n: int, revision: int = 0) -> str:
    return f"{KEYS}{n}.{revision}" if revision else f"{KEYS}{n}"


def pack(session: str, seq: int, sha256: str) -> str:
    return f"{DATA}{session}/{seq:06d}-{sha256}"


def packs_of(session: str) -> str:
    return f"{DATA}{session}/"


def pack_session(name: str) -> str:
    return _pack(name)["session"]


def pack_sha256(name: str) -> str:
    return _pack(name)["sha256"]


def _pack(name: str) -> re.Match[str]:
    match = _PACK.fullmatch(name)
    if match is None:
        raise IntegrityError(f"{name} is not the name of a pack", key=name)
    return match


def index_delta(session: str, seq: int) -> str:
    return f"{INDEX}{session}/{seq:06d}"


def segment(shard: str, session: str, run: int, part: int) -> str:
    return f"{MANIFESTS}{shard}/{session}-{run:06d}-{part:06d}"


def segments(shard: str) -> str:
    """How the names of all segments of the shard begin."""
    return f"{MANIFESTS}{shard}/"


def segment_run(name: str) -> str:
    """What the names of the segments of one run have in common."""
    return name.rpartition("-")[0]


def snapshot(shard: str, session: str) -> str:
    return f"{SNAPSHOTS}{shard}/{session}"


def snapshot_parts(name: str) -> tuple[str, str]:
    """Shard and session of a commit name."""
    shard, _, session = name.removeprefix(SNAPSHOTS).rpartition("/")
    return check_shard(shard), check_session(session)


def receipt(n: int) -> str:
    return f"{RECEIPTS}{n:08d}"


def receipt_number(name: str) -> int:
    return _number(name, RECEIPTS)


def damage(n: int) -> str:
    return f"{DAMAGE}{n:08d}"


def damage_number(name: str) -> int:
    return _number(name, DAMAGE)


def _number(name: str, prefix: str) -> int:
    text = name.removeprefix(prefix)
    if not _NUMBER.fullmatch(text):
        raise IntegrityError(f"{name} is not a numbered name", key=name)
    return int(text)


def session_objects(session: str) -> str:
    return f"{SESSIONS}{session}/"


def session_open(session: str) -> str:
    return f"{SESSIONS}{session}/open"


def checkpoints(session: str) -> str:
    return f"{SESSIONS}{session}/ckpt-"


def checkpoint(session: str, seq: int) -> str:
    return f"{SESSIONS}{session}/ckpt-{seq:06d}"


def intent(session: str) -> str:
    return f"{SESSIONS}{session}/intent"


def derived(kind: str, shard: str, ulid: str) -> str:
    """Name of a derived file; with "" instead of a ULID the start of all of that kind and shard."""
    if not _SERVICE.fullmatch(kind):
        raise InvalidName(f"not a kind of derived file: {kind!r}")
    return f"{DERIVED}{kind}/{check_shard(shard)}/{check_session(ulid) if ulid else ''}"


def derived_part(kind: str, shard: str, ulid: str, n: int) -> str:
    return f"{derived(kind, shard, ulid)}-{n:06d}"


def derived_parts(name: str) -> tuple[str, str, str]:
    """Kind, shard and ULID in the name of a derived file or of one of its parts."""
    kind, _, path = name.removeprefix(DERIVED).partition("/")
    shard, _, last = path.rpartition("/")
    return kind, check_shard(shard), check_session(last.partition("-")[0])


def policy(n: int) -> str:
    return f"{POLICIES}{n:08d}"


def policy_number(name: str) -> int:
    number = name.removeprefix(POLICIES)
    if not (len(number) == _POLICY_DIGITS and number.isdecimal()):
        raise IntegrityError(f"{name} is not the name of a retention floor", key=name)
    return int(number)


def hold(ident: str) -> str:
    return f"{HOLDS}{ident}"


def hold_id(name: str) -> str:
    ident = name.removeprefix(HOLDS)
    if not _SESSION.fullmatch(ident):
        raise IntegrityError(f"{name} is not the name of a hold", key=name)
    return ident


def release(ident: str) -> str:
    return f"{HOLDS}{ident}{RELEASED}"


def session_in(name: str) -> str:
    """The session in the name of a pack, index delta, segment or snapshot; "" in any other."""
    kind, *path = name.split("/")
    part = {DATA: 0, INDEX: 0, MANIFESTS: -1, SNAPSHOTS: -1}.get(f"{kind}/")
    found = _SESSION.match(path[part]) if part is not None and path else None
    return found[0] if found else ""


def condemned(run: int) -> str:
    return f"{GC}{run:08d}/condemned"


def done(run: int) -> str:
    return f"{GC}{run:08d}/done"


def run_number(name: str) -> int:
    match = _RUN.fullmatch(name)
    if match is None:
        raise IntegrityError(f"{name} is not the name of a collector's record", key=name)
    return int(match["n"])


def merged_index(generation: int, n: int) -> str:
    return f"{INDEX_MERGED}{generation:08d}/{n:06d}"


def merged_generation(name: str) -> int:
    generation = name.removeprefix(INDEX_MERGED).partition("/")[0]
    if not generation.isdecimal():
        raise IntegrityError(f"{name} is not the name of a merged index file", key=name)
    return int(generation)


def session_of(name: str) -> str:
    """The session an object below `sessions/` belongs to."""
    return check_session(name.removeprefix(SESSIONS).partition("/")[0])


def segment_session(name: str) -> str:
    """The session that wrote a manifest segment."""
    return check_session(name.rpartition("/")[2].partition("-")[0])
