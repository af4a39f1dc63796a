"""Write the generated documents, or with --check say which are stale.

    libs/contracts/schemas/*.json   JSON Schema of every message and body
    docs/reference/openapi.json     the API
    docs/reference/asyncapi.json    the bus
    docs/reference/config.md        every environment variable

A schema that was published may only grow: a change that breaks it is refused, with or without --check.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pydantic_settings import BaseSettings

from backup_service.settings import BackupSettings
from chassis.bootstrap import BootstrapSettings
from chassis.settings import PREFIX, Variable, variables
from contracts import asyncapi, schemas
from gateway import openapi
from gateway.settings import GatewaySettings
from monitor_service.settings import MonitorSettings
from sync_service.settings import SyncSettings
from tenantkeep.commands.settings import ClientSettings
from tenantkeep.stack.settings import StackSettings
from token_service.settings import TokenServiceSettings

ROOT = Path(__file__).parents[2]
SCHEMAS = Path("libs/contracts/schemas")
REMEDY = "run: make generate"

SERVICES: dict[str, type[BaseSettings]] = {
    "token-service": TokenServiceSettings,
    "sync-service": SyncSettings,
    "backup-service": BackupSettings,
    "monitor-service": MonitorSettings,
    "gateway": GatewaySettings,
}
COMMANDS: dict[str, type[BaseSettings]] = {
    "bootstrap": BootstrapSettings,
    "stack": StackSettings,
    "client": ClientSettings,
}

_CONFIG_HEAD = f"""\
# Settings

Generated from the settings classes by `make generate`; do not edit.

Everything is read from environment variables that begin with `{PREFIX}`. A secret is also accepted as the path of a
file that holds it, in the variable of the same name with `_FILE` at its end; both at once are refused. A process with
wrong settings prints one sentence for each and leaves with exit code 2. No message contains a value.
"""


@cache
def documents() -> dict[Path, str]:
    """The text of every generated document by its path below the root."""
    texts = {SCHEMAS / f"{name}.json": _json(schema) for name, schema in schemas.documents().items()}
    texts[Path("docs/reference/openapi.json")] = _json(openapi.document())
    texts[Path("docs/reference/asyncapi.json")] = _json(asyncapi.document())
    texts[Path("docs/reference/config.md")] = config_page()
    return texts


def config_page() -> str:
    """The settings reference as Markdown."""
    services = _table(SERVICES, everyone="every service")
    commands = _table(COMMANDS, everyone="all")
    return "\n".join(
        [
            _CONFIG_HEAD,
            "## Services",
            "",
            *services,
            "",
            "## Commands",
            "",
            "`bootstrap` is `python -m chassis.bootstrap`, which creates streams and consumers. `stack` is",
            "`tenantkeep up`, `down`, `status` and `demo`; it hands its own environment on to the services.",
            "`client` is every other command.",
            "",
            *commands,
            "",
        ]
    )


def _table(readers: dict[str, type[BaseSettings]], *, everyone: str) -> Iterator[str]:
    yield "| variable | read by | default | meaning |"
    yield "|---|---|---|---|"
    rows: dict[Variable, list[str]] = {}
    for reader, settings in readers.items():
        for variable in variables(settings):
            rows.setdefault(variable, []).append(reader)
    for variable in sorted(rows, key=lambda variable: (variable.name, variable.description)):
        who = everyone if len(rows[variable]) == len(readers) else ", ".join(rows[variable])
        name = f"`{variable.name}`" + (" (secret)" if variable.secret else "")
        meaning = variable.description.replace("|", r"\|")
        yield f"| {name} | {who} | {_default(variable)} | {meaning} |"


def _default(variable: Variable) -> str:
    if variable.default is None:
        return "required"
    return f"`{variable.default}`" if variable.default else "unset"


def stale(root: Path, texts: dict[Path, str]) -> list[str]:
    """Paths whose file is missing or differs."""
    return sorted(str(path) for path, text in texts.items() if _read(root / path) != text)


def broken(root: Path, texts: dict[Path, str]) -> list[str]:
    """What the new schemas break of the committed ones, one sentence each."""
    found = []
    for committed in sorted((root / SCHEMAS).glob("*.json")):
        path = SCHEMAS / committed.name
        if path not in texts:
            found.append(f"{committed.stem}: a published schema disappeared")
            continue
        old = json.loads(committed.read_text(encoding="utf-8"))
        found += [f"{committed.stem}: {why}" for why in schemas.breaking_changes(old, json.loads(texts[path]))]
    return found


def write(root: Path, texts: dict[Path, str]) -> None:
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(description="Write the generated documents.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a document is stale")
    check = parser.parse_args(arguments).check
    texts = documents()
    breaks = broken(root, texts)
    if breaks:
        print("A published schema would break; add the next version of the message instead:", *breaks, sep="\n  ")
        return 1
    if not check:
        write(root, texts)
        return 0
    outdated = stale(root, texts)
    if outdated:
        print("Stale:", *outdated, REMEDY, sep="\n  ")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
