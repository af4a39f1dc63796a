from pathlib import Path

import pytest
from pydantic import Field, field_validator

from chassis.settings import ProcessSettings, ServiceSettings, SettingsRefused, load, read, variables

REQUIRED = {
    "HEALTH_PORT": "9101",
    "NATS_URL": "tls://127.0.0.1:4222",
    "NATS_NKEY": "SUSEED",
    "MONGO_URL": "mongodb://127.0.0.1:27017",
    "VAULT_URL": "https://127.0.0.1:8200",
    "VAULT_ROLE_ID": "token-service",
    "VAULT_SECRET_ID": "planted-secret-id",
}


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in REQUIRED.items():
        monkeypatch.setenv(f"TENANTKEEP_{name}", value)
    return monkeypatch


def refusal() -> list[str]:
    with pytest.raises(SettingsRefused) as refused:
        read(ServiceSettings)
    return refused.value.sentences


def test_defaults_fill_what_the_environment_leaves_out(env: pytest.MonkeyPatch) -> None:
    found = read(ServiceSettings)
    assert found.home == Path(".tenantkeep")
    assert found.health_port == 9101
    assert found.graph_url == "https://graph.microsoft.com/v1.0"
    assert found.vault_secret_id.get_secret_value() == "planted-secret-id"


def test_settings_cannot_be_changed_and_do_not_show_secrets(env: pytest.MonkeyPatch) -> None:
    found = read(ServiceSettings)
    with pytest.raises(ValueError, match="frozen"):
        found.health_port = 1
    assert "planted-secret-id" not in repr(found)


def test_a_secret_comes_from_a_file_without_its_line_end(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from file \n", encoding="utf-8")
    env.delenv("TENANTKEEP_VAULT_SECRET_ID")
    env.setenv("TENANTKEEP_VAULT_SECRET_ID_FILE", str(file))
    env.setenv("TENANTKEEP_MONGO_USER", "tokens")
    env.setenv("TENANTKEEP_MONGO_PASSWORD_FILE", str(file))
    found = read(ServiceSettings)
    assert found.vault_secret_id.get_secret_value() == "from file "
    assert found.mongo_password is not None
    assert found.mongo_password.get_secret_value() == "from file "


def test_a_secret_given_twice_names_both_variables(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    env.setenv("TENANTKEEP_NATS_NKEY_FILE", str(tmp_path / "seed"))
    assert refusal() == ["TENANTKEEP_NATS_NKEY and TENANTKEEP_NATS_NKEY_FILE are both set: remove one of them."]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "TENANTKEEP_NATS_NKEY_FILE names a file that cannot be read: No such file or directory."),
        ("\n", "TENANTKEEP_NATS_NKEY_FILE names a file that is empty."),
    ],
)
def test_a_secret_file_without_secret_is_refused(
    env: pytest.MonkeyPatch, tmp_path: Path, content: str | None, sentence: str
) -> None:
    file = tmp_path / "planted-path"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    env.delenv("TENANTKEEP_NATS_NKEY")
    env.setenv("TENANTKEEP_NATS_NKEY_FILE", str(file))
    assert refusal() == [sentence]


