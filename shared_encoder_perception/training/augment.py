"""Augmentation that keeps image, mask and lane identity consistent.

Geometry: another crop, a small rotation, a mirror image (which swaps left and right lanes). A crop
or rotation after which another lane than ``ego`` would run up the middle of the picture would make
the labels lie: it is drawn again, and left out after a few attempts.

Look: light, colour, blur, JPEG, noise, shadows, night, fog, rain, snow. Labels stay as they are.

Everything is decided by one seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import torch
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from shared_encoder_perception.images.preprocess import Crop, ImageTransform
from shared_encoder_perception.labels.sample import Sample
from shared_encoder_perception.labels.view import Lanes, View, view_sample
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.drivable.labels import MASK_IGNORE
from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.training.look import EFFECTS, to_array, to_tensor

ATTEMPTS: Final = 4
MIRRORED: Final = MappingProxyType(
    {
        LaneId.EGO: LaneId.EGO,
        LaneId.LEFT_EGO: LaneId.RIGHT_EGO,
        LaneId.RIGHT_EGO: LaneId.LEFT_EGO,
        LaneId.LEFT_SPLIT_EGO: LaneId.RIGHT_SPLIT_EGO,
        LaneId.RIGHT_SPLIT_EGO: LaneId.LEFT_SPLIT_EGO,
    }
)
"""Which lane a lane is in the mirror."""


@dataclass(frozen=True)
class AugmentConfig:
    """How much, and how often; each probability is independent of the others.

    Attributes:
        geometry: Probability of another crop.
        scale: Range of its size, relative to the plain crop.
        shift: Largest shift of its centre, as a share of its size.
        rotate: Probability of a rotation.
        rotate_deg: Largest angle.
        flip: Probability of a mirror image.
        light: Probability of another brightness, contrast and saturation.
        hue: Probability of another hue.
        resolution: Probability of a coarser picture, as a cheap camera or a tight crop gives.
        blur: Probability of a Gaussian blur.
        jpeg: Probability of JPEG artefacts.
        noise: Probability of sensor noise.
        shadow: Probability of soft shadows.
        night: Probability of a night gain: dark, noisy.
        fog: Probability of fog, thicker towards the horizon.
        rain: Probability of rain streaks.
        snow: Probability of snow.
    """

    geometry: float = 0.8
    scale: tuple[float, float] = (0.75, 1.15)
    shift: float = 0.08
    rotate: float = 0.3
    rotate_deg: float = 3.0
    flip: float = 0.5
    light: float = 0.7
    hue: float = 0.2
    resolution: float = 0.2
    blur: float = 0.1
    jpeg: float = 0.15
    noise: float = 0.1
    shadow: float = 0.08
    night: float = 0.08
    fog: float = 0.06
    rain: float = 0.05
    snow: float = 0.03

    def __post_init__(self) -> None:
        """Refuse what is no probability or no range."""
        for name, value in vars(self).items():
            if name not in ("scale", "rotate_deg") and not 0 <= value <= 1:
                raise ValueError(f"augment.{name} is {value}, expected 0 to 1")
        low, high = self.scale
        if not 0.2 <= low <= high <= 3:
            raise ValueError(f"augment.scale is {self.scale}, expected 0.2 <= low <= high <= 3")
        if not 0 <= self.rotate_deg <= 15:
            raise ValueError(f"augment.rotate_deg is {self.rotate_deg}, expected 0 to 15")


def augment(sample: Sample, transform: ImageTransform, config: AugmentConfig, seed: int) -> View:
    """Return a changed view of ``sample``.

    Args:
        sample: What is shown.
        transform: The plain view of it.
        config: What may happen.
        seed: Decides what happens; equal seeds give equal views.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        rng = np.random.default_rng(seed)
        view = _change_geometry(sample, transform, config, rng)
        if rng.random() < config.flip:
            view = mirror(view)
        return _change_look(view, config, rng)


def mirror(view: View) -> View:
    """Return the mirror image: left lanes become right ones."""
    width = view.image.shape[1]
    lanes = {
        MIRRORED[lane]: None if points is None else points * (-1, 1) + (width - 1, 0)
        for lane, points in view.lanes.items()
    }
    image, mask, mask_weight = (
        np.ascontiguousarray(plane[:, ::-1]) for plane in (view.image, view.mask, view.mask_weight)
    )
    lane_weight = {MIRRORED[lane]: weight for lane, weight in view.lane_weight.items()}
    return View(image, lanes, mask, mask_weight, lane_weight)


