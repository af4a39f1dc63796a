"""What the services are told, and what they are not."""

import pytest

from tenantkeep.stack import ports as stack_ports
from tenantkeep.stack import services, stack
from tenantkeep.stack.home import Home
from tenantkeep.stack.settings import StackSettings


@pytest.fixture
def environments(home: Home, settings: StackSettings, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, str]]:
    monkeypatch.setenv("SSL_CERT_FILE", "/hostile.pem")
    monkeypatch.setenv("TENANTKEEP_NATS_NKEY", "of somebody else")
    monkeypatch.setenv("TENANTKEEP_HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("TENANTKEEP_SEED", "7")
    settings = StackSettings(home=home.root, workers=2)
    specs = services.specs(home, stack_ports.wanted(settings), settings)
    return {spec.name: spec.env for spec in specs}


def test_each_service_gets_its_own_users_and_port(environments: dict[str, dict[str, str]]) -> None:
    assert list(environments) == [
        "token-service",
        "sync-service",
        "backup-planner",
        "backup-worker",
        "backup-worker-2",
        "monitor-service",
        "gateway",
    ]
    users = [env["TENANTKEEP_MONGO_USER"] for env in environments.values()]
    assert users == ["token-service", "sync-service", *["backup-service"] * 3, "monitor-service", "gateway"]
    assert len({env["TENANTKEEP_HEALTH_PORT"] for env in environments.values()}) == 7
    assert environments["backup-worker-2"]["TENANTKEEP_DOWNLOAD_PORT"] == "8472"


def test_a_variable_of_other_programs_is_passed_on_as_it_is(environments: dict[str, dict[str, str]]) -> None:
    assert {env["SSL_CERT_FILE"] for env in environments.values()} == {"/hostile.pem"}
    assert {env["TENANTKEEP_SEED"] for env in environments.values()} == {"7"}


def test_a_secret_is_given_as_a_file_only(environments: dict[str, dict[str, str]]) -> None:
    for environment in environments.values():
        assert "TENANTKEEP_NATS_NKEY" not in environment
        assert environment["TENANTKEEP_NATS_NKEY_FILE"].endswith(".nk")
        assert "TENANTKEEP_HTTPS_PROXY" not in environment


def test_a_full_stack_starts_every_service(home: Home, settings: StackSettings) -> None:
    specs = services.specs(home, stack_ports.wanted(settings), settings)
    assert stack.names(settings) == (*stack.SERVERS, *(spec.name for spec in specs))
