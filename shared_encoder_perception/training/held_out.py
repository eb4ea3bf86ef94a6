"""Real frames that took no part in training, for calibration: each seen in several ways."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from shared_encoder_perception.evaluation.evaluate import Frame
from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.labels.sample import Sample
from shared_encoder_perception.structures import Size
from shared_encoder_perception.training.augment import AugmentConfig, augment
from shared_encoder_perception.training.data_config import SetConfig
from shared_encoder_perception.training.look import EFFECTS
from shared_encoder_perception.training.sets import Entry, NativeSet

VIEWS: Final = 8
"""Of each held-out frame."""
_OWN_LIGHT: Final[dict[str, Any]] = dict.fromkeys(EFFECTS, 0.0)
OTHER_CAMERA: Final = AugmentConfig(geometry=1.0, rotate=0.0, **_OWN_LIGHT)
"""Other crops and mirrors; light and weather stay the set's own, for those are what is measured."""


def held_out_frames(
    path: Path | None, sources: list[str], size: Size, fold: str = "held_out"
) -> Iterator[Frame]:
    """Open the real frames to calibrate on: what people labelled in the held-out fold of a set.

    With an empty ``fold``: in all of it, where no frame was trained on.

    Few frames are held out, so each is looked at in ``VIEWS`` ways: through other crops, and
    mirrored, which changes how sure the network is as another camera would.

    Raises:
        ValueError: ``sources`` without a set, or a set without such frames.
    """
    if path is None:
        if sources:
            raise ValueError("--sources chooses from --held-out, which is not given")
        return iter(())
    config = SetConfig(path=str(path), sources=sources, fold=fold, pseudo=False)
    entries = NativeSet(config)
    indices = tqdm(range(len(entries)), desc="held out", unit="image")
    return chain.from_iterable(_views(entries[index], size) for index in indices)


def _views(entry: Entry, size: Size) -> Iterator[Frame]:
    """One frame as it is, and as other cameras would see it."""
    sample, crop, source = entry
    yield source, sample, crop
    height, width = sample.image.shape[:2]
    transform = ImageTransform.fit((height, width), size, crop)
    for seed in range(1, VIEWS):
        view = augment(sample, transform, OTHER_CAMERA, seed)
        yield source, Sample(view.image, view.labels, sample.name), None
