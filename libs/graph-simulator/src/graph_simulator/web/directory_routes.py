"""Which directory request leads to which handler, and which application permission it needs."""

from collections.abc import Awaitable, Callable

from starlette.responses import Response

from graph_simulator.permissions import READ_GROUPS, READ_ORG_CONTACTS, READ_USERS, WRITE_USERS
from graph_simulator.web import directory_delta, directory_view, memberships, user_writing, users
from graph_simulator.web.call import Call
from graph_simulator.web.paths import RouteTable


def add_directory_routes(table: RouteTable[Callable[[Call], Awaitable[Response]]]) -> None:
    table.add("GET", "/users", directory_view.list_users, READ_USERS)
    table.add("GET", "/users/delta", directory_delta.user_delta, READ_USERS)
    table.add("GET", "/users/{user}", users.get_user, READ_USERS)
    table.add("PATCH", "/users/{user}", user_writing.update_user, WRITE_USERS)
    table.add("GET", "/groups", directory_view.list_groups, READ_GROUPS)
    table.add("GET", "/groups/delta", directory_delta.group_delta, READ_GROUPS)
    table.add("GET", "/groups/{group}", directory_view.get_group, READ_GROUPS)
    table.add("GET", "/contacts", directory_view.list_org_contacts, READ_ORG_CONTACTS)
    table.add("GET", "/contacts/delta", directory_delta.org_contact_delta, READ_ORG_CONTACTS)
    table.add("GET", "/contacts/{orgContact}", directory_view.get_org_contact, READ_ORG_CONTACTS)
    lists = (
        ("/groups/{group}/members", memberships.list_members, READ_GROUPS),
        ("/groups/{group}/transitiveMembers", memberships.list_transitive_members, READ_GROUPS),
        ("/users/{user}/memberOf", memberships.list_member_of, READ_GROUPS),
        ("/users/{user}/transitiveMemberOf", memberships.list_transitive_member_of, READ_GROUPS),
    )
    for path, target, roles in lists:
        table.add("GET", path, target, roles)
        table.add("GET", f"{path}/{{cast}}", target, roles)
