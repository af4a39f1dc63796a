import os
from pathlib import Path

import psutil
import pytest

from tenantkeep.stack import state as states
from tenantkeep.stack.errors import StackError
from tenantkeep.stack.home import Home
from tenantkeep.stack.settings import StackSettings, load
from tenantkeep.stack.state import Identity, ProcessState, StackState, State


def _me() -> Identity:
    me = states.identify(os.getpid())
    assert me is not None
    return me


def test_a_state_reads_back_as_it_was_written(home: Home) -> None:
    part = ProcessState("nats", Path("/logs/nats.log"), {"tls": 4222}, State.READY, "", 2, _me())
    state = StackState(_me(), ready=True, processes={"nats": part})
    states.save(home, state)
    assert states.load(home) == state


def test_no_file_is_no_state_and_garbage_is_an_error(home: Home) -> None:
    assert states.load(home) is None
    home.processes.write_text("{}")
    with pytest.raises(StackError, match="delete this file"):
        states.load(home)


def test_a_later_process_with_the_same_id_is_not_taken_for_the_old_one() -> None:
    assert _me().is_alive()
    assert not Identity(os.getpid(), psutil.Process().create_time() - 100).is_alive()


def test_wrong_settings_are_told_by_name_without_their_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENANTKEEP_PORT_NATS", "secret-text")
    with pytest.raises(StackError, match="TENANTKEEP_PORT_NATS") as wrong:
        load()
    assert "secret-text" not in str(wrong.value)


def test_the_state_folder_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert StackSettings().home == tmp_path / ".tenantkeep"
