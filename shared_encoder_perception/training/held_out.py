# SPDX-License-Identifier: Apache-2.0
"""Real frames that took no part in training, for calibration: each seen in several ways."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from shared_encoder_perception.evaluation.evaluate import Frame
from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.sample import Sample
from shared_encoder_perception.structures import Size
from shared_encoder_perception.training.augment import AugmentConfig, augment
from shared_encoder_perception.training.data_config import SetConfig
from shared_encoder_perception.training.look import EFFECTS
from shared_encoder_perception.training.sample_set import Entry
from shared_encoder_perception.training.sets import NativeSet

VIEWS: Final = 8
"""Of each held-out frame."""
_OWN_LIGHT: Final[dict[str, Any]] = dict.fromkeys(EFFECTS, 0.0)
OTHER_CAMERA: Final = AugmentConfig(geometry=1.0, rotate=0.0, **_OWN_LIGHT)
"""Other crops and mirrors; light and weather stay the set's own, for those are what is measured."""


def held_out_frames(
    paths: Sequence[Path], sources: list[str], size: Size, fold: str = "held_out"
) -> Iterator[Frame]:
    """Open the real frames to calibrate on: what people labelled in the held-out fold of sets.

    With an empty ``fold``: in all of them, where no frame was trained on.

    Few frames are held out, so each is looked at in ``VIEWS`` ways: through other crops, and
    mirrored, which changes how sure the network is as another camera would.

    Raises:
        ValueError: ``sources`` without a set or in none of them, or a set without such frames.
    """
    if not paths:
        if sources:
            raise ValueError("--sources chooses from --held-out, which is not given")
        return iter(())
    chosen = _chosen(paths, sources)
    sets = [
        NativeSet(SetConfig(path=str(path), sources=names, fold=fold, pseudo=False))
        for path, names in chosen.items()
    ]
    places = [(entries, index) for entries in sets for index in range(len(entries))]
    shown = tqdm(places, desc="held out", unit="image")
    return chain.from_iterable(_views(entries[index], size) for entries, index in shown)


def _chosen(paths: Sequence[Path], sources: list[str]) -> dict[Path, list[str]]:
    """Say which sources to use of each set: of several sets, each has its own."""
    if not sources or len(paths) == 1:
        return dict.fromkeys(paths, sources)
    found = {path: {frame.source for frame in native.read(path)} for path in paths}
    if missing := [name for name in sources if not any(name in have for have in found.values())]:
        raise ValueError(
            f"--sources names {', '.join(missing)}, which no set of --held-out has: they have "
            f"{', '.join(sorted(set().union(*found.values())))}"
        )
    both = {path: [name for name in sources if name in have] for path, have in found.items()}
    return {path: names for path, names in both.items() if names}


def _views(entry: Entry, size: Size) -> Iterator[Frame]:
    """One frame as it is, and as other cameras would see it."""
    sample, crop, source = entry
    yield source, sample, crop
    height, width = sample.image.shape[:2]
    transform = ImageTransform.fit((height, width), size, crop)
    for seed in range(1, VIEWS):
        view = augment(sample, transform, OTHER_CAMERA, seed)
        yield source, Sample(view.image, view.labels, sample.name), None
