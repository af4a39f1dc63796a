"""Which contact request leads to which handler, and which application permission it needs."""

from collections.abc import Awaitable, Callable

from starlette.responses import Response

from graph_simulator.permissions import READ_CONTACTS, WRITE_CONTACTS
from graph_simulator.web import contact_folders, contact_items
from graph_simulator.web.call import Call
from graph_simulator.web.paths import RouteTable

_FOLDERS = "/users/{user}/contactFolders"
_FOLDER = f"{_FOLDERS}/{{contactFolder}}"


def add_contact_routes(table: RouteTable[Callable[[Call], Awaitable[Response]]]) -> None:
    table.add("GET", f"{_FOLDERS}/delta", contact_folders.folder_delta, READ_CONTACTS)
    table.add("GET", _FOLDERS, contact_folders.list_folders, READ_CONTACTS)
    table.add("POST", _FOLDERS, contact_folders.create_top_folder, WRITE_CONTACTS)
    table.add("GET", _FOLDER, contact_folders.get_folder, READ_CONTACTS)
    table.add("PATCH", _FOLDER, contact_folders.update_folder, WRITE_CONTACTS)
    table.add("DELETE", _FOLDER, contact_folders.delete_folder, WRITE_CONTACTS)
    table.add("GET", f"{_FOLDER}/childFolders", contact_folders.list_child_folders, READ_CONTACTS)
    table.add("POST", f"{_FOLDER}/childFolders", contact_folders.create_child_folder, WRITE_CONTACTS)
    for contacts in ("/users/{user}/contacts", f"{_FOLDER}/contacts"):
        contact = f"{contacts}/{{contact}}"
        table.add("GET", f"{contacts}/delta", contact_items.contact_delta, READ_CONTACTS)
        table.add("GET", contacts, contact_items.list_contacts, READ_CONTACTS)
        table.add("POST", contacts, contact_items.create_contact, WRITE_CONTACTS)
        table.add("GET", contact, contact_items.get_contact, READ_CONTACTS)
        table.add("PATCH", contact, contact_items.update_contact, WRITE_CONTACTS)
        table.add("DELETE", contact, contact_items.delete_contact, WRITE_CONTACTS)
        table.add("GET", f"{contact}/photo", contact_items.get_photo, READ_CONTACTS)
        table.add("GET", f"{contact}/photo/$value", contact_items.get_photo_content, READ_CONTACTS)
        for method in ("PUT", "PATCH"):
            table.add(method, f"{contact}/photo/$value", contact_items.put_photo, WRITE_CONTACTS)
