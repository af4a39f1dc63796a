"""Which port each part listens on, chosen and checked before anything starts."""

import errno
import json
import secrets
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it ships no types

from tenantkeep.stack.errors import PortTaken, StackError
from tenantkeep.stack.home import Home
from tenantkeep.stack.settings import StackSettings

_PREFIX = "port_"
_PER_WORKER = ("backup_worker", "backup_worker_download")
# Below the range the kernel hands to outgoing connections, so that a port stays ours between two starts.
_AUTO_RANGE = range(20_000, 32_000)
_BLOCK = 128
"""Ports of one stack with `auto`: its guard, at most 39 in use, and room for those that somebody else took."""

Ports = dict[str, int]


def worker_port(name: str, number: int) -> str:
    """The name of a port of worker `number` (1, 2, …)."""
    return name if number == 1 else f"{name}_{number}"


def wanted(settings: StackSettings) -> Ports:
    """The ports as the settings say, with those of further workers after the first worker's."""
    ports = {
        field.removeprefix(_PREFIX): getattr(settings, field)
        for field in StackSettings.model_fields
        if field.startswith(_PREFIX)
    }
    for name in _PER_WORKER:
        first = ports[name]
        ports.update({worker_port(name, n): first + n - 1 for n in range(2, settings.workers + 1)})
    return ports


@contextmanager
def choose(settings: StackSettings, remembered: Path) -> Iterator[Ports]:
    """The ports for this start. With `auto`, those of the last start as long as they are free.

    Until the end of the context no other stack of this machine chooses any of them: most servers listen only seconds
    after they were given their ports, and one that died does not listen for a while.
    """
    ports = wanted(settings)
    if settings.ports == "auto":
        explicit = {f.removeprefix(_PREFIX) for f in settings.model_fields_set if f.startswith(_PREFIX)}
        last = recall(remembered)
        with _own_block(last.values()) as block:
            taken = {ports[name] for name in explicit}
            for name in sorted(ports.keys() - explicit):
                candidate = last.get(name)
                if candidate is None or candidate not in block or candidate in taken or not is_free(candidate):
                    candidate = _free_port(block, taken.union(last.values()))
                ports[name] = candidate
                taken.add(candidate)
            _refuse_twins(ports)
            yield ports
    else:
        _refuse_twins(ports)
        yield ports


def recall(remembered: Path) -> Ports:
    """The ports of the last start, empty if there was none."""
    if not remembered.is_file():
        return {}
    try:
        stored = json.loads(remembered.read_text())
        return {str(name): int(port) for name, port in stored.items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise StackError(
            f"{remembered} cannot be read ({error}).", remedy="Delete this file; `tenantkeep up` writes it again."
        ) from error


def running(home: Home) -> Ports:
    """The ports of the stack that runs in this folder, or ran there last."""
    ports = recall(home.ports)
    if not ports:
        raise StackError(f"There is no stack in {home.root}.", remedy="Start one: tenantkeep up")
    return ports


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def refuse_taken(ports: Ports) -> None:
    """Raise `PortTaken` for the first port somebody else listens on, naming its setting and its owner."""
    for name, port in ports.items():
        if not is_free(port):
            setting = f"TENANTKEEP_{_PREFIX}{name}".upper()
            raise PortTaken(
                f"Port {port} ({name}) is taken{_owner(port)}.",
                remedy=f"Stop that program, set {setting} to another port, or set TENANTKEEP_PORTS=auto.",
            )


def _refuse_twins(ports: Ports) -> None:
    users: dict[int, str] = {}
    for name, port in ports.items():
        if port in users:
            raise StackError(
                f"{name} and {users[port]} are both set to port {port}.",
                remedy=f"Change TENANTKEEP_PORT_{name.upper()} or TENANTKEEP_PORT_{users[port].upper()}.",
            )
        users[port] = name


@contextmanager
def _own_block(last: Iterable[int]) -> Iterator[range]:
    """Ports that are ours while we listen on the one before them; those of the last start unless another has them."""
    blocks = [range(start, start + _BLOCK) for start in range(_AUTO_RANGE.start, _AUTO_RANGE.stop - _BLOCK, _BLOCK)]
    before = set(last)
    secrets.SystemRandom().shuffle(blocks)
    blocks.sort(key=before.isdisjoint)
    for block in blocks:
        with socket.socket() as guard:
            try:
                guard.bind(("127.0.0.1", block[0]))
                guard.listen()
            except OSError as error:
                if error.errno in (errno.EADDRINUSE, errno.EACCES):
                    continue
                raise
            yield block[1:]
            return
    raise _no_free_port()


def _free_port(block: range, taken: set[int]) -> int:
    for candidate in block:
        if candidate not in taken and is_free(candidate):
            return candidate
    raise _no_free_port()


def _no_free_port() -> StackError:
    return StackError(
        f"No free ports between {_AUTO_RANGE.start} and {_AUTO_RANGE.stop}.",
        remedy="Stop some servers of this machine.",
    )


def _owner(port: int) -> str:
    """Who listens, as far as this user may see it."""
    try:
        listeners = [
            c.pid
            for c in psutil.net_connections("tcp")
            if c.laddr and c.laddr.port == port and c.status == psutil.CONN_LISTEN
        ]
        pid = next((p for p in listeners if p is not None), None)
        return "" if pid is None else f" by {psutil.Process(pid).name()} (process {pid})"
    except psutil.Error:
        return ""
