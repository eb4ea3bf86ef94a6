# SPDX-License-Identifier: Apache-2.0
"""Draw a soak over time: latency, use of the cores, memory, threads and file descriptors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.evaluation.reliability import COLOURS
from shared_encoder_perception.files.whole_file import replacing
from shared_encoder_perception.soak.resources import WARM_UP, Growth, Sample

BINS: Final = 60
"""Most parts of the run for which a median is drawn."""
BIN_IMAGES: Final = 15
"""Fewest images of such a part."""


def draw(
    times: Mapping[str, NDArray[np.float64]],
    samples: Sequence[Sample],
    start_s: float,
    growth: Growth,
    title: str,
    path: Path,
    outages: Sequence[tuple[float, float, str]] = (),
) -> None:
    """Write the plot as PNG; it appears only when it is complete.

    Args:
        times: Of each image, as ``analysis.per_image`` returns them.
        samples: Of the processes.
        start_s: When the first image was sent, by the clock of ``samples``.
        growth: Of its memory.
        title: What ran.
        path: File to write.
        outages: When cameras were unplugged and back, seconds since the first image, and which.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 9.5), layout="constrained")
    panels = figure.subplots(4, 1, sharex=True, height_ratios=(2, 1, 1, 1))
    latency, cores, memory, counts = panels
    seconds = np.array([item.at_s for item in samples]) - start_s
    warm_s = seconds[0] + WARM_UP * (seconds[-1] - seconds[0])
    _latency(latency, times)
    _cores(cores, seconds, samples)
    memory.plot(
        seconds, [item.memory_mb for item in samples], color=COLOURS[0], label="node, resident"
    )
    memory.plot(
        (warm_s, seconds[-1]), (growth.start, growth.end), "--", color=COLOURS[1],
        label=f"trend after the warm-up: {growth.percent:+.2f} %",
    )  # fmt: skip
    memory.set(ylabel="memory, MB")
    for name, label, colour in (("threads", "node, threads", 0), ("files", "file descriptors", 2)):
        numbers = [getattr(item, name) for item in samples]
        counts.step(seconds, numbers, where="post", color=COLOURS[colour], label=label)
    top = 1.5 * max(max(item.threads, item.files) for item in samples)  # room for the legend
    counts.set(ylabel="number", ylim=(0, top))
    counts.set(xlabel="seconds since the first image", xlim=(0, seconds[-1]))
    for axes in panels:
        axes.axvspan(0, warm_s, color="#000000", alpha=0.05, linewidth=0)
        for gone_s, back_s, _ in outages:
            axes.axvspan(gone_s, back_s, color=COLOURS[1], alpha=0.12, linewidth=0)
        axes.grid(alpha=0.3)
        place = "lower right" if axes is memory else "upper right"
        axes.legend(fontsize=8, loc=place, ncols=3, markerscale=4)
        axes.spines[["top", "right"]].set_visible(False)
    latency.annotate("warm-up", (0.01, 0.03), xycoords="axes fraction", fontsize=8)
    for gone_s, _, name in outages:
        above = ("data", "axes fraction")
        latency.annotate(f"no {name}", (gone_s, 0.03), xycoords=above, fontsize=8)
    latency.set_title(title, fontsize=9, loc="left")
    figure.align_ylabels(panels)
    _save(figure, path)


def _latency(axes: Any, times: Mapping[str, NDArray[np.float64]]) -> None:
    """Draw every image as a dot, and medians over the parts of the run."""
    at_s, latency = times["at_s"], times["latency"]
    axes.plot(at_s, latency, ".", color=COLOURS[5], markersize=2, alpha=0.6, rasterized=True,
              label="camera to last output")  # fmt: skip
    bins = max(1, min(BINS, len(at_s) // BIN_IMAGES))
    parts = [part for part in np.array_split(np.arange(len(at_s)), bins) if len(part)]
    middle = [float(np.median(at_s[part])) for part in parts]
    for name, label, colour in (("latency", "median of it", 0), ("inference", "inference", 1)):
        if not np.isfinite(times[name]).any():  # nothing told it
            continue
        medians = [float(np.median(times[name][part])) for part in parts]
        axes.plot(middle, medians, color=COLOURS[colour], label=label)
    if len(latency):
        axes.set_ylim(0, 1.35 * float(np.percentile(latency, 99.5)))  # room for the legend
    axes.set_ylabel("latency, ms")


def _cores(axes: Any, seconds: NDArray[np.float64], samples: Sequence[Sample]) -> None:
    """Draw who used the cores: it tells whether a spike above is ours."""
    used = {
        "node": [item.cpu_s for item in samples],
        "camera and probe": [sum(item.peers_cpu_s.values()) for item in samples],
        "everything else": [item.others_cpu_s for item in samples],
    }
    for (label, numbers), colour in zip(used.items(), (0, 2, 6), strict=True):
        axes.stairs(np.diff(numbers) / np.diff(seconds), seconds, baseline=None,
                    color=COLOURS[colour], label=label, linewidth=1.5)  # fmt: skip
    axes.set(ylabel="cores used")
    axes.set_ylim(0, 1.3 * axes.get_ylim()[1])  # room for the legend


def _save(figure: Any, path: Path) -> None:
    """Write the file."""
    with replacing(path) as part:
        figure.savefig(part, format="png", dpi=110)
