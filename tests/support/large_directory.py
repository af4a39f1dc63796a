"""Fifty thousand people in the simulator's database, written beside the running simulator."""

from pathlib import Path

from graph_simulator import directory, directory_objects
from graph_simulator.database import connect, transaction
from graph_simulator.directory_objects import Kind

_AT_ONCE = 1_000


def populate(state: Path, tenant: str, users: int, groups: int) -> list[str]:
    """Create users with a mail address in groups; a fifth of one percent are administrators. Their object ids."""
    connection = connect(state / "simulator.db")
    try:
        owner = directory.find_tenant(connection, tenant)
        profile = {"displayName": f"KlarKonform-{tenant}-Admin", "securityEnabled": True}
        teams = [directory_objects.create(connection, owner, Kind.GROUP, profile)]
        for number in range(1, groups):
            profile = {"displayName": f"Team {number}", "securityEnabled": True}
            teams.append(directory_objects.create(connection, owner, Kind.GROUP, profile))
        made: list[str] = []
        for start in range(0, users, _AT_ONCE):
            with transaction(connection):
                for number in range(start, min(start + _AT_ONCE, users)):
                    key = directory.create_user(connection, owner, f"person{number:05}", department=f"D{number % 40}")
                    row = connection.execute("SELECT id FROM user WHERE pk = ?", (key,)).fetchone()
                    directory_objects.set_member(connection, teams[number % groups], row["id"], member=True)
                    made.append(str(row["id"]))
        return made
    finally:
        connection.close()


def change(state: Path, tenant: str, users: list[str], department: str) -> None:
    """Move these users to another department."""
    connection = connect(state / "simulator.db")
    try:
        owner = directory.find_tenant(connection, tenant)
        with transaction(connection):
            for user in users:
                row = directory.find_user(connection, owner.id, user)
                directory_objects.update(connection, Kind.USER, row, {"department": department})
    finally:
        connection.close()
