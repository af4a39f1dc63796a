"""The `tenantkeep` command."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

COMMANDS = {
    "up": "stack.command:up",
    "down": "stack.command:down",
    "status": "stack.command:status",
    "objects": "stack.command:objects_app",
    "login": "commands.login:login",
    "tenant": "commands.tenant:app",
    "incident": "commands.incident:app",
    "token": "commands.token:app",
    "onboard": "commands.onboarding.command:onboard",
    "handover": "commands.papers.command:handover",
    "profiles": "commands.profiles:app",
    "permissions": "commands.profiles:permissions_app",
    "offboard": "commands.offboarding.command:offboard",
    "storage": "commands.storage:app",
    "backup": "commands.backup:app",
    "jobs": "commands.jobs:app",
    "employees": "commands.employee_protection:app",
    "sync": "commands.sync:app",
    "dead-letters": "commands.dead_letters:app",
    "audit": "commands.audit:app",
    "review": "commands.review:app",
    "source": "commands.source:app",
    "recover": "recover.command:app",
    "repository": "recover.repository_command:app",
    "health": "commands.health:health",
    "simulator": "commands.simulator:app",
    "demo": "commands.demo.command:demo",
    "doctor": "doctor.command:doctor",
    "support-bundle": "doctor.bundle:support_bundle",
}
"""Where each command is; a module is loaded when its command is named, so that each starts fast."""


class _Loaded(Mapping[str, Any]):
    """The table as Typer knows it: by name, a command that is loaded when it is asked for."""

    def __getitem__(self, name: str) -> Any:
        module, attribute = COMMANDS[name].split(":")
        found = getattr(import_module(f"tenantkeep.{module}"), attribute)
        holder = typer.Typer()
        if isinstance(found, typer.Typer):
            holder.add_typer(found, name=name)
        else:
            holder.command(name)(found)
        return typer.main.get_group(holder).commands[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class Commands(TyperGroup):
    """All commands of `tenantkeep`."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Loaded()  # type: ignore[assignment]  # Typer changes no command of a group it is given


app = typer.Typer(
    name="tenantkeep",
    cls=Commands,
    help="Backs up and restores Microsoft 365 tenants.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # locals may hold secrets
)


@app.callback()
def tenantkeep() -> None:
    """Backs up and restores Microsoft 365 tenants."""


if __name__ == "__main__":
    app()
