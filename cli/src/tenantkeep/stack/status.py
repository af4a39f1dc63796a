"""Whether the stack is ready, asked anew of each process: is it alive, and does it answer its probe."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

from tenantkeep.stack import (
    documents,
    issuer,
    nats,
    objects,
    services,
    simulator,
    vault,
)
from tenantkeep.stack import (
    state as states,
)
from tenantkeep.stack.home import Home
from tenantkeep.stack.ports import Ports
from tenantkeep.stack.process import NotReady, Probe
from tenantkeep.stack.state import ProcessState, StackState


@dataclass(frozen=True)
class ProcessStatus:
    """One process now; `ready` is this moment's answer, not the launcher's memory."""

    name: str
    ready: bool
    state: str
    detail: str
    pid: int | None
    ports: dict[str, int]
    uptime_seconds: float | None
    restarts: int
    log: str


@dataclass(frozen=True)
class StackStatus:
    """`ready` only when the start is complete and every process answers now."""

    ready: bool
    home: str
    processes: list[ProcessStatus]


async def ask(home: Home, ports: Ports) -> StackStatus:
    """Probe every process of the running stack at once; no processes when no launcher holds the folder."""
    state = states.load(home)
    if state is None or not state.launcher.is_alive():
        return StackStatus(ready=False, home=str(home.root), processes=[])
    probes = probes_of(home, ports, state)
    processes = list(await asyncio.gather(*(_ask(p, probes[p.name]) for p in state.processes.values())))
    ready = state.ready and all(process.ready for process in processes)
    return StackStatus(ready=ready, home=str(home.root), processes=processes)


def probes_of(home: Home, ports: Ports, state: StackState) -> dict[str, Probe]:
    """The probe of each process of a stack."""
    known: dict[str, Probe] = {
        nats.NAME: lambda: nats.probe(home, ports),
        documents.NAME: lambda: asyncio.to_thread(documents.probe, home, ports),
        vault.NAME: lambda: vault.probe(home, ports),
        objects.NAME: lambda: objects.probe(home, ports),
        issuer.NAME: lambda: issuer.probe(home, ports),
        simulator.NAME: lambda: simulator.probe(home, ports),
    }
    for name, process in state.processes.items():
        if name not in known:
            known[name] = services.readyz(home, process.ports["health"])
    return known


async def _ask(process: ProcessState, probe: Probe) -> ProcessStatus:
    identity = process.identity
    alive = identity is not None and identity.is_alive()
    detail, ready = process.detail, False
    if alive:
        try:
            await probe()
            detail, ready = "", True
        except NotReady as reason:
            detail = str(reason)
    return ProcessStatus(
        name=process.name,
        ready=ready,
        state="ready" if ready else process.state.value if not alive else "not ready",
        detail=detail,
        pid=identity.pid if alive and identity is not None else None,
        ports=process.ports,
        uptime_seconds=_uptime(process) if alive else None,
        restarts=process.restarts,
        log=str(process.log),
    )


def _uptime(process: ProcessState) -> float:
    assert process.identity is not None
    return round(datetime.now(UTC).timestamp() - process.identity.started, 1)
