"""The whole stack in order: prepare the folder, start, keep running, stop."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from contracts.bus_users import BUS_USERS
from tenantkeep.stack import (
    documents,
    files,
    issuer,
    nats,
    new_secrets,
    objects,
    pki,
    process,
    services,
    simulator,
    vault,
)
from tenantkeep.stack import (
    home as homes,
)
from tenantkeep.stack import (
    ports as stack_ports,
)
from tenantkeep.stack import (
    state as states,
)
from tenantkeep.stack.errors import StackError, StartFailed
from tenantkeep.stack.home import Home
from tenantkeep.stack.launcher_log import launcher_log
from tenantkeep.stack.ports import Ports
from tenantkeep.stack.settings import StackSettings
from tenantkeep.stack.state import ProcessState, StackState
from tenantkeep.stack.supervisor import Supervised
from tenantkeep.stack.vault_policies import POLICIES

SERVERS = (nats.NAME, documents.NAME, vault.NAME, objects.NAME, issuer.NAME, simulator.NAME)
_CERTIFICATES = (nats.NAME, documents.NAME, vault.NAME, objects.NAME, issuer.NAME, *services.CERTIFICATES)

Watch = Callable[[StackState], None]


def names(settings: StackSettings) -> tuple[str, ...]:
    """Every process of a full stack, in start order."""
    return (*SERVERS, *_service_names(settings))


def _service_names(settings: StackSettings) -> tuple[str, ...]:
    workers = tuple(services.worker_name(n) for n in range(1, settings.workers + 1))
    return (services.TOKEN, services.SYNC, services.PLANNER, *workers, services.MONITOR, services.GATEWAY)


class Stack:
    """One run of the stack in one state folder. `only` limits it to some processes (for developers)."""

    def __init__(self, settings: StackSettings, *, only: Sequence[str] = (), watch: Watch) -> None:
        self.settings = settings
        self.home = Home(settings.home)
        self._watch = watch
        self._wanted = _selection(settings, only)
        self._running: list[Supervised] = []
        self._keepers: list[asyncio.Task[None]] = []
        me = states.identify(os.getpid())
        assert me is not None
        self.state = StackState(me)
        self.ports: Ports = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Stack"]:
        """Start everything, yield when all of it is ready, stop everything at the end, however that comes."""
        homes.prepare(self.home, furnish)
        with homes.locked(self.home), launcher_log(self.home):
            _end_leftovers(self.home)
            furnish(self.home)
            with stack_ports.choose(self.settings, self.home.ports) as ports:
                self._take(ports)
                try:
                    await self._start()
                    yield self
                finally:
                    await self._stop()

    async def keep(self) -> None:
        """Restart what dies, until cancelled."""
        await _all([_result_of(task) for task in self._keepers])

    def _take(self, ports: Ports) -> None:
        stack_ports.refuse_taken({name: port for name, port in ports.items() if self._needs(name)})
        files.write_json(self.home.ports, ports)
        self.ports = ports

    def _needs(self, port: str) -> bool:
        if port == "gateway_health":
            return services.GATEWAY in self._wanted
        return any(port.replace("_", "-").startswith(name) for name in self._wanted)

    async def _start(self) -> None:
        await _all([self._run_server(name, make) for name, make in self._server_specs().items()])
        pki.write_bundle(self.home)
        wanted = [spec for spec in services.specs(self.home, self.ports, self.settings) if spec.name in self._wanted]
        await _all([self._run(spec) for spec in wanted])
        homes.write_stamp(self.home)
        self._publish(replace(self.state, ready=True))

    def _server_specs(self) -> dict[str, Callable[[], process.ProcessSpec]]:
        """How to make each wanted server's specification; that writes its configuration and may take seconds."""
        home, ports = self.home, self.ports

        def prepared_documents() -> process.ProcessSpec:
            documents.initialise(home, ports)
            return documents.spec(home, ports)

        makers: dict[str, Callable[[], process.ProcessSpec]] = {
            nats.NAME: lambda: nats.spec(home, ports),
            documents.NAME: prepared_documents,
            vault.NAME: lambda: vault.spec(home, ports),
            objects.NAME: lambda: objects.spec(home, ports),
            issuer.NAME: lambda: issuer.spec(home, ports),
            simulator.NAME: lambda: simulator.spec(home, ports),
        }
        return {name: make for name, make in makers.items() if name in self._wanted}

    async def _run_server(self, name: str, make: Callable[[], process.ProcessSpec]) -> None:
        await self._run(await asyncio.to_thread(make))
        if name == nats.NAME and self._serves:
            await asyncio.to_thread(self._bootstrap)  # while the other servers still start

    @property
    def _serves(self) -> bool:
        """True when services are among the wanted processes."""
        return not self._wanted.isdisjoint(_service_names(self.settings))

    async def _bus_again(self) -> None:
        """A bus that comes back without its store has no streams: make them again, the sweep fills them."""
        try:
            await asyncio.to_thread(self._bootstrap)
        except StartFailed as error:
            raise process.NotReady(str(error)) from error

    async def _run(self, spec: process.ProcessSpec) -> None:
        supervised = Supervised(
            spec,
            self._changed,
            hold=self.home.hold(spec.name),
            start_timeout=self.settings.start_timeout,
            longest_back_off=self.settings.restart_longest,
            again=self._bus_again if spec.name == nats.NAME and self._serves else None,
        )
        self._running.append(supervised)
        await supervised.start()
        self._keepers.append(asyncio.create_task(supervised.keep(), name=f"keep {spec.name}"))

    def _bootstrap(self) -> None:
        """Create streams and consumers; harmless when they exist."""
        services.bootstrap(self.home, self.ports, self.settings)

    async def _stop(self) -> None:
        """Services first, so that they can hand back what they hold, then the servers."""
        for task in self._keepers:
            task.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        for is_service in (True, False):
            await _all([s.stop() for s in self._running if s.spec.is_service is is_service])
        self.home.processes.unlink(missing_ok=True)

    def _changed(self, changed: ProcessState) -> None:
        known = {**self.state.processes, changed.name: changed}
        in_order = {name: known[name] for name in names(self.settings) if name in known}
        self._publish(replace(self.state, processes=in_order))

    def _publish(self, state: StackState) -> None:
        self.state = state
        states.save(self.home, state)
        self._watch(state)


