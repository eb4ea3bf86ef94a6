# SPDX-License-Identifier: Apache-2.0
"""How a model's scores depend on where the crop puts the horizon, and how large it shows the road.

python -m shared_encoder_perception evaluate --labels DIR/frames.jsonl --sweep --out scores
python -m shared_encoder_perception evaluate --synthetic 40 --sweep --out scores

A user's camera stands where it stands: scores of one crop say nothing of others. Pictures of a set
are cropped to each viewpoint, as far as they reach; worlds are rendered anew for it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from statistics import median
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from shared_encoder_perception import tasks
from shared_encoder_perception.evaluation.informed import perceive
from shared_encoder_perception.evaluation.labelled_images import SYNTHETIC, LabelledSet
from shared_encoder_perception.evaluation.scorer import Scorer
from shared_encoder_perception.images.preprocess import Crop, default_crop
from shared_encoder_perception.labels.sample import Sample
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.structures import Size
from shared_encoder_perception.world.camera import Camera
from shared_encoder_perception.world.synthetic import VALIDATION_SEED, render_sample

HORIZONS: Final = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45)
"""Height of the horizon in the crop, from its top, as a share of the crop's height."""
SCALES: Final = (0.6, 0.75, 0.9, 1.0, 1.15, 1.35, 1.6)
"""How much larger things look than in the set's own crop."""


class Viewpoint(NamedTuple):
    """Where a crop puts the road: one of ``HORIZONS``, one of ``SCALES``."""

    horizon: float
    scale: float


VIEWPOINTS: Final = tuple(Viewpoint(h, s) for h in HORIZONS for s in SCALES)

View = tuple[str, Viewpoint, Sample, Crop | None]
"""Source, viewpoint, what is shown, and the crop of it."""


def crop_at(viewpoint: Viewpoint, plain: Crop, horizon_px: float, size: Size) -> Crop | None:
    """Return the crop that shows a picture from a viewpoint.

    Args:
        viewpoint: Where the horizon is to be, and how large things are against ``plain``.
        plain: The picture's own crop.
        horizon_px: Row of its horizon.
        size: ``(height, width)`` of the picture.

    Returns:
        ``None`` where the picture ends before such a crop does.
    """
    width, height = round(plain.width / viewpoint.scale), round(plain.height / viewpoint.scale)
    left = round(plain.x + (plain.width - width) / 2)
    top = round(horizon_px - viewpoint.horizon * height)
    fits = left >= 0 and top >= 0 and left + width <= size[1] and top + height <= size[0]
    return Crop(left, top, width, height) if fits else None


def horizons(labelled: LabelledSet) -> dict[str, float]:
    """Return the row of the horizon of each source, as its labels tell: their median.

    Sources whose labels do not tell are left out.
    """
    rows: dict[str, list[float]] = defaultdict(list)
    knowing = {t: room for t, room in tasks.parts("labels").items() if hasattr(room, "horizon_px")}
    for image in labelled.learn():  # the same frames, without their pixels
        for task in image.labels.keys() & knowing.keys():
            row = knowing[task].horizon_px(image.labels[task]())
            if row is not None:
                rows[image.source].append(row)
    return {source: median(found) for source, found in sorted(rows.items())}


def views_of_set(
    labelled: LabelledSet, rows: Mapping[str, float], input_size: Size
) -> Iterator[View]:
    """Yield the pictures of a set from all viewpoints that they reach."""
    for image in labelled.read():
        if image.source not in rows:
            continue
        size = (image.sample.image.shape[0], image.sample.image.shape[1])
        plain = image.crop or default_crop(size, input_size)
        for viewpoint in VIEWPOINTS:
            crop = crop_at(viewpoint, plain, rows[image.source], size)
            if crop is not None:
                yield image.source, viewpoint, image.sample, crop


def views_of_worlds(count: int, answered: Collection[str]) -> Iterator[View]:
    """Yield worlds as cameras see them that look as high and as near as viewpoints say.

    Args:
        count: Of worlds.
        answered: Tasks of the model; labels of others are not made.
    """
    for seed in range(VALIDATION_SEED, VALIDATION_SEED + count):
        for viewpoint in VIEWPOINTS:
            moved = partial(Camera.moved, **viewpoint._asdict())
            sample = render_sample(seed, camera=moved, tasks=answered)
            yield SYNTHETIC, viewpoint, sample, None