def ego_runs_up_the_middle(lanes: Lanes, width: int, height: int) -> bool:
    """Tell whether ego is still the lane the picture is taken from.

    That is: of ego and its neighbours, each continued straight to the lower border, ego ends
    nearest to the middle of the picture. True where ego is not known.
    """
    ego = lanes.get(LaneId.EGO)
    if ego is None:
        return True
    middle = (width - 1) / 2
    others = (lanes.get(lane) for lane in (LaneId.LEFT_EGO, LaneId.RIGHT_EGO))
    distance = abs(_x_at_border(ego, height) - middle)
    return all(
        distance < abs(_x_at_border(other, height) - middle)
        for other in others
        if other is not None
    )


def _x_at_border(points: np.ndarray, height: int) -> float:
    """Continue the near end of a line (N, 2) straight to the lower border."""
    near, y = points[: max(len(points) // 4, 2)], height - 1.0
    if np.ptp(near[:, 1]) < 1e-6:
        return float(near[0, 0])
    slope = (near[0, 0] - near[-1, 0]) / (near[0, 1] - near[-1, 1])
    return float(near[0, 0] + slope * (y - near[0, 1]))


def _change_geometry(
    sample: Sample, transform: ImageTransform, config: AugmentConfig, rng: np.random.Generator
) -> View:
    """Crop and rotate, unless that made the labels lie."""
    height, width = transform.input_size
    for _ in range(ATTEMPTS):
        crop = transform.crop
        if rng.random() < config.geometry:
            crop = _other_crop(transform.crop, transform.image_size, config, rng)
        view = view_sample(sample, ImageTransform(transform.image_size, crop, (height, width)))
        if rng.random() < config.rotate:
            view = rotate(view, float(rng.uniform(-1, 1)) * config.rotate_deg)
        runs_on = all(
            points is None or bool((np.diff(points[:, 1]) < 0).all())
            for points in view.lanes.values()
        )
        if runs_on and ego_runs_up_the_middle(view.lanes, width, height):
            return view
    return view_sample(sample, transform)


def _other_crop(
    crop: Crop, image_size: Size, config: AugmentConfig, rng: np.random.Generator
) -> Crop:
    """Scale and shift a crop; what would leave the picture is cut to it."""
    scale = np.exp(rng.uniform(*np.log(config.scale)))
    aspect = np.exp(rng.uniform(-0.08, 0.08))
    width = min(round(crop.width * scale * aspect), image_size[1])
    height = min(round(crop.height * scale / aspect), image_size[0])
    centre_x = crop.x + crop.width / 2 + rng.uniform(-1, 1) * config.shift * crop.width
    centre_y = crop.y + crop.height / 2 + rng.uniform(-1, 1) * config.shift * crop.height
    x = int(np.clip(round(centre_x - width / 2), 0, image_size[1] - width))
    y = int(np.clip(round(centre_y - height / 2), 0, image_size[0] - height))
    return Crop(x, y, width, height)


def rotate(view: View, angle_deg: float) -> View:
    """Rotate about the middle of the picture; what comes in from outside is ignored."""
    lanes = {lane: points for lane, points in view.lanes.items() if points is not None}
    size = view.image.shape[:2]
    stacked = np.concatenate([np.zeros((0, 2)), *lanes.values()])
    points = F.rotate(tv_tensors.KeyPoints(torch.from_numpy(stacked), canvas_size=size), angle_deg)
    image = F.rotate(to_tensor(view.image), angle_deg, interpolation=v2.InterpolationMode.BILINEAR)
    mask = F.rotate(tv_tensors.Mask(view.mask), angle_deg, fill=MASK_IGNORE)
    weight = F.rotate(tv_tensors.Mask(view.mask_weight), angle_deg, fill=0)
    ends = np.cumsum([len(line) for line in lanes.values()])[:-1]
    moved = dict(zip(lanes, np.split(points.numpy(), ends), strict=True)) if lanes else {}
    return View(
        to_array(image), {**view.lanes, **moved}, mask.numpy(), weight.numpy(), view.lane_weight
    )


def _change_look(view: View, config: AugmentConfig, rng: np.random.Generator) -> View:
    """Apply the effects that leave the labels alone, each with its own probability."""
    image, before = to_tensor(view.image), view.image
    changed = False
    for name, effect in EFFECTS.items():
        if rng.random() < getattr(config, name):
            image, changed = effect(image, rng), True
    return view._replace(image=to_array(image) if changed else before)
