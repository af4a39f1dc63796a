import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tenantkeep.stack import ports
from tenantkeep.stack.errors import PortTaken, StackError
from tenantkeep.stack.settings import StackSettings


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


def choose(settings: StackSettings, remembered: Path = Path("nowhere")) -> ports.Ports:
    """What a stack chooses that ends at once."""
    with ports.choose(settings, remembered) as chosen:
        return chosen


def test_the_fixed_ports_are_those_of_the_documentation() -> None:
    chosen = choose(StackSettings())
    assert {name: chosen[name] for name in ("gateway", "gateway_http", "nats", "documents", "vault", "objects")} == {
        "gateway": 8443,
        "gateway_http": 8080,
        "nats": 4222,
        "documents": 27017,
        "vault": 8200,
        "objects": 8333,
    }


def test_further_workers_get_the_next_ports() -> None:
    chosen = choose(StackSettings(workers=3))
    assert [chosen[n] for n in ("backup_worker", "backup_worker_2", "backup_worker_3")] == [8461, 8462, 8463]
    assert chosen["backup_worker_download_3"] == 8473


def test_automatic_ports_are_free_distinct_and_remembered(settings: StackSettings, tmp_path: Path) -> None:
    remembered = tmp_path / "ports.json"
    first = choose(settings, remembered)
    assert len(set(first.values())) == len(first)
    assert all(ports.is_free(port) for port in first.values())
    remembered.write_text(json.dumps(first))
    assert choose(settings, remembered) == first


def test_a_remembered_port_that_is_taken_now_is_replaced(settings: StackSettings, tmp_path: Path, taken: int) -> None:
    remembered = tmp_path / "ports.json"
    remembered.write_text(f'{{"nats": {taken}}}')
    assert choose(settings, remembered)["nats"] != taken


def test_no_other_stack_chooses_a_port_before_its_server_listens(settings: StackSettings, tmp_path: Path) -> None:
    remembered = tmp_path / "ports.json"
    with ports.choose(settings, remembered) as ours:
        remembered.write_text(json.dumps(ours))
        theirs = choose(settings, remembered)
    assert set(theirs.values()).isdisjoint(ours.values())


def test_a_port_that_somebody_else_took_meanwhile_is_passed_over(settings: StackSettings, tmp_path: Path) -> None:
    remembered = tmp_path / "ports.json"
    first = choose(settings, remembered)
    remembered.write_text(json.dumps(first))
    with socket.create_server(("127.0.0.1", first["nats"])):
        second = choose(settings, remembered)
    changed = {name for name in first if first[name] != second[name]}
    assert changed == {"nats"}


def test_an_explicit_port_stays_with_automatic_ports(tmp_path: Path) -> None:
    settings = StackSettings(ports="auto", port_nats=14222)
    assert choose(settings, tmp_path / "ports.json")["nats"] == 14222


def test_two_parts_on_one_port_are_refused_by_name() -> None:
    with pytest.raises(StackError, match="TENANTKEEP_PORT_VAULT"):
        choose(StackSettings(port_nats=9000, port_vault=9000))


def test_a_taken_port_names_its_setting(taken: int) -> None:
    with pytest.raises(PortTaken, match=f"Port {taken} ") as refused:
        ports.refuse_taken({"gateway_http": taken})
    assert "TENANTKEEP_PORT_GATEWAY_HTTP" in refused.value.remedy


def test_an_unreadable_memory_of_ports_says_what_to_do(settings: StackSettings, tmp_path: Path) -> None:
    remembered = tmp_path / "ports.json"
    remembered.write_text("[]")
    with pytest.raises(StackError, match="Delete this file"):
        choose(settings, remembered)
