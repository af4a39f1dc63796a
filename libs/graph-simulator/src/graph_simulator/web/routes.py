"""Which request leads to which handler, and which application permission it needs."""

from collections.abc import Awaitable, Callable

from starlette.responses import Response

from graph_simulator.permissions import (
    READ_APPLICATIONS,
    READ_DELEGATED_GRANTS,
    READ_MAIL,
    READ_ORGANIZATION,
    WRITE_APPLICATIONS,
    WRITE_MAIL,
)
from graph_simulator.web import (
    applications,
    compose,
    consent,
    delta,
    login,
    mail_attachments,
    mail_folders,
    mail_messages,
    sign_in,
    uploads,
    users,
)
from graph_simulator.web.calendar_routes import add_calendar_routes
from graph_simulator.web.call import Call
from graph_simulator.web.contact_routes import add_contact_routes
from graph_simulator.web.directory_routes import add_directory_routes
from graph_simulator.web.login import Grant, LoginCall
from graph_simulator.web.paths import RouteTable
from graph_simulator.web.security_routes import add_security_routes

GraphHandler = Callable[[Call], Awaitable[Response]]
LoginHandler = Callable[[LoginCall], Awaitable[Response]]

GRANTS: dict[str, Grant] = {
    "client_credentials": login.app_only,
    "authorization_code": sign_in.redeem_code,
    "refresh_token": sign_in.redeem_refresh_token,
}
"""What the token endpoint can be asked for."""

_FOLDERS = "/users/{user}/mailFolders"
_FOLDER = f"{_FOLDERS}/{{folder}}"
_MESSAGES = ("/users/{user}/messages", f"{_FOLDER}/messages")


def graph_routes() -> RouteTable[GraphHandler]:
    """Return the routes below /v1.0."""
    table: RouteTable[GraphHandler] = RouteTable()
    _directory(table)
    _folders(table)
    table.add("GET", f"{_FOLDER}/messages/delta", delta.message_delta, READ_MAIL)
    table.add("GET", f"{_FOLDER}/messages/{{message}}/$value", mail_messages.get_mime_in_folder, READ_MAIL)
    table.add("GET", f"{_MESSAGES[0]}/{{message}}/$value", mail_messages.get_mime, READ_MAIL)
    for prefix in _MESSAGES:
        _messages(table, prefix)
        _attachments(table, f"{prefix}/{{message}}/attachments")
    add_calendar_routes(table)
    add_contact_routes(table)
    add_directory_routes(table)
    add_security_routes(table)
    return table


def login_routes() -> RouteTable[LoginHandler]:
    """Return the routes of the sign-in host."""
    table: RouteTable[LoginHandler] = RouteTable()
    for path in ("/{tenant}/v2.0/.well-known/openid-configuration", "/{tenant}/.well-known/openid-configuration"):
        table.add("GET", path, login.discovery)
    table.add("GET", "/common/discovery/instance", login.instance_discovery)
    table.add("GET", "/{tenant}/discovery/v2.0/keys", login.keys)
    table.add("GET", "/{tenant}/discovery/keys", login.keys)
    table.add("POST", "/{tenant}/oauth2/v2.0/token", login.token)
    for path in ("/{tenant}/v2.0/adminconsent", "/{tenant}/adminconsent"):
        table.add("GET", path, consent.ask)
        table.add("POST", path, consent.decide)
    table.add("GET", "/{tenant}/oauth2/v2.0/authorize", sign_in.ask)
    table.add("POST", "/{tenant}/oauth2/v2.0/authorize", sign_in.decide)
    return table


def _directory(table: RouteTable[GraphHandler]) -> None:
    table.add("GET", "/organization", users.get_organization, READ_ORGANIZATION)
    table.add("GET", "/servicePrincipals", applications.list_service_principals, READ_APPLICATIONS)
    for path in ("/servicePrincipals/{principal}", "/servicePrincipals(appId)/{principal}"):
        table.add("GET", path, applications.get_service_principal, READ_APPLICATIONS)
        table.add("PATCH", path, applications.update_service_principal, WRITE_APPLICATIONS)
        table.add("GET", f"{path}/appRoleAssignments", applications.list_app_role_assignments, READ_APPLICATIONS)
    table.add("GET", "/oauth2PermissionGrants", applications.list_delegated_grants, READ_DELEGATED_GRANTS)
    for path in ("/applications/{application}", "/applications(appId)/{application}"):
        table.add("GET", path, applications.get_application, READ_APPLICATIONS)


def _folders(table: RouteTable[GraphHandler]) -> None:
    table.add("GET", f"{_FOLDERS}/delta", mail_folders.folder_delta, READ_MAIL)
    table.add("GET", _FOLDERS, mail_folders.list_folders, READ_MAIL)
    table.add("POST", _FOLDERS, mail_folders.create_top_folder, WRITE_MAIL)
    table.add("GET", _FOLDER, mail_folders.get_folder, READ_MAIL)
    table.add("PATCH", _FOLDER, mail_folders.update_folder, WRITE_MAIL)
    table.add("DELETE", _FOLDER, mail_folders.delete_folder, WRITE_MAIL)
    table.add("GET", f"{_FOLDER}/childFolders", mail_folders.list_child_folders, READ_MAIL)
    table.add("POST", f"{_FOLDER}/childFolders", mail_folders.create_child_folder, WRITE_MAIL)


def _messages(table: RouteTable[GraphHandler], prefix: str) -> None:
    table.add("GET", prefix, mail_messages.list_messages, READ_MAIL)
    table.add("POST", prefix, compose.create_message, WRITE_MAIL)
    table.add("GET", f"{prefix}/{{message}}", mail_messages.get_message, READ_MAIL)
    table.add("PATCH", f"{prefix}/{{message}}", mail_messages.update_message, WRITE_MAIL)
    table.add("DELETE", f"{prefix}/{{message}}", mail_messages.delete_message, WRITE_MAIL)
    table.add("POST", f"{prefix}/{{message}}/move", mail_messages.move_message, WRITE_MAIL)


def _attachments(table: RouteTable[GraphHandler], prefix: str) -> None:
    table.add("GET", prefix, mail_attachments.list_attachments, READ_MAIL)
    table.add("POST", prefix, mail_attachments.post_attachment, WRITE_MAIL)
    table.add("POST", f"{prefix}/createUploadSession", uploads.create_upload_session, WRITE_MAIL)
    table.add("GET", f"{prefix}/{{attachment}}", mail_attachments.get_attachment, READ_MAIL)
    table.add("DELETE", f"{prefix}/{{attachment}}", mail_attachments.remove_attachment, WRITE_MAIL)
    table.add("GET", f"{prefix}/{{attachment}}/$value", mail_attachments.get_attachment_content, READ_MAIL)