class Sweep:
    """Counts by viewpoint."""

    def __init__(self, input_size: Size) -> None:
        """Start empty; ``input_size`` is the network's."""
        self._scorers = {viewpoint: Scorer(input_size) for viewpoint in VIEWPOINTS}
        self._images = dict.fromkeys(VIEWPOINTS, 0)

    def update(self, predictor: Predictor, view: View) -> None:
        """Look at one view."""
        source, viewpoint, sample, crop = view
        self._scorers[viewpoint].update(source, perceive(predictor, sample, crop), sample, crop)
        self._images[viewpoint] += 1

    def rows(self) -> list[dict[str, Any]]:
        """Return for each viewpoint that was seen ``horizon``, ``scale``, ``images``, ``scores``.

        Scores are those of ``Scorer.summary``, ``None`` where nothing was labelled.
        """
        return [
            {
                "horizon": viewpoint.horizon,
                "scale": viewpoint.scale,
                "images": self._images[viewpoint],
                "scores": {
                    name: None if math.isnan(value) else value
                    for name, value in scorer.summary().items()
                },
            }
            for viewpoint, scorer in self._scorers.items()
            if self._images[viewpoint]
        ]


def sweep(predictor: Predictor, views: Iterator[View], total: int | None) -> list[dict[str, Any]]:
    """Score all views; see ``Sweep.rows``.

    Raises:
        ValueError: No picture reaches any viewpoint.
    """
    counted = Sweep(predictor.spec.input_size)
    for view in tqdm(views, total=total, unit="view"):
        counted.update(predictor, view)
    rows = counted.rows()
    if not rows:
        raise ValueError(
            "no picture can be seen from another viewpoint: a source's lane labels must tell where "
            "its horizon is, and its pictures must be larger than their crop"
        )
    return rows


def score_names(names: tuple[str, ...], rows: list[dict[str, Any]]) -> list[str]:
    """Return the scores of the tasks ``names`` that some viewpoint has."""
    wanted = [score for room in tasks.parts("metric", names).values() for score in room.SCORE]
    return [name for name in wanted if any(row["scores"].get(name) is not None for row in rows)]


def grid(rows: list[dict[str, Any]], score: str) -> NDArray[np.float64]:
    """Return (horizons, scales) of one score, NaN where it is not known."""
    values = np.full((len(HORIZONS), len(SCALES)), np.nan)
    for row in rows:
        at = HORIZONS.index(row["horizon"]), SCALES.index(row["scale"])
        found = row["scores"].get(score)
        values[at] = np.nan if found is None else found
    return values


def table(rows: list[dict[str, Any]], score: str) -> str:
    """Return one score as text, a line for each horizon."""
    lines = [f"{score}: horizon down, scale across", " " * 6 + "".join(f"{s:>7g}" for s in SCALES)]
    for horizon, values in zip(HORIZONS, grid(rows, score), strict=True):
        cells = "".join("      -" if math.isnan(value) else f"{value:7.3f}" for value in values)
        lines.append(f"{horizon:5.0%} {cells}")
    return "\n".join(lines)


def plot(rows: list[dict[str, Any]], scores: list[str], title: str) -> NDArray[np.uint8]:
    """Draw a map for each score.

    Returns:
        (H, W, 3) uint8 BGR.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.6 * len(scores), 5.4), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    figure.suptitle(title)
    for axes, score in zip(figure.subplots(1, len(scores), squeeze=False)[0], scores, strict=True):
        _draw_map(axes, grid(rows, score), score)
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[:, :, 2::-1])


def _draw_map(axes: Any, values: NDArray[np.float64], score: str) -> None:
    """Draw one score: horizon down, scale across, grey where it is not known."""
    axes.set_facecolor("#dddddd")
    axes.imshow(np.ma.masked_invalid(values), vmin=0, vmax=1, cmap="viridis", aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        if not math.isnan(value):
            colour = "white" if value < 0.6 else "black"
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour)
    axes.set_xticks(range(len(SCALES)), [f"{scale:g}" for scale in SCALES])
    axes.set_yticks(range(len(HORIZONS)), [f"{horizon:.0%}" for horizon in HORIZONS])
    axes.set(title=score, xlabel="scale", ylabel="horizon below the top of the crop")
