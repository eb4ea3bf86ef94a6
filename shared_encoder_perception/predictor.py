# SPDX-License-Identifier: Apache-2.0
"""The order of the flow, written once: image -> preprocess -> backend -> decode -> Perception.

With test-time augmentation several pictures of an image go that way, and meet before they are
decoded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception import libraries, tasks
from shared_encoder_perception.artifact.tensors import (
    Arrays,
    OutputError,
    blank,
    check_outputs,
    stack_inputs,
)
from shared_encoder_perception.backends import Backend
from shared_encoder_perception.images.looks import Look
from shared_encoder_perception.images.picture_checks import check_companion, check_image
from shared_encoder_perception.images.preprocess import STRETCH, Crop, ImageTransform
from shared_encoder_perception.images.variants import PLAIN, Variant
from shared_encoder_perception.spec import INPUT_IMAGE, ModelSpec
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.merger import Merger
from shared_encoder_perception.tasks.options import Options, own_options

libraries.check()

STAGES = ("preprocess", "inference", "decode")
"""Keys of ``Perception.stage_ms``, in the order in which the stages run."""


class Decoder:
    """Decodes every output of models with one spec that is of single images."""

    def __init__(self, spec: ModelSpec) -> None:
        """Make the decoder of each task."""
        self._decoders = {
            name: tasks.part(name, "decode").Decoder(block, spec.input_size)
            for name, block in spec.tasks.items()
            if not tasks.is_rig(name)
        }

    def __call__(
        self,
        outputs: Mapping[str, NDArray],
        transform: ImageTransform,
        options: Options,
        image: NDArray[np.uint8],
    ) -> Perception:
        """Decode one image.

        Args:
            outputs: The spec's outputs, without the batch axis.
            transform: How the source image became the network input.
            options: Of each task.
            image: The source image, (H, W, 3) uint8 BGR.
        """
        answers = {}
        for name, decode in self._decoders.items():
            beside = [image] if getattr(decode, "SEES_IMAGE", False) else []
            answers[name] = decode(outputs, transform, options[name], *beside)
        return Perception(transform.image_size, answers, crop=transform.crop)


@dataclass(frozen=True, eq=False)
class Prepared:
    """Images that are ready for the network.

    Attributes:
        images: As they were given.
        transforms: How each became a network input.
        looks: At each image, for each variant of it: the plain one first.
        inputs: Of one inference for each variant, all images in a batch.
    """

    images: Sequence[NDArray[np.uint8]]
    transforms: Sequence[ImageTransform]
    looks: Sequence[Sequence[Look]]
    inputs: Sequence[dict[str, NDArray]]


class Predictor:
    """Perceives images. The same object serves node, replay and evaluation.

    Not safe for use by several threads at once; ``options`` may be replaced between images.

    Attributes:
        backend: The model.
        spec: Of the model.
        options: Of each task's decoder.
        companions: Names of the pictures that the model compares an image with.
    """

    def __init__(
        self,
        backend: Backend,
        options: Options | None = None,
        variants: Sequence[Variant] = (),
        *,
        of_rig: bool = False,
    ) -> None:
        """Wrap a loaded backend.

        Args:
            backend: The model.
            options: By default the thresholds of its spec.
            variants: Pictures of each image that are perceived, the plain one first, and whose
                answers are made one (test-time augmentation); by default the plain one as it is.
            of_rig: Whether the images are those of a rig, of which ``RigPredictor`` gives the rest.

        Raises:
            ValueError: The model's answers cannot be made one; see ``Merger``. Or it needs a rig.
        """
        self.backend = backend
        self.spec = backend.spec
        self._of_rigs = rigs = self.spec.of_rigs()
        if not of_rig:
            ways = "predict --rig rig.yaml, replay --rig, evaluate --rigs or the node `surround`"
            self.spec.expect_images(ways)
        self.options = own_options(backend.spec) if options is None else options
        self._decoder = Decoder(backend.spec)
        self._variants = tuple(variants) or (PLAIN,)
        self._merge = Merger(backend.spec) if variants else None
        inputs, outputs = self.spec.input_tensors(), self.spec.output_tensors()
        self._inputs = {name: tensor for name, tensor in inputs.items() if name not in rigs}
        self._outputs = {name: tensor for name, tensor in outputs.items() if name not in rigs}
        self._promised = outputs
        self.companions = self.spec.companions()

    def warm_up(self) -> None:
        """Run once on a black image, so that the first real one is not the slow one.

        Raises:
            OutputError: The engine does not give what the spec promises.
        """
        inputs = {name: array[0] for name, array in blank(self._inputs).items()}
        self(inputs.pop(INPUT_IMAGE), extras=inputs)

    def __call__(
        self,
        image: NDArray[np.uint8],
        crop: Crop | None = None,
        resize: str = STRETCH,
        extras: Arrays | None = None,
        companions: Arrays | None = None,
    ) -> Perception:
        """Perceive ``image``.

        Args:
            image: (H, W, 3) uint8 BGR, [0, 255].
            crop: Part to use; by default the largest one of the model's aspect ratio, centred in
                x and flush with the bottom.
            resize: How it is brought to the network's size; see ``ImageTransform``. ``STRETCH`` is
                what models are trained for.
            extras: What else the model takes of this image, by name: ``spec.input_tensors()``
                without ``image`` and without the batch axis, as the network is to see it.
            companions: Those of ``self.companions`` as the camera took them: uint8 BGR of the size
                of ``image``, cropped and resized along with it; instead of ``extras``.

        Returns:
            The answer of each task in pixels of ``image``, with ``stage_ms`` for each of
            ``STAGES``.

        Raises:
            ImageError: The image is not uint8 BGR, the crop does not fit it, or a companion is not
                of its size.
            InputError: An extra input is missing, unknown, or of another type or shape.
            OutputError: The engine does not give what the spec promises.
        """
        return self.perceive_batch(
            [image],
            [crop],
            resize,
            None if extras is None else [extras],
            None if companions is None else [companions],
        )[0]

    def perceive_batch(
        self,
        images: Sequence[NDArray[np.uint8]],
        crops: Sequence[Crop | None] | None = None,
        resize: str = STRETCH,
        extras: Sequence[Arrays] | None = None,
        companions: Sequence[Arrays] | None = None,
    ) -> list[Perception]:
        """Perceive several images in one inference, such as those of several cameras.

        Args:
            images: Each as for a single image; they may differ in size.
            crops: One for each; ``None`` for the default ones.
            resize: As for a single image.
            extras: One for each, as for a single image.
            companions: Likewise.

        Returns:
            What each image alone would give. ``stage_ms`` holds the time of the whole batch: that
            is how long each of them took.

        Raises:
            ImageError: An image is not uint8 BGR, or a crop or a companion does not fit.
            InputError, OutputError: As for a single image.
        """
        start = perf_counter()
        prepared = self.prepare(images, crops, resize, extras, companions)
        preprocessed = perf_counter()
        outputs = [self.backend.infer(shown) for shown in prepared.inputs]
        inferred = perf_counter()
        for said in outputs:
            self.check(said, len(images))
        perceptions = self.decode(prepared, outputs)
        times = (start, preprocessed, inferred, perf_counter())
        stage_ms = {
            stage: (end - begin) * 1e3
            for stage, (begin, end) in zip(STAGES, pairwise(times), strict=True)
        }
        return [replace(perception, stage_ms=stage_ms) for perception in perceptions]

    def prepare(
        self,
        images: Sequence[NDArray[np.uint8]],
        crops: Sequence[Crop | None] | None = None,
        resize: str = STRETCH,
        extras: Sequence[Arrays] | None = None,
        companions: Sequence[Arrays] | None = None,
    ) -> Prepared:
        """Return what the network is shown of images: the first stage of ``perceive_batch``."""
        beside = companions or [{}] * len(images)
        for image, pictures in zip(images, beside, strict=True):
            check_image(image)
            for name, picture in pictures.items():
                check_companion(name, picture, image)
        transforms = [
            ImageTransform.fit(
                (image.shape[0], image.shape[1]),
                self.spec.input_size,
                crop,
                resize,
                self.spec.shrink,
            )
            for image, crop in zip(images, crops or [None] * len(images), strict=True)
        ]
        looks = [[variant.look(one) for one in transforms] for variant in self._variants]
        inputs = [self._stack(images, shown, extras, beside) for shown in looks]
        return Prepared(images, transforms, looks, inputs)

    def decode(self, prepared: Prepared, outputs: Sequence[Arrays]) -> list[Perception]:
        """Return what checked outputs for each of ``prepared.inputs`` say: the last stage."""
        perceptions = []
        for index, transform in enumerate(prepared.transforms):
            each = [{name: said[name][index] for name in self._outputs} for said in outputs]
            if self._merge:
                each = [self._merge([shown[index] for shown in prepared.looks], each)]
            shown = prepared.images[index]
            perceptions.append(self._decoder(each[0], transform, self.options, shown))
        return perceptions

    def _stack(
        self,
        images: Sequence[NDArray[np.uint8]],
        looks: Sequence[Look],
        extras: Sequence[Arrays] | None,
        companions: Sequence[Arrays],
    ) -> dict[str, NDArray]:
        """Return the inputs of one inference: a look at each image, and what belongs to it."""
        views = [look.image_to_input(image) for look, image in zip(looks, images, strict=True)]
        others = extras or [{}] * len(views)
        if any(companions):
            shown = [
                {name: look.image_to_input(picture) for name, picture in beside.items()}
                for look, beside in zip(looks, companions, strict=True)
            ]
            others = [{**given, **one} for given, one in zip(others, shown, strict=True)]
        return stack_inputs(views, others, self._inputs)

    def check(self, outputs: Arrays, count: int) -> None:
        """Refuse outputs for ``count`` images that are not as promised; name the engine.

        Raises:
            OutputError: They are not.
        """
        try:
            check_outputs(outputs, self._promised, count, self._of_rigs)
        except OutputError as error:
            info = self.backend.info
            raise OutputError(f"{info.source} on {info.name} {info.version}: {error}") from None
