"""The page for strangers shows the scripts that are tested, and no others."""

import re
from pathlib import Path

from contracts.foreign_sources import API_PREFIX, CONNECTIONS, EVENTS, HEARD, SUBSCRIPTIONS
from contracts.streams import EXT

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
