"""Checks of this machine that need no running stack: versions, state folder, ports, certificates."""

import datetime as dt
import platform
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from cryptography import x509

from contracts.texts import Text
from tenantkeep.doctor.finding import Finding, bad, good, unknown
from tenantkeep.stack import home as homes
from tenantkeep.stack import ports as stack_ports
from tenantkeep.stack.errors import StackError
from tenantkeep.stack.home import Home
from tenantkeep.stack.settings import StackSettings

_OLDEST, _NEWEST = (3, 11), (3, 13)
_FREE_BYTES = 2 << 30
"""NATS may fill its streams and the object store makes volumes of 128 MB: below this a first backup gets stuck."""
_EXPIRY_WARNING = dt.timedelta(days=30)
_SEEN_BY_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def check(home: Home, settings: StackSettings, *, running: bool) -> Iterator[Finding]:
    """Everything below, in the order a person would look."""
    yield _python(sys.version_info[:2])
    yield from _components(home)
    yield from _folder(home)
    if not running:
        yield from _ports(home, settings)
    yield from certificates(home.pki.glob("*.pem"), dt.datetime.now(dt.UTC))


def _python(version: tuple[int, ...]) -> Finding:
    name = f"Python {platform.python_version()}"
    if _OLDEST <= version <= _NEWEST:
        return good("versions", name, platform.platform())
    remedy = Text("Install Python 3.11, 3.12 or 3.13.", "Python 3.11, 3.12 oder 3.13 installieren.")
    return bad("versions", name, "not one of 3.11 to 3.13", remedy)


def _components(home: Home) -> Iterator[Finding]:
    for name, version in homes.component_versions().items():
        yield good("versions", name, version)
    if home.stamp.is_file():
        try:
            homes.check_stamp(home)
        except StackError as error:
            yield bad("versions", str(home.stamp), error.message, Text(error.remedy, error.remedy))


def _folder(home: Home) -> Iterator[Finding]:
    if not home.stamp.is_file():
        remedy = Text("`tenantkeep up` makes it.", "`tenantkeep up` legt ihn an.")
        yield unknown("folder", str(home.root), "no stack has been started here yet", remedy)
        return
    yield from _permissions(home)
    free = shutil.disk_usage(home.root).free
    detail = f"{free / (1 << 30):.1f} GiB free"
    if free < _FREE_BYTES:
        remedy = Text("Free some space, or move TENANTKEEP_HOME.", "Platz schaffen oder TENANTKEEP_HOME verlegen.")
        yield bad("folder", "free space", detail, remedy)
    else:
        yield good("folder", "free space", detail)


def _permissions(home: Home) -> Iterator[Finding]:
    secrets = [path for path in (home.secrets, *home.secrets.iterdir(), *home.pki.glob("*.key")) if path.exists()]
    readable = [path for path in secrets if path.stat().st_mode & _SEEN_BY_OTHERS]
    for path in readable:
        remedy = Text(f"chmod go-rwx {path}", f"chmod go-rwx {path}")
        yield bad("folder", str(path), f"mode {stat.filemode(path.stat().st_mode)}", remedy)
    if not readable:
        yield good("folder", "secrets", f"{len(secrets)} files and folders closed to others")


def _ports(home: Home, settings: StackSettings) -> Iterator[Finding]:
    try:
        with stack_ports.choose(settings, home.ports) as wanted:
            stack_ports.refuse_taken(wanted)
    except StackError as error:
        yield bad("ports", "127.0.0.1", error.message, Text(error.remedy, error.remedy))
        return
    yield good("ports", "127.0.0.1", f"{len(wanted)} free")


def certificates(files: Iterable[Path], now: dt.datetime) -> Iterator[Finding]:
    """The end of each certificate; `up` renews those that end within 30 days."""
    for path in sorted(files):
        for certificate in x509.load_pem_x509_certificates(path.read_bytes()):
            left = certificate.not_valid_after_utc - now
            detail = f"ends {certificate.not_valid_after_utc:%Y-%m-%d}, {left.days} days"
            if left < _EXPIRY_WARNING:
                remedy = Text(
                    "Restart the stack: `tenantkeep down`, `tenantkeep up`.",
                    "Den Stack neu starten: `tenantkeep down`, `tenantkeep up`.",
                )
                yield bad("certificates", path.name, detail, remedy)
            else:
                yield good("certificates", path.name, detail)
