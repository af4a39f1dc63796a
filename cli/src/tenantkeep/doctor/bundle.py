"""`tenantkeep support-bundle`: one archive for whoever helps, with nothing in it that may not leave the house."""

import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import distributions
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from contracts.texts import Text
from tenantkeep.commands import session
from tenantkeep.commands import settings as client_settings
from tenantkeep.commands.client import Gateway
from tenantkeep.commands.errors import CommandError
from tenantkeep.commands.options import Json, Lang
from tenantkeep.commands.output import Screen, plain, reported
from tenantkeep.doctor.command import examine
from tenantkeep.doctor.scrubber import Scrubber
from tenantkeep.stack import files
from tenantkeep.stack.home import Home
from tenantkeep.stack.settings import caller_environment

_LOG_BYTES = 1 << 20
_PREFIX = "TENANTKEEP_"
_RUNS = 50

Part = tuple[str, Callable[[], str]]


@reported
def support_bundle(
    *,
    out: Annotated[Path, typer.Option(help="The archive to write (ZIP).")] = Path("tenantkeep-support.zip"),
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """Write one archive with what a helper needs: doctor, versions, settings, logs, runs and health.

    Secrets are masked, addresses of people are replaced by words that are the same throughout the archive. Nothing is
    sent anywhere: look into the file, then pass it on.

    Example: tenantkeep support-bundle --out case-4711.zip
    """
    screen = Screen(lang, as_json=as_json)
    home = client_settings.home()
    scrubber = Scrubber.of_files(_secret_files(home))
    parts = list(_parts(home, scrubber))
    _write(out, parts, screen)
    if as_json:
        screen.document({"file": str(out), "bytes": out.stat().st_size, "parts": [name for name, _ in parts]})
        return
    screen.say(
        Text(
            "Wrote {} ({} files). Look into it before you pass it on.",
            "{} geschrieben ({} Dateien). Vor der Weitergabe hineinsehen.",
        ),
        out,
        len(parts),
    )


def _write(out: Path, parts: list[Part], screen: Screen) -> None:
    """Beside, then renamed: a bundle is whole or not there. Readable by its owner alone."""
    beside = out.with_name(f"{out.name}.part")
    with Progress(console=screen.console, transient=True, disable=screen.as_json) as progress:
        files.write(beside, b"", mode=files.SECRET_MODE)
        with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in progress.track(parts, description=str(out)):
                archive.writestr(name, content())
    beside.rename(out)


def _secret_files(home: Home) -> Iterator[Path]:
    """Whatever lies in this folder that must not leave it."""
    for folder, pattern in ((home.secrets, "*"), (home.pki, "*.key"), (home.simulator, "*.key")):
        if folder.is_dir():
            yield from (path for path in folder.glob(pattern) if path.is_file())


def _parts(home: Home, scrubber: Scrubber) -> Iterator[Part]:
    yield "doctor.json", lambda: scrubber.document([asdict(finding) for finding in examine(home)])
    yield "versions.json", lambda: scrubber.document(_versions())
    yield "environment.json", lambda: scrubber.document(_settings())
    for path in (home.stamp, home.ports, home.processes):
        if path.is_file():
            yield path.name, partial(_tail, path, scrubber)
    for path in sorted(home.logs.glob("*.log")) if home.logs.is_dir() else []:
        yield f"logs/{path.name}", partial(_tail, path, scrubber)
    yield "jobs.json", lambda: scrubber.document(_jobs(home))


def _versions() -> dict[str, Any]:
    packages = {found.name: found.version for found in distributions()}
    return {"at": datetime.now(UTC).isoformat(), "python": sys.version, "packages": dict(sorted(packages.items()))}


def _settings() -> dict[str, str]:
    """Our own variables only; those of other programs are nobody's business."""
    return {name: value for name, value in sorted(caller_environment().items()) if name.startswith(_PREFIX)}


def _tail(path: Path, scrubber: Scrubber) -> str:
    with path.open("rb") as content:
        content.seek(0, 2)
        content.seek(max(0, content.tell() - _LOG_BYTES))
        return scrubber.text(content.read().decode("utf-8", "replace"))


def _jobs(home: Home) -> dict[str, Any]:
    """Tenants, their last runs and health as the gateway tells; why not, when it does not."""
    try:
        access = session.access(home, session.load(home), client_settings.load().ca_file)
        with Gateway(access) as gateway:
            return {
                tenant.tenant: {
                    "runs": plain(gateway.runs(tenant.tenant)[:_RUNS]),
                    "health": plain(gateway.health(tenant.tenant)),
                }
                for tenant in gateway.tenants()
            }
    except CommandError as error:
        return {"unavailable": str(error)}
