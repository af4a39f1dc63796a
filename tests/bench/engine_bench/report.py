"""From rounds to figures: medians, ratios to restic, a table, a plot."""

from collections.abc import Iterable, Iterator
from statistics import median
from typing import Any

from engine_bench.contestants import STEPS
from engine_bench.restic import is_old
from engine_bench.rounds import Round

Figures = dict[str, Any]
OURS, THEIRS = "tenantkeep", "restic"
MEASURES = ("wall", "cpu", "memory")
NAMES = {
    "first": "first backup",
    "unchanged": "backup, nothing changed",
    "changed": "backup, 1 % changed",
    "restore_all": "restore all",
    "restore_one": "restore one mail",
    "verify": "full verification",
}
MUSTS: dict[tuple[str, str], float] = {
    ("first", "wall"): 0.8,
    ("first", "cpu"): 0.7,
    ("unchanged", "wall"): 0.9,
    ("changed", "wall"): 0.9,
    ("restore_all", "wall"): 1.2,
    ("restore_one", "wall"): 0.6,
    ("verify", "wall"): 0.8,
    **{(step, "memory"): 2.0 for step in STEPS},
}
"""Ratios to restic that may not be exceeded, by step and measure."""
MUST_SIZE, MUST_REQUESTS = 0.7, 20.0


def figures(rounds: list[Round], mails: int) -> Figures:
    """The median over the rounds of every figure; a ratio is taken within its round first."""
    targets = list(dict.fromkeys(one["target"] for one in rounds))
    of = {target: [one for one in rounds if one["target"] == target] for target in targets}
    ratios, requests = {target: _ratios(of[target]) for target in targets}, _requests(of.get("s3", []), mails)
    return {
        "ratio_to_restic": ratios,
        "requests_per_1000_mails": requests,
        "exceeded": list(_exceeded(ratios, requests)),
        "median": {target: _medians(of[target]) for target in targets},
        "rounds": rounds,
    }


def _exceeded(ratios: dict[str, Figures], requests: float | None) -> Iterator[str]:
    """In words, every figure that is worse than it must be."""
    for target, found in ratios.items():
        for (step, measure), must in MUSTS.items():
            if found[step][measure] > must:
                yield f"{target}: {NAMES[step]}, {measure} {found[step][measure]:.2f} (must: {must:g})"
        if found["size"] > MUST_SIZE:
            yield f"{target}: size {found['size']:.2f} (must: {MUST_SIZE:g})"
    if requests is not None and requests > MUST_REQUESTS:
        yield f"S3 requests per 1,000 mails: {requests:g} (must: {MUST_REQUESTS:g})"


def _ratios(rounds: list[Round]) -> Figures:
    found: Figures = {
        step: {measure: round(median(_ratio(one["steps"][step], measure) for one in rounds), 3) for measure in MEASURES}
        for step in STEPS
    }
    found["size"] = round(median(one["sizes"][OURS] / one["sizes"][THEIRS] for one in rounds), 3)
    return found


def _ratio(sides: dict[str, Any], measure: str) -> float:
    return float(sides[OURS][measure] / sides[THEIRS][measure])


def _requests(rounds: list[Round], mails: int) -> float | None:
    """S3 requests of our first backup, as the server counted them; None without an S3 target."""
    counts = [sum(one["steps"]["first"][OURS]["requests"].values()) for one in rounds]
    return round(median(counts) / (mails / 1000), 2) if counts else None


def _medians(rounds: list[Round]) -> Figures:
    return {
        side: {
            **{step: _median_step(one["steps"][step][side] for one in rounds) for step in STEPS},
            "size": median(one["sizes"][side] for one in rounds),
        }
        for side in (OURS, THEIRS)
    }


def _median_step(taken: Iterable[dict[str, Any]]) -> Figures:
    every = list(taken)
    found: Figures = {
        name: median(one[name] for one in every) for name in ("wall", "cpu", "memory", "start", "start_cpu")
    }
    counts = [sum(one["requests"].values()) for one in every if one["requests"] is not None]
    found["requests"] = median(counts) if counts else None
    return found


def table(report: Figures) -> str:
    """The figures in Markdown, one table per target."""
    machine, corpus = report["machine"], report["corpus"]
    version = report["restic"]["version"]
    old = " (**older than 0.19: compare with care**)" if is_old(version) else ""
    load = f"load {machine['load'][0]:.1f} to {machine['load'][1]:.1f}"
    lines = [
        f"{corpus['mails']:,} mails and {_mb(corpus['drive_bytes'])} of files, {_mb(corpus['bytes'])} in all",
        f"restic {version}{old}",
        f"{machine['cpus']} CPUs ({machine['cpu']}), Python {machine['python']}",
        f"{len(report['rounds'])} rounds, {load}.",
    ]
    lines = ["; ".join(lines)]
    for target, ratios in report["ratio_to_restic"].items():
        lines += ["", *_table(target, ratios, report["median"][target])]
    requests = report["requests_per_1000_mails"]
    if requests is not None:
        lines += ["", f"S3 requests per 1,000 mails of the first backup: **{requests:g}**."]
    exceeded = report["exceeded"]
    verdict = f"Worse than it must be: {'; '.join(exceeded)}." if exceeded else "Everything is as good as it must be."
    lines += ["", verdict]
    return "\n".join(lines) + "\n"


def _table(target: str, ratios: Figures, medians: Figures) -> list[str]:
    s3 = target == "s3"
    head = f"| {'S3 (SeaweedFS)' if s3 else 'local disk'} | wall s | restic | ratio | CPU s | restic | ratio "
    head += "| peak MB | restic | ratio |" + (" requests | restic |" if s3 else "")
    lines = [head, "|---|" + "---:|" * (11 if s3 else 9)]
    for step in STEPS:
        ours, theirs = medians[OURS][step], medians[THEIRS][step]
        cells = [NAMES[step]]
        for measure, form in (("wall", _seconds), ("cpu", _seconds), ("memory", _mib)):
            cells += [form(ours[measure]), form(theirs[measure]), f"**{ratios[step][measure]:.2f}**"]
        if s3:
            cells += [f"{ours['requests']:.0f}", f"{theirs['requests']:.0f}"]
        lines.append("| " + " | ".join(cells) + " |")
    ours, theirs = medians[OURS]["size"], medians[THEIRS]["size"]
    return [*lines, "", f"Repository: {_mb(ours)} against {_mb(theirs)}, ratio **{ratios['size']:.2f}**."]


def _seconds(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _mib(value: float) -> str:
    return f"{value / (1 << 20):.0f}"


def _mb(value: float) -> str:
    return f"{value / 1e6:,.0f} MB"
