# SPDX-License-Identifier: Apache-2.0
"""Test-time augmentation: which pictures a network is shown of one image, as ``--tta`` names them.

    variants = parse_variants("flip,scale:0.75")     # plain, mirrored, small, small and mirrored
    looks = [variant.look(transform) for variant in variants]

Every scale is also mirrored where pictures are, so that a mirrored image gets the mirrored answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from shared_encoder_perception.files.typed_json import suggestion
from shared_encoder_perception.images.looks import Look, look_through
from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.structures import Crop

IDENTITY, FLIP, SCALE = "identity", "flip", "scale"
FORMS: Final = (IDENTITY, FLIP, f"{SCALE}:FACTOR")
"""What stands in a list; the plain picture always takes part, whether it is named or not."""
LEAST, MOST = 0.25, 4.0
"""Beyond these factors a picture shows next to nothing."""


class Variant(NamedTuple):
    """One picture of an image.

    Attributes:
        flip: Whether left and right are swapped.
        scale: How large things are in it, by those of the plain picture. Below 1 the picture is
            resized to that part of the network's input, and lies in the middle of grey; above 1
            the middle of the crop fills the input. Sides are rounded to whole pixels that leave
            margins of equal width.
    """

    flip: bool = False
    scale: float = 1.0

    def look(self, plain: ImageTransform) -> Look:
        """Return how it lies over the plain picture that a transform makes."""
        return _look(self, plain)


PLAIN: Final = Variant()


def parse_variants(text: str) -> tuple[Variant, ...]:
    """Parse a list such as ``flip,scale:0.75``.

    Returns:
        The plain picture and, for ``flip``, its mirror image; then likewise for each scale.

    Raises:
        ValueError: Something that is none of ``FORMS`` or stands there twice, or nothing at all.
    """
    entries = [entry.strip() for entry in text.split(",")]
    if entries == [""]:
        raise ValueError(f"the list is empty: expected some of {', '.join(FORMS)}")
    known = [_parse(entry) for entry in entries]
    for index, entry in enumerate(known):
        if entry in known[:index]:
            raise ValueError(f"{entries[index]!r} stands in {text!r} twice: name it once")
    scales = [entry for entry in known if isinstance(entry, float)]
    flips = (False, True) if FLIP in known else (False,)
    return tuple(Variant(flip, scale) for scale in (1.0, *scales) for flip in flips)


def named(variants: Sequence[Variant]) -> str:
    """Write variants as ``parse_variants`` reads them."""
    words = [FLIP] if any(variant.flip for variant in variants) else []
    scales = dict.fromkeys(variant.scale for variant in variants if variant.scale != 1.0)
    return ",".join(words + [f"{SCALE}:{scale!r}" for scale in scales]) or IDENTITY


def _parse(entry: str) -> str | float:
    """Read an entry: a word, or the factor of a scale."""
    kind, _, number = entry.partition(":")
    if entry in (IDENTITY, FLIP):
        return entry
    if kind != SCALE:
        hint = suggestion(entry, FORMS)
        raise ValueError(f"there is no {entry!r}{hint}")
    try:
        factor = float(number)
    except ValueError:
        factor = 0.0
    if not LEAST <= factor <= MOST:  # nor NaN
        raise ValueError(f"{entry!r}: expected {SCALE}:FACTOR with a number from {LEAST} to {MOST}")
    if factor == 1.0:
        raise ValueError(f"{entry!r} is the plain picture, which always takes part: leave it out")
    return factor


@lru_cache(maxsize=64)
def _look(variant: Variant, plain: ImageTransform) -> Look:
    """Make the transform of a variant, and lay it over the plain one."""
    crop, (height, width) = plain.crop, plain.input_size
    if variant.scale < 1.0:
        height, width = _inner(height, variant.scale), _inner(width, variant.scale)
    if variant.scale > 1.0:
        wide, high = _inner(crop.width, 1 / variant.scale), _inner(crop.height, 1 / variant.scale)
        left, top = crop.x + (crop.width - wide) // 2, crop.y + (crop.height - high) // 2
        crop = Crop(left, top, wide, high)
    if variant.flip:
        crop = crop._replace(x=plain.image_size[1] - crop.x - crop.width)
    size = (height, width)
    transform = ImageTransform(plain.image_size, crop, size, plain.resize, plain.shrink)
    return look_through(plain, transform, variant.flip)


def _inner(side: int, factor: float) -> int:
    """Return a part of a side that leaves two equal margins, at least 2 pixels."""
    return side - 2 * min(round(side * (1.0 - factor) / 2), (side - 2) // 2)
