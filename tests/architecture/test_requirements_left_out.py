"""R-C6: ways into Exchange that this product does not take."""

import re
from pathlib import Path

from contracts.profiles import PROFILES

ROOT = Path(__file__).parents[2]
_EWS = re.compile(r"ews/exchange\.asmx|full_access_as_app|EWS\.AccessAsUser|exchangelib", re.IGNORECASE)


def test_R_C6_ews_impersonation_connectors_signatures_and_absence_notes_are_named_as_left_out() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    line = next(part for part in readme.split("\n- ") if "EWS" in part)
    for left_out in ("ApplicationImpersonation", "October 2026", "connectors", "signatures", "out-of-office"):
        assert left_out in line


def test_R_C6_no_profile_asks_for_what_they_would_need() -> None:
    names = {permission.name for profile in PROFILES.values() for permission in profile.permissions}
    assert not [name for name in names if "EWS" in name or name.startswith(("full_access", "Exchange.ManageAs"))]
    assert "MailboxSettings.ReadWrite" not in names  # out-of-office replies are written with it


def test_R_C6_nothing_here_speaks_ews() -> None:
    sources = [*ROOT.glob("*/*/src/**/*.py"), *ROOT.glob("cli/src/**/*.py"), *ROOT.glob("*/*/pyproject.toml")]
    assert len(sources) > 300
    assert [path.name for path in sources if _EWS.search(path.read_text(encoding="utf-8"))] == []
