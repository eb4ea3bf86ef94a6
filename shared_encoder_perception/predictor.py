"""The order of the flow, written once: image -> preprocess -> backend -> decode -> Perception."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.backends import Backend
from shared_encoder_perception.decode import DecodeOptions, Decoder
from shared_encoder_perception.preprocess import Crop, ImageTransform
from shared_encoder_perception.structures import Perception

STAGES = ("preprocess", "inference", "decode")
"""Keys of ``Perception.stage_ms``, in the order in which the stages run."""


class Predictor:
    """Perceives one image at a time. The same object serves node, replay and evaluation.

    Not safe for use by several threads at once; ``options`` may be replaced between images.
    """

    def __init__(self, backend: Backend, options: DecodeOptions | None = None) -> None:
        """Wrap a loaded backend; ``options`` default to the thresholds of its spec."""
        self.backend = backend
        self.spec = backend.spec
        self.options = options or DecodeOptions.from_spec(backend.spec)
        self._decoder = Decoder(backend.spec)

    def warm_up(self) -> None:
        """Run once on a black image, so that the first real one is not the slow one."""
        self(np.zeros((*self.spec.input_size, 3), np.uint8))

    def __call__(self, image: NDArray[np.uint8], crop: Crop | None = None) -> Perception:
        """Perceive ``image``.

        Args:
            image: (H, W, 3) uint8 BGR, [0, 255].
            crop: Part to use; by default the largest one of the model's aspect ratio, centred in
                x and flush with the bottom.

        Returns:
            Lanes and mask in pixels of ``image``, with ``stage_ms`` for each of ``STAGES``.

        Raises:
            ValueError: The image is not uint8 BGR, or the crop does not fit it.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(
                f"image is {image.dtype} of shape {image.shape}, expected uint8 (H, W, 3) BGR"
            )
        start = perf_counter()
        transform = ImageTransform.fit((image.shape[0], image.shape[1]), self.spec.input_size, crop)
        network_input = transform.image_to_input(image)
        preprocessed = perf_counter()
        outputs = self.backend.infer(network_input[np.newaxis])
        inferred = perf_counter()
        perception = self._decoder(
            {name: array[0] for name, array in outputs.items()}, transform, self.options
        )
        times = (start, preprocessed, inferred, perf_counter())
        stage_ms = {
            stage: (end - begin) * 1e3
            for stage, (begin, end) in zip(STAGES, pairwise(times), strict=True)
        }
        return replace(perception, stage_ms=stage_ms)
