"""The page for strangers shows the scripts that are tested, and no others."""

import re
from pathlib import Path

from contracts import subjects
from contracts.events import EVENTS as ALL
from contracts.events import Request
from contracts.foreign_sources import API_PREFIX, CONNECTIONS, EVENTS, HEARD, SUBSCRIPTIONS
from contracts.streams import DURABLES, EXT

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "connect.md"
SCRIPTS = sorted((PAGE.parent / "connect").iterdir())


def test_the_page_shows_every_script_as_it_is() -> None:
    shown = re.findall(r"```(?:python|js|sh)\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert sorted(shown) == sorted(script.read_text(encoding="utf-8") for script in SCRIPTS)


def test_the_page_says_what_the_contracts_say() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert f"`{API_PREFIX}`" in page
    assert f"the stream `{EVENTS.name}`" in page
    assert all(f"`{domain}.>`" in page for domain in HEARD)
    assert f"{CONNECTIONS} connections, {SUBSCRIPTIONS} subscriptions" in page
    assert f"at most {EXT.max_msg_size // 1024} KiB" in page
    assert f"stored for {EXT.max_age // 86400:.0f} days" in page


def test_the_page_names_every_request_and_says_which_of_them_nobody_reads() -> None:
    page = PAGE.read_text(encoding="utf-8")
    asked = {event.DOMAIN: event.type_name() for event in ALL if issubclass(event, Request)}
    for domain, type_name in asked.items():
        assert f"{domain}.requested`" in page
        assert f"`{type_name}`" in page
    read = {durable.filter for durable in DURABLES}
    unread = [domain for domain in asked if subjects.requested("*", "*", domain) not in read]
    assert [f"Nobody reads `{domain}.requested` yet" in page for domain in unread] == [True] * len(unread)
    assert page.count("Nobody reads") == len(unread)
