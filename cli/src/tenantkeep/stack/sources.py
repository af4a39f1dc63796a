"""The running bus follows the register of foreign sources."""

from tenantkeep.stack import nats, register, services, state
from tenantkeep.stack.home import Home
from tenantkeep.stack.ports import recall
from tenantkeep.stack.settings import StackSettings


def apply(home: Home, settings: StackSettings) -> bool:
    """Make the embedded bus follow the register: users at once, durables by the bootstrap. False when it is down.

    A bus that is down follows at its next start.
    """
    ports = recall(home.ports)
    running = state.load(home)
    server = running.processes.get(nats.NAME) if running else None
    found = server.identity.process() if server and server.identity else None
    if found is None:
        return False
    with register.held(home.sources):
        nats.reload(home, ports, found.pid)
        services.bootstrap(home, ports, settings, sources_only=True)
    return True