def test_only_secrets_have_a_file_variable(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "port"
    file.write_text("9999", encoding="utf-8")
    env.setenv("TENANTKEEP_HEALTH_PORT_FILE", str(file))
    assert read(ServiceSettings).health_port == 9101


def test_load_prints_one_sentence_per_variable_without_values_and_exits_2(
    env: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    env.delenv("TENANTKEEP_MONGO_URL")
    env.delenv("TENANTKEEP_VAULT_SECRET_ID")
    env.setenv("TENANTKEEP_HEALTH_PORT", "planted-one")
    env.setenv("TENANTKEEP_VAULT_AUTH", "planted-two")
    env.setenv("TENANTKEEP_SWEEP_INTERVAL", "0")
    env.setenv("TENANTKEEP_DRAIN_TIMEOUT", "31")
    with pytest.raises(SystemExit) as left:
        load(ServiceSettings)
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert [line.split(" ")[0] for line in said.splitlines()] == [
        "TENANTKEEP_HEALTH_PORT",
        "TENANTKEEP_SWEEP_INTERVAL",
        "TENANTKEEP_DRAIN_TIMEOUT",
        "TENANTKEEP_MONGO_URL",
        "TENANTKEEP_VAULT_AUTH",
        "TENANTKEEP_VAULT_SECRET_ID",
    ]
    assert "(or TENANTKEEP_VAULT_SECRET_ID_FILE) is not set" in said
    assert "planted" not in said


def test_the_words_of_a_validator_are_not_shown_because_they_may_quote_the_value(
    env: pytest.MonkeyPatch,
) -> None:
    class Quoting(ProcessSettings):
        target: str = Field(description="Where to.")

        @field_validator("target")
        @classmethod
        def refuse(cls, value: str) -> str:
            raise ValueError(f"bad {value}")

    env.setenv("TENANTKEEP_TARGET", "planted")
    with pytest.raises(SettingsRefused) as refused:
        read(Quoting)
    assert refused.value.sentences == ["TENANTKEEP_TARGET is not usable. Where to."]


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ("MONGO_USER", "MONGO_PASSWORD"),
        ("MONGO_PASSWORD", "MONGO_USER"),
        ("TLS_CERT_FILE", "TLS_KEY_FILE"),
        ("TLS_KEY_FILE", "TLS_CERT_FILE"),
    ],
)
def test_half_a_pair_is_refused(env: pytest.MonkeyPatch, given: str, missing: str) -> None:
    env.setenv(f"TENANTKEEP_{given}", "planted")
    assert refusal() == [f"TENANTKEEP_{missing} is not set although TENANTKEEP_{given} is."]


def test_every_variable_is_described_with_its_default() -> None:
    found = {variable.name: variable for variable in variables(ServiceSettings)}
    assert all(variable.description.endswith(".") for variable in found.values())
    assert found["TENANTKEEP_NATS_URL"].default is None
    assert found["TENANTKEEP_ACK_WAIT"].default == "60.0"
    assert found["TENANTKEEP_CA_FILE"].default == ""
    assert {name for name, variable in found.items() if variable.secret} == {
        "TENANTKEEP_NATS_NKEY",
        "TENANTKEEP_MONGO_PASSWORD",
        "TENANTKEEP_VAULT_SECRET_ID",
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NATS_URL", "nats://bus:4222"),
        ("NATS_URL", "tls://bus:4222,nats://bus2:4222"),
        ("NATS_URL", "ws://bus:4222"),
        ("VAULT_URL", "http://vault:8200"),
        ("AUTHORITY_URL", "http://login.microsoftonline.com"),
        ("GRAPH_URL", "http://graph.microsoft.com/v1.0"),
        ("MONGO_URL", "mongodb://store:27017/?tls=false"),
        ("MONGO_URL", "mongodb://store:27017/?replicaSet=a&ssl=false"),
        ("MONGO_URL", "mongodb://127.0.0.1,store/?tls=false"),
        ("MONGO_URL", "mongodb://127.0.0.1.example/?tls=false"),
        ("MONGO_URL", "mongodb://store/?tlsInsecure=true"),
        ("MONGO_URL", "mongodb://store/?tlsAllowInvalidCertificates=true"),
        ("MONGO_URL", "mongodb://store/?tlsAllowInvalidHostnames=TRUE"),
    ],
)
def test_an_address_without_sound_tls_is_refused(env: pytest.MonkeyPatch, name: str, value: str) -> None:
    env.setenv(f"TENANTKEEP_{name}", value)
    [sentence] = refusal()
    assert sentence.startswith(f"TENANTKEEP_{name} is not usable")


@pytest.mark.parametrize("hosts", ["127.0.0.1:1", "localhost", "[::1]:1", "127.0.0.1:1,localhost:2"])
def test_only_a_database_on_this_machine_may_go_without_tls(env: pytest.MonkeyPatch, hosts: str) -> None:
    url = f"mongodb://{hosts}/?tls=false"
    env.setenv("TENANTKEEP_MONGO_URL", url)
    assert read(ServiceSettings).mongo_url == url
