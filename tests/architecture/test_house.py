"""Rules of the house that no linter knows."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from contracts.errors import EXPLANATIONS, ErrorClass
from contracts.streams import DURABLES

ROOT = Path(__file__).parents[2]
MEMBERS = [*sorted(path.parent for path in ROOT.glob("*/*/pyproject.toml")), ROOT / "cli"]
SERVICES = [member for member in MEMBERS if member.parent.name == "services"]
SOURCES = [path for member in MEMBERS for path in sorted((member / "src").rglob("*.py"))]
LONGEST_FILE = 400
LONGEST_FUNCTION = 60
"""Lines with signature and docstring; the complexity of a function is ruff's business."""

ids = {"ids": lambda path: str(path.relative_to(ROOT))}


def tracked() -> Iterator[tuple[str, str]]:
    """Path and text of every tracked text file."""
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode != 0:
        pytest.skip("not a git work tree: nothing says what is tracked")
    for name in listing.stdout.splitlines():
        path = ROOT / name
        if not path.is_file():
            continue
        try:
            yield name, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:  # an image or an archive
            continue


def lines_with(pattern: str) -> list[str]:
    """`path:line` of every tracked line that matches `pattern`."""
    wanted = re.compile(pattern)
    return [
        f"{name}:{number}"
        for name, text in tracked()
        for number, line in enumerate(text.splitlines(), start=1)
        if wanted.search(line)
    ]


def test_subjects_are_written_in_the_contracts_alone() -> None:
    literal = re.compile(r"""["']m365\.(evt|ext|job|dlq|rpc)\.""")
    found = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if "contracts" not in path.parts and literal.search(path.read_text(encoding="utf-8"))
    ]
    assert found == [], "build the subject with contracts.subjects"


def test_nothing_is_marked_as_unfinished() -> None:
    marks = "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK", "TB" + "D"))
    assert lines_with(rf"\b({marks})\b|NotImplemented" + "Error") == []


def test_no_tracked_file_names_a_package_registry() -> None:
    hosts = (
        "pypi" + r"\.org",
        "python" + "hosted",
        "npm" + "js",
        "index" + "-url",
        r"proxy\.golang",
        "artif" + "actory",
    )
    assert lines_with("|".join(hosts)) == []
    assert "uv.lock" not in {name for name, _ in tracked()}


@pytest.mark.parametrize("member", MEMBERS, **ids)
def test_a_member_says_what_it_is_and_why_it_needs_each_dependency(member: Path) -> None:
    readme = (member / "README.md").read_text(encoding="utf-8").lower()
    project = tomllib.loads((member / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == "tenantkeep" or project["name"].startswith("tenantkeep-")
    extras = [name for group in project.get("optional-dependencies", {}).values() for name in group]
    names = [re.split(r"[\[<>=~;! ]", name)[0] for name in project["dependencies"] + extras]
    unexplained = [name for name in names if not name.startswith("tenantkeep") and name.lower() not in readme]
    assert unexplained == []


@pytest.mark.parametrize("service", SERVICES, **ids)
def test_the_page_of_a_service_names_its_events_settings_and_alerts(service: Path) -> None:
    readme = (service / "README.md").read_text(encoding="utf-8").lower()
    assert [word for word in ("owns", "event", "settings", "alert") if word not in readme] == []


def test_names_of_durables_are_unique() -> None:
    names = [durable.name for durable in DURABLES]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("error", ErrorClass)
def test_every_error_class_has_a_remedy(error: ErrorClass) -> None:
    remedy = EXPLANATIONS[error].remedy
    assert remedy.en
    assert remedy.de


def lines_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """A command's options are a table of its own: of a command, what comes after them counts."""
    is_command = any(isinstance(mark, ast.Call) and "command" in ast.unparse(mark) for mark in node.decorator_list)
    start = node.body[0].lineno if is_command else node.lineno
    assert node.end_lineno is not None
    return node.end_lineno - start + 1


def test_files_and_functions_can_be_read_at_once() -> None:
    long = []
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        if len(text.splitlines()) > LONGEST_FILE:
            long.append(str(path.relative_to(ROOT)))
        functions = (
            node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        )
        long += [f"{path.relative_to(ROOT)}: {node.name}" for node in functions if lines_of(node) > LONGEST_FUNCTION]
    assert long == []


def test_every_exception_to_a_rule_has_its_reason_on_the_line() -> None:
    """`# noqa: CODE - why` and `# type: ignore[code] # why`."""
    reasoned = {
        "# noqa": re.compile(r"# noqa: [A-Z0-9, ]*[A-Z0-9] -{1,2} \S"),
        "# type: ignore": re.compile(r"# type: ignore\[[\w, -]+\] *(#|-{1,2}) *\S"),
    }
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in SOURCES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if any(mark in line and not reason.search(line) for mark, reason in reasoned.items())
    ]
    assert found == []


@cache
def imports(path: Path) -> set[str]:
    """Top-level packages that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def test_the_contracts_need_pydantic_and_nothing_else() -> None:
    found = set().union(*(imports(path) for path in SOURCES if "contracts" in path.parts))
    assert found - sys.stdlib_module_names == {"contracts", "pydantic"}


def test_the_document_driver_is_behind_adapters_and_chassis() -> None:
    found = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if imports(path) & {"motor", "pymongo"}
        and "chassis" not in path.parts
        and not (path.parent.name == "adapters" and path.name.startswith("mongo_"))
        and path.parts[-4:] != ("src", "tenantkeep", "stack", "documents.py")  # creates the server's users
    ]
    assert found == []


def test_the_embedded_servers_are_processes_and_never_imported() -> None:
    servers = {"secantus", "secantusdb", "nats_server", "openbao", "seaweedfs"}
    assert [str(path.relative_to(ROOT)) for path in SOURCES if imports(path) & servers] == []


PAGES = [ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs" / "adr").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, **ids)
def test_what_a_page_names_as_a_guard_exists(page: Path) -> None:
    """Paths in backticks that begin with a folder of the house, with or without a test's name behind them."""
    named = re.findall(r"`((?:libs|services|tests|cli|docs|deploy)/[^`\s]+)`", page.read_text(encoding="utf-8"))
    missing = [path for path in named if not list(ROOT.glob(path.split("::")[0].rstrip("/")))]
    assert not missing
