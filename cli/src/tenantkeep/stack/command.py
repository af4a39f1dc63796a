"""`tenantkeep up`, `down`, `status` and `objects`: the embedded stack on this machine."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError
from rich.table import Table

from contracts.names import Slug
from tenantkeep.exit_codes import ExitCode
from tenantkeep.stack import launch, objects
from tenantkeep.stack import ports as stack_ports
from tenantkeep.stack import status as stack_status
from tenantkeep.stack.display import console
from tenantkeep.stack.errors import StackError
from tenantkeep.stack.home import Home
from tenantkeep.stack.settings import load

objects_app = typer.Typer(help="The embedded object store.", no_args_is_help=True)


Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


@contextmanager
def explained() -> Iterator[None]:
    """Print what went wrong and what to do next, exit code 1."""
    try:
        yield
    except StackError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(ExitCode.FAILED) from None
    except OSError as error:
        place = f": {error.filename}" if error.filename else ""
        typer.echo(f"{error.strerror or type(error).__name__}{place}", err=True)
        typer.echo("Check the permissions and the free space of the state folder (TENANTKEEP_HOME).", err=True)
        raise typer.Exit(ExitCode.FAILED) from None


def up(
    detach: Annotated[bool, typer.Option("--detach", help="Return when everything is ready.")] = False,
    only: Annotated[
        list[str] | None, typer.Option(help="Start these processes only (comma-separated; for developers).")
    ] = None,
) -> None:
    """Start the embedded stack: servers, simulator and services on this machine."""
    chosen = [name for item in only or [] for name in item.split(",") if name]
    with explained():
        settings = load()
        if detach:
            launch.up_detached(settings, chosen)
        else:
            asyncio.run(launch.up(settings, chosen))


def down() -> None:
    """Stop the embedded stack; its state stays."""
    with explained():
        count = launch.down(load())
    typer.echo(f"stopped ({count} processes)")


def status(as_json: Json = False) -> None:
    """Show each process of the embedded stack; exit code 0 when all are ready, else 1."""
    with explained():
        home = Home(load().home)
        found = asyncio.run(stack_status.ask(home, stack_ports.running(home)))
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=2))
    elif not found.processes:
        typer.echo(f"No stack runs in {home.root}. Start one: tenantkeep up")
    else:
        console().print(_status_table(found.processes))
        console().print(f"Logs: {home.logs}", style="dim", soft_wrap=True)
    raise typer.Exit(ExitCode.SUCCEEDED if found.ready else ExitCode.FAILED)


def _status_table(processes: list[stack_status.ProcessStatus]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("process", "state", "pid", "ports", "uptime", "restarts"):
        table.add_column(title, overflow="fold")
    for process in processes:
        table.add_row(
            process.name,
            f"[green]{process.state}[/]" if process.ready else f"[red]{process.state} {process.detail}[/]",
            "" if process.pid is None else str(process.pid),
            " ".join(str(port) for port in process.ports.values()),
            "" if process.uptime_seconds is None else f"{process.uptime_seconds:.0f} s",
            str(process.restarts),
        )
    return table


@objects_app.command()
def identity(tenant: Annotated[str, typer.Argument(help="Slug of the tenant.")], as_json: Json = False) -> None:
    """Give a tenant its own access key to its own prefix of the embedded object store."""
    try:
        slug = TypeAdapter(Slug).validate_python(tenant)
    except ValidationError:
        raise typer.BadParameter("a tenant is 1 to 32 of a-z, 0-9 and -") from None
    with explained():
        home = Home(load().home)
        made = asyncio.run(objects.create_tenant_identity(home, stack_ports.running(home), slug))
    if as_json:
        typer.echo(json.dumps(made, indent=2))
        return
    for name, value in made.items():
        typer.echo(f"{name}: {value}")
