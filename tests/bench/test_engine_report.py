"""What the benchmark of the engine makes of its rounds, and that its corpus is the same each time."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from engine_bench import corpora, report
from engine_bench.contestants import STEPS


def one_round(target: str, ratio: float) -> Any:
    """A round in which each of our figures is `ratio` times restic's, which are 10."""

    def side(value: float, requests: int) -> dict[str, Any]:
        facts = dict.fromkeys(("wall", "cpu", "memory", "start", "start_cpu"), value)
        return {**facts, "requests": {"put": requests, "get": 1} if target == "s3" else None}

    steps = {step: {"tenantkeep": side(10 * ratio, 99), "restic": side(10, 9)} for step in STEPS}
    return {"target": target, "steps": steps, "sizes": {"tenantkeep": 1e6 * ratio, "restic": 1e6}}


def told(rounds: list[Any], version: str = "0.19.1") -> tuple[Any, str]:
    figures = report.figures(rounds, mails=10_000)
    machine = {"load": [0.1, 0.2], "cpus": 2, "cpu": "a CPU", "python": "3.11"}
    sizes = {"mails": 10_000, "drive_bytes": 0, "bytes": 1_000_000}
    return figures, report.table({**figures, "machine": machine, "corpus": sizes, "restic": {"version": version}})


def test_a_ratio_is_the_median_of_the_ratios_of_its_rounds() -> None:
    figures, table = told([one_round("s3", ratio) for ratio in (0.2, 0.5, 0.3)])
    assert figures["ratio_to_restic"]["s3"]["first"] == {"wall": 0.3, "cpu": 0.3, "memory": 0.3}
    assert figures["ratio_to_restic"]["s3"]["size"] == 0.3
    assert figures["requests_per_1000_mails"] == 10
    assert figures["exceeded"] == []
    assert "| first backup | 3.00 | 10.0 | **0.30** |" in table
    assert "Everything is as good as it must be." in table


def test_what_is_worse_than_it_must_be_is_named() -> None:
    figures, table = told([one_round("local", 0.75)])
    assert figures["requests_per_1000_mails"] is None
    assert figures["exceeded"] == [
        "local: first backup, cpu 0.75 (must: 0.7)",
        "local: restore one mail, wall 0.75 (must: 0.6)",
        "local: size 0.75 (must: 0.7)",
    ]
    assert "Worse than it must be: local: first backup, cpu 0.75 (must: 0.7);" in table


@pytest.mark.parametrize(("version", "said"), [("0.18.0", True), ("0.19.1", False), ("0.20.0", False)])
def test_an_old_restic_is_said_in_the_table(version: str, said: bool) -> None:  # noqa: FBT001 - parameter
    _, table = told([one_round("s3", 0.5)], version)
    assert ("older than 0.19" in table) is said


def digests(tree: Path) -> dict[str, str]:
    files = (path for path in tree.rglob("*") if path.is_file())
    return {path.relative_to(tree).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_equal_arguments_give_an_equal_corpus_and_an_equal_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))  # for the generator, which is a process
    seen = []
    for name in ("one", "other"):
        made = corpora.generated(tmp_path / name, mails=60, seed=3, large_mb=1)
        before = digests(made.tree)
        linked = tmp_path / f"{name}-linked"
        made.link(linked)
        made.change(linked)
        assert digests(made.tree) == before, "a change never reaches the corpus itself"
        seen.append((before, digests(linked)))
    assert seen[0] == seen[1]
    assert seen[0][0] != seen[0][1]


def test_a_mailbox_of_ones_own_is_a_corpus_with_mails_held_back(tmp_path: Path) -> None:
    mbox = tmp_path / "own.mbox"
    mbox.write_bytes(
        b"".join(b"From a@b Thu Jan  1 00:00:00 2026\nSubject: mail %d\n\nbody %d\n\n" % (n, n) for n in range(400))
    )
    own = corpora.imported(tmp_path, mbox, seed=1)
    assert own.held is not None
    held, kept = len(list(own.held.rglob("*.eml"))), len(list(own.tree.rglob("*.eml")))
    assert (held + kept, held) == (400, 2)
    assert own.facts["mails"] == kept
