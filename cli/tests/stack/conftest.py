from pathlib import Path

import pytest

from tenantkeep.stack.home import Home
from tenantkeep.stack.settings import StackSettings, caller_environment


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in caller_environment():
        if name.startswith("TENANTKEEP_"):
            monkeypatch.delenv(name)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A state folder with its sub-folders and nothing in them."""
    made = Home(tmp_path / "home")
    for folder in (made.pki, made.secrets, made.run, made.logs, made.simulator):
        folder.mkdir(parents=True)
    return made


@pytest.fixture
def settings(tmp_path: Path) -> StackSettings:
    return StackSettings(home=tmp_path / "home", ports="auto")
