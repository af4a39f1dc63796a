import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from tenantkeep.stack import ports as stack_ports
from tenantkeep.stack.display import Display, ready_panel
from tenantkeep.stack.home import Home
from tenantkeep.stack.settings import StackSettings
from tenantkeep.stack.state import Identity, ProcessState, StackState, State

NATS = ProcessState("nats", Path("/logs/nats.log"), {"tls": 4222}, identity=Identity(4711, 0))


def _state(*processes: ProcessState, ready: bool = False) -> StackState:
    return StackState(Identity(1, 0), ready=ready, processes={p.name: p for p in processes})


def test_a_pipe_gets_one_line_for_each_change() -> None:
    output = io.StringIO()
    display = Display(Console(file=output), ("nats",))
    for state in (State.STARTING, State.READY, State.READY):
        display.show(_state(replace(NATS, state=state)))
    display.show(_state(replace(NATS, state=State.BACKING_OFF, detail="signal 9; again in 1 s"), ready=True))
    lines = output.getvalue().splitlines()
    assert [line.split(" (")[0] for line in lines] == [
        "nats: ready",
        "nats: signal 9; again in 1 s. Log: /logs/nats.log",
    ]


def test_a_terminal_gets_a_table_with_what_is_still_to_come() -> None:
    output = io.StringIO()
    display = Display(Console(file=output, force_terminal=True, width=100), ("nats", "vault"))
    display.show(_state(replace(NATS, state=State.STARTING, detail="no answer on port 4222")))
    display.close()
    shown = output.getvalue()
    for text in ("nats", "4711", "4222", "no answer on port 4222", "vault", "waiting"):
        assert text in shown


@pytest.mark.parametrize(("detached", "stop"), [(True, "Stop: tenantkeep down"), (False, "Stop: Ctrl-C")])
def test_the_panel_says_where_things_are_and_how_to_stop(home: Home, *, detached: bool, stop: str) -> None:
    console = Console(file=io.StringIO(), record=True, width=200)
    gateway = replace(NATS, name="gateway")
    ports = stack_ports.wanted(StackSettings())
    console.print(ready_panel(home, ports, _state(gateway, ready=True), detached=detached))
    shown = console.export_text()
    for text in ("https://127.0.0.1:8443/api/v1", str(home.logs), "tenantkeep login", stop):
        assert text in shown
    assert "simulator" not in shown
