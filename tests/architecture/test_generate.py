"""The generator itself: it says what is stale, and refuses what would break others."""

import importlib.util
import json
import shutil
from pathlib import Path
from types import ModuleType

import pytest

FAILED = "libs/contracts/schemas/m365.job.failed.v1.json"


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", Path(__file__).with_name("generate.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def root(generate: ModuleType, tmp_path: Path) -> Path:
    """A copy of the committed documents."""
    for path in generate.documents():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(generate.ROOT / path, tmp_path / path)
    return tmp_path


def test_the_committed_documents_are_up_to_date(generate: ModuleType) -> None:
    assert generate.main(["--check"]) == 0, generate.REMEDY


def test_a_stale_document_is_named_with_the_remedy(
    generate: ModuleType, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "docs/reference/config.md").write_text("old", encoding="utf-8")
    assert generate.main(["--check"], root) == 1
    said = capsys.readouterr().out
    assert "docs/reference/config.md" in said
    assert "run: make generate" in said
    assert generate.main([], root) == 0
    assert generate.main(["--check"], root) == 0


def test_a_missing_document_is_stale(generate: ModuleType, root: Path) -> None:
    (root / "docs/reference/openapi.json").unlink()
    assert generate.main(["--check"], root) == 1


@pytest.mark.parametrize("arguments", [[], ["--check"]])
def test_a_schema_that_lost_a_field_is_refused_and_not_written(
    generate: ModuleType, root: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    published = json.loads((root / FAILED).read_text(encoding="utf-8"))
    published["properties"]["mailbox"] = {"type": "string", "default": ""}
    (root / FAILED).write_text(json.dumps(published), encoding="utf-8")
    assert generate.main(arguments, root) == 1
    assert "m365.job.failed.v1: mailbox: removed" in capsys.readouterr().out
    assert "mailbox" in (root / FAILED).read_text(encoding="utf-8")


def test_a_published_schema_cannot_disappear(generate: ModuleType, root: Path) -> None:
    shutil.copy(root / FAILED, root / "libs/contracts/schemas/m365.job.vanished.v1.json")
    assert generate.main([], root) == 1


def test_every_settings_class_is_in_the_reference(generate: ModuleType) -> None:
    page = generate.config_page()
    for readers in (generate.SERVICES, generate.COMMANDS):
        for settings in readers.values():
            for name, field in settings.model_fields.items():
                assert f"`TENANTKEEP_{name.upper()}`" in page
                assert field.description, f"{settings.__name__}.{name} has no description"
