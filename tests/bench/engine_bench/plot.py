"""The ratios as bars: shorter is better, the line is restic."""

from pathlib import Path

import matplotlib as mpl
from engine_bench.contestants import STEPS
from engine_bench.report import MEASURES, NAMES, Figures
from matplotlib import pyplot as plt

_LABELS = {"wall": "wall time", "cpu": "CPU time", "memory": "peak memory"}
_COLOURS = {"wall": "#2b6cb0", "cpu": "#63b3ed", "memory": "#a0aec0"}
_HEIGHT = 0.26


def draw(report: Figures, path: Path) -> None:
    """One panel per target; the file's suffix decides the format."""
    mpl.use("Agg")
    mpl.rcParams.update({"svg.hashsalt": "tenantkeep", "svg.fonttype": "none"})  # equal figures make equal, small files
    targets = report["ratio_to_restic"]
    figure, panels = plt.subplots(1, len(targets), figsize=(5.2 * len(targets), 4.2), sharey=True, squeeze=False)
    for panel, (target, ratios) in zip(panels[0], targets.items(), strict=True):
        for n, measure in enumerate(MEASURES):
            at = [i + (n - 1) * _HEIGHT for i in range(len(STEPS))]
            lengths = [ratios[step][measure] for step in STEPS]
            bars = panel.barh(at, lengths, _HEIGHT, color=_COLOURS[measure], label=_LABELS[measure])
            panel.bar_label(bars, fmt="%.2f", padding=2, fontsize=7)
        panel.barh([len(STEPS)], [ratios["size"]], _HEIGHT * 1.6, color="#2f855a", label="stored bytes")
        panel.annotate(
            f"{ratios['size']:.2f}", (ratios["size"], len(STEPS)), (2, -3), textcoords="offset points", size=7
        )
        panel.axvline(1.0, color="#c53030", linewidth=1)
        panel.set_title("S3 (SeaweedFS)" if target == "s3" else "local disk", fontsize=10)
        panel.set_xlabel(f"relative to restic {report['restic']['version']} (1.0)", fontsize=8)
        panel.margins(x=0.12)
        panel.spines[["top", "right"]].set_visible(False)
    first = panels[0][0]
    first.set_yticks(range(len(STEPS) + 1), [*(NAMES[step] for step in STEPS), "repository size"], fontsize=8)
    first.invert_yaxis()
    panels[0][-1].legend(fontsize=7, frameon=False, loc="lower right")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    plt.close(figure)
