"""`make bench-engine`: our write path against restic, on one server, one disk, in one run.

Writes tests/bench/out/engine.json, engine.md and engine.svg. Arguments come as environment variables, as make gives
them.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from engine_bench import corpora, report, restic
from engine_bench.plot import draw
from engine_bench.rounds import Round, run_round

OUT = Path(__file__).parents[1] / "out"
_ENVIRONMENT = dict(os.environ)  # noqa: TID251 - arguments of make bench-engine, and what the processes inherit


def main() -> int:
    cache = OUT / "engine"
    cache.mkdir(parents=True, exist_ok=True)
    binary = restic.find(_argument("RESTIC", ""), cache / "restic")
    version = restic.version(binary)
    print(f"restic {version} ({binary})")
    corpus = _corpus(cache)
    print(f"{corpus.facts['mails']} mails, {corpus.facts['bytes'] / 1e6:.0f} MB in all, {corpus.tree}", flush=True)
    load = os.getloadavg()[0]
    rounds = []
    with TemporaryDirectory(prefix="emptied-", dir=cache) as emptied:
        for number in range(int(_argument("REPEAT", "3"))):
            for target in _argument("TARGETS", "s3 local").split():
                rounds.append(_round(target, number, corpus, cache=cache, emptied=Path(emptied), binary=binary))
                _say(rounds[-1])
    found = {
        **report.figures(rounds, corpus.facts["mails"]),
        "restic": {"version": version, "older_than_0.19": restic.is_old(version)},
        "corpus": corpus.facts,
        "machine": {**_machine(), "load": [load, os.getloadavg()[0]]},
        "commit": _commit(),
    }
    (OUT / "engine.json").write_text(json.dumps(found, indent=2) + "\n")
    (OUT / "engine.md").write_text(report.table(found))
    draw(found, OUT / "engine.svg")
    print(report.table(found))
    return 0


def _corpus(cache: Path) -> corpora.Corpus:
    seed = int(_argument("SEED", "1"))
    if mbox := _argument("MBOX", ""):
        return corpora.imported(cache / "corpora", Path(mbox), seed=seed)
    mails, large = int(_argument("MAILS", "20000")), int(_argument("LARGE_MB", "256"))
    return corpora.generated(cache / "corpora", mails=mails, seed=seed, large_mb=large)


def _round(target: str, number: int, corpus: corpora.Corpus, *, cache: Path, emptied: Path, binary: Path) -> Round:
    folder = Path(tempfile.mkdtemp(prefix=f"{target}-", dir=cache))
    shutil.rmtree(folder)
    mailboxes = int(_argument("MAILBOXES", "1"))
    return run_round(
        target,
        number,
        corpus,
        folder=folder,
        emptied=emptied,
        binary=binary,
        mailboxes=mailboxes,
        environment=_ENVIRONMENT,
    )


def _say(one: Round) -> None:
    """Progress: wall and CPU seconds of both sides, step by step."""
    for step, sides in one["steps"].items():
        ours, theirs = (f"{sides[side]['wall']:.2f}/{sides[side]['cpu']:.2f}" for side in (report.OURS, report.THEIRS))
        print(f"{one['target']:5} {step:11} tenantkeep {ours:>12}   restic {theirs:>12}", flush=True)


def _machine() -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())
    return {"cpus": os.cpu_count(), "cpu": model, "python": platform.python_version(), "kernel": platform.release()}


def _commit() -> str:
    said = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return said.stdout.strip()


def _argument(name: str, default: str) -> str:
    return _ENVIRONMENT.get(name) or default


if __name__ == "__main__":
    sys.exit(main())
