import pytest

import graph_client
from graph_client import Route, segment
from graph_client.routes import Addresses

ADDRESSES = Addresses("https://graph.test/v1.0/")


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("users/anna%40x.test/messages/AA%2F%3D/$value", Route("outlook", "anna@x.test")),
        ("/users/a/mailFolders('inbox')/messages/delta", Route("outlook", "a")),
        ("users('a')/messages", Route("outlook", "a")),
        ("users/a/calendarView/delta", Route("outlook", "a")),
        ("users/a", Route("directory")),
        ("users?$top=5", Route("directory")),
        ("users/a/drive/root", Route("files")),
        ("drives/b!x/root/delta", Route("files")),
        ("sites/root", Route("files")),
        ("servicePrincipals(appId='x')", Route("directory")),
        ("", Route("directory")),
    ],
)
def test_a_request_counts_against_its_service_and_mailbox(path: str, route: Route) -> None:
    assert ADDRESSES.route(ADDRESSES.url(path)) == route


def test_ids_are_encoded_whole() -> None:
    assert segment("AAMk/+=#ä") == "AAMk%2F%2B%3D%23%C3%A4"


def test_what_would_silently_go_wrong_is_refused() -> None:
    with pytest.raises(ValueError, match="raw #"):
        ADDRESSES.url("users/a#b")
    with pytest.raises(ValueError, match="own query"):
        ADDRESSES.url("https://graph.test/v1.0/users?$skiptoken=a", {"$top": "1"})
    with pytest.raises(ValueError, match="another origin"):
        ADDRESSES.url("https://graph.test.evil/v1.0/users")


def test_the_export_list_is_sorted_and_complete() -> None:
    assert graph_client.__all__ == sorted(graph_client.__all__)
    errors = {name for name, kind in vars(graph_client.errors).items() if isinstance(kind, type)}
    assert errors <= set(graph_client.__all__)


@pytest.mark.parametrize(
    ("link", "ours"),
    [
        ("https://graph.test/v1.0/users?$skiptoken=1", True),
        ("https://GRAPH.test:443/v1.0/users", True),
        ("https://graph.test:8443/v1.0/users", False),
        ("https://graph.test:x/v1.0/users", False),
        ("http://graph.test/v1.0/users", False),
        ("https://graph.test@evil.test/v1.0/users", False),
        ("https://anna@graph.test/v1.0/users", False),
        ("https://graph.test.evil.test/v1.0/users", False),
    ],
)
def test_the_token_travels_to_our_origin_only(link: str, *, ours: bool) -> None:
    assert ADDRESSES.owns(link) is ours