def furnish(home: Home) -> None:
    """Keys, passwords and certificates; what exists stays."""
    pki.ensure(home, _CERTIFICATES)
    new_secrets.ensure(
        home,
        bus_users=tuple(user.name for user in BUS_USERS),
        database_users=tuple(documents.DATABASES),
        vault_roles=tuple(POLICIES),
    )
    pki.write_bundle(home)


def _selection(settings: StackSettings, only: Sequence[str]) -> frozenset[str]:
    known = names(settings)
    unknown = sorted(set(only) - set(known))
    if unknown:
        raise StackError(f"No such process: {', '.join(unknown)}.", remedy=f"Choose from: {', '.join(known)}")
    chosen = frozenset(only or known)
    if nats.NAME not in chosen and not chosen.isdisjoint(_service_names(settings)):
        raise StackError("Services cannot run without the bus.", remedy=f"Add {nats.NAME} to --only.")
    return chosen


def _end_leftovers(home: Home) -> None:
    """Where the kernel does not tie children to their parent, a killed launcher leaves some; end them now."""
    last = states.load(home)
    if last is not None:
        states.end(last.leftovers(), process.SERVER_GRACE)
        home.processes.unlink()


async def _result_of(task: "asyncio.Task[None]") -> None:
    await task


async def _all(coroutines: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Run together; the first `StackError` cancels the rest and is raised bare."""
    try:
        async with asyncio.TaskGroup() as group:
            for coroutine in coroutines:
                group.create_task(coroutine)
    except* StackError as errors:
        raise errors.exceptions[0] from None
