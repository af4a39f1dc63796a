"""What a person sees of the stack: a table while it starts, a panel when it is ready."""

import sys
from time import monotonic

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tenantkeep.stack import issuer, objects, simulator
from tenantkeep.stack.home import Home
from tenantkeep.stack.ports import Ports
from tenantkeep.stack.state import ProcessState, StackState, State

_COLOURS = {
    State.WAITING: "dim",
    State.STARTING: "yellow",
    State.READY: "green",
    State.BACKING_OFF: "red",
    State.STOPPED: "dim",
}
_FRAMES_PER_SECOND = 8


class Display:
    """Shows the start on a terminal; elsewhere one line for each process that becomes ready."""

    def __init__(self, console: Console, expected: tuple[str, ...]) -> None:
        self._console = console
        self._expected = expected
        self._began = monotonic()
        self._seen: dict[str, State] = {}
        self._live: Live | None = None

    def show(self, state: StackState) -> None:
        """Take a new state in; after the stack is ready only deaths and recoveries are told."""
        if self._console.is_terminal and not state.ready:
            if self._live is None:
                self._live = Live(console=self._console, refresh_per_second=_FRAMES_PER_SECOND, transient=True)
                self._live.start()
            self._live.update(Group(_starting_table(state, self._expected), self._elapsed()))
        else:
            self.close()
            self._tell_changes(state)
        self._seen = {name: process.state for name, process in state.processes.items()}

    def close(self) -> None:
        """Give the terminal back."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _tell_changes(self, state: StackState) -> None:
        for name, process in state.processes.items():
            if self._seen.get(name) == process.state:
                continue
            if process.state is State.READY:
                self._console.print(f"{name}: ready ({monotonic() - self._began:.1f} s)")
            elif process.state is State.BACKING_OFF:
                self._console.print(f"{name}: {process.detail}. Log: {process.log}", style="red", soft_wrap=True)

    def _elapsed(self) -> Text:
        return Text(f"{monotonic() - self._began:.0f} s", style="dim")


def _starting_table(state: StackState, expected: tuple[str, ...]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("process", "state", "pid", "ports", ""):
        table.add_column(title)
    for name in expected:
        process = state.processes.get(name)
        if process is None:
            table.add_row(name, Text(State.WAITING.value, style=_COLOURS[State.WAITING]))
        else:
            table.add_row(name, coloured(process.state), _pid(process), port_list(process), process.detail)
    return table


def coloured(state: State) -> Text:
    return Text(state.value, style=_COLOURS[state])


def port_list(process: ProcessState) -> str:
    return " ".join(str(port) for port in process.ports.values())


def _pid(process: ProcessState) -> str:
    return "" if process.identity is None else str(process.identity.pid)


def ready_panel(home: Home, ports: Ports, state: StackState, *, detached: bool) -> RenderableType:
    """Where everything is and what to do next."""
    urls = Table(box=None, show_header=False, pad_edge=False)
    rows = {
        "gateway": ("API", f"https://127.0.0.1:{ports['gateway']}/api/v1"),
        simulator.NAME: ("Microsoft 365 simulator", simulator.url(ports)),
        objects.NAME: ("object store (S3)", objects.url(ports)),
        issuer.NAME: ("token issuer", issuer.url(ports)),
    }
    for name, (label, address) in rows.items():
        if name in state.processes:
            urls.add_row(label, address)
    urls.add_row("logs", str(home.logs))
    urls.add_row("trust (PEM)", str(home.ca_bundle))
    following = ["tenantkeep status", *(["tenantkeep login"] if "gateway" in state.processes else [])]
    stop = "tenantkeep down" if detached else "Ctrl-C, or tenantkeep down"
    hints = Text(f"\nNext: {' · '.join(following)}\nStop: {stop}", style="dim")
    return Panel(Group(urls, hints), title="ready", title_align="left", border_style="green")


def console() -> Console:
    """The terminal, or plain text in a pipe."""
    return Console(file=sys.stdout, highlight=False)
