"""The commands that talk to a gateway, and the demo."""

import typer

from tenantkeep.commands import (
    audit,
    backup,
    dead_letters,
    employee_protection,
    health,
    holds,
    incident,
    jobs,
    login,
    profiles,
    retention,
    review,
    simulator,
    source,
    storage,
    sync,
    tenant,
    token,
)
from tenantkeep.commands.demo.command import demo
from tenantkeep.commands.offboarding.command import offboard
from tenantkeep.commands.onboarding.command import onboard
from tenantkeep.commands.papers.command import handover
from tenantkeep.recover import command as recover
from tenantkeep.recover import repository_command


def register(app: typer.Typer) -> None:
    """Add every command of this package to the `tenantkeep` command."""
    app.command("login")(login.login)
    app.add_typer(tenant.app, name="tenant")
    app.add_typer(incident.app, name="incident")
    app.add_typer(token.app, name="token")
    app.command("onboard")(onboard)
    app.command("handover")(handover)
    app.add_typer(profiles.app, name="profiles")
    app.add_typer(profiles.permissions_app, name="permissions")
    app.command("offboard")(offboard)
    app.add_typer(storage.app, name="storage")
    backup.app.add_typer(holds.app, name="hold")
    backup.app.add_typer(retention.app, name="retention")
    app.add_typer(backup.app, name="backup")
    app.add_typer(jobs.app, name="jobs")
    app.add_typer(employee_protection.app, name="employees")
    app.add_typer(sync.app, name="sync")
    app.add_typer(dead_letters.app, name="dead-letters")
    app.add_typer(audit.app, name="audit")
    app.add_typer(review.app, name="review")
    app.add_typer(source.app, name="source")
    app.add_typer(recover.app, name="recover")
    app.add_typer(repository_command.app, name="repository")
    app.command("health")(health.health)
    app.add_typer(simulator.app, name="simulator")
    app.command("demo")(demo)
