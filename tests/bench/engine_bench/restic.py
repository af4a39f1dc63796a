"""The other side of the benchmark: restic, as a stranger would run it."""

import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

RECOMMENDED = (0, 19)  # older ones are slower: the table says so
_PASSWORD = "benchmark"


class ResticNotFound(RuntimeError):
    """No binary was given, none is installed and Debian's package cannot be had."""


@dataclass(frozen=True)
class Restic:
    """One binary and one repository; `cache` is its own, so that runs do not help each other."""

    binary: Path
    repository: str
    cache: Path
    ca_file: Path | None = None
    access_key: str = ""
    secret_key: str = field(default="", repr=False)

    @property
    def environment(self) -> dict[str, str]:
        keys = {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}
        return {"RESTIC_PASSWORD": _PASSWORD, "RESTIC_CACHE_DIR": str(self.cache), **keys}

    def command(self, *arguments: str) -> list[str]:
        trust = ["--cacert", str(self.ca_file)] if self.ca_file else []
        return [str(self.binary), "--repo", self.repository, *trust, *arguments]


def version(binary: Path) -> str:
    """Like 0.19.1."""
    said = subprocess.run([binary, "version"], capture_output=True, text=True, check=True).stdout
    found = re.match(r"restic (\S+)", said)
    if found is None:
        raise ResticNotFound(f"{binary} does not say which restic it is: {said!r}")
    return found[1]


def is_old(said: str) -> bool:
    return tuple(int(part) for part in re.findall(r"\d+", said)[:2]) < RECOMMENDED


def find(given: str, downloads: Path) -> Path:
    """The binary given, or Debian's newest, or the one installed."""
    if given:
        if (found := shutil.which(given)) is None:
            raise ResticNotFound(f"RESTIC={given} is no program")
        return Path(found)
    return _unpacked(downloads) or _newest_of_debian(downloads) or _installed()


def _unpacked(downloads: Path) -> Path | None:
    binary = downloads / "unpacked" / "usr" / "bin" / "restic"
    return binary if binary.exists() else None


def _newest_of_debian(downloads: Path) -> Path | None:
    """The package of unstable from the mirror this machine's apt uses, unpacked beside the system; else of its release.

    Nothing of the system changes: apt gets lists and cache of its own.
    """
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return None
    for sources in (_unstable(downloads), None):
        package = _download(downloads, sources)
        if package is not None:
            subprocess.run(["dpkg-deb", "-x", package, downloads / "unpacked"], check=True)
            return _unpacked(downloads)
    return None


def _unstable(downloads: Path) -> Path | None:
    """A sources file that names unstable on the mirror of the machine's own release."""
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    known = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split()
    mirrors = [address for address in known if address.rstrip("/").endswith("/debian")]
    keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    if not mirrors or not keyring.exists():
        return None
    downloads.mkdir(parents=True, exist_ok=True)
    sources = downloads / "unstable.list"
    sources.write_text(f"deb [signed-by={keyring}] {mirrors[0]} sid main\n")
    return sources


def _download(downloads: Path, sources: Path | None) -> Path | None:
    options: list[str] = []
    if sources is not None:
        lists, cache = downloads / "apt" / "lists", downloads / "apt" / "cache"
        for folder in (lists / "partial", cache / "archives" / "partial"):
            folder.mkdir(parents=True, exist_ok=True)
        where = {"Etc::sourcelist": sources, "Etc::sourceparts": "-", "State::lists": lists, "Cache": cache}
        options = [part for name, path in where.items() for part in ("-o", f"Dir::{name}={path}")]
        if subprocess.run(["apt-get", *options, "-qq", "update"], capture_output=True, check=False).returncode:
            return None
    downloads.mkdir(parents=True, exist_ok=True)
    subprocess.run(["apt-get", *options, "-qq", "download", "restic"], cwd=downloads, capture_output=True, check=False)
    return next(iter(sorted(downloads.glob("restic_*.deb"))), None)


def _installed() -> Path:
    found = shutil.which("restic")
    if found is None:
        raise ResticNotFound("no restic: give its path (make bench-engine RESTIC=/path/to/restic)")
    return Path(found)
