"""What a network sees of the images that quantisation measures ranges on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.artifact.tensors import InputError, words
from shared_encoder_perception.files.plain_file import plain
from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.images.sources import Source, open_source
from shared_encoder_perception.images.spread import evenly
from shared_encoder_perception.spec import INPUT_IMAGE, ModelSpec, Tensor
from shared_encoder_perception.tasks.label_files import FILE_NAME

FEWEST: Final = 8
"""Images below which ranges are guesses."""


def open_images(path: Path) -> Source:
    """Open a source; a data set's folder by its list, since its masks are no camera images.

    Raises:
        SourceError: It cannot be read.
    """
    labels = path / FILE_NAME
    return open_source(labels if labels.is_file() else path)


def calibration_inputs(
    sources: Sequence[Source], count: int, spec: ModelSpec
) -> Iterator[NDArray[np.uint8]]:
    """Yield network inputs (H, W, 3) of about ``count`` images, spread evenly over each source.

    Raises:
        ValueError: There are too few images.
    """
    each, seen = -(-count // len(sources)), 0
    for source in sources:
        for frame in evenly(source, len(source), each):
            height, width = frame.image.shape[:2]
            transform = ImageTransform.fit(
                (height, width), spec.input_size, frame.crop, shrink=spec.shrink
            )
            yield transform.image_to_input(frame.image)
            seen += 1
    if seen < FEWEST:
        raise ValueError(f"{seen} images are too few to measure ranges: expected {FEWEST} or more")


def read_extras(options: Sequence[str], spec: ModelSpec) -> dict[str, NDArray]:
    """Read what a model takes beside the image.

    Args:
        options: ``NAME=FILE.npy``; an array of the input's shape, or of several such.
        spec: Of the model.

    Returns:
        Arrays (K, ...), by name.

    Raises:
        InputError: An input is missing, unknown, or of another type or shape.
        ValueError: A file that is no array.
    """
    files = dict(option.partition("=")[::2] for option in options)
    tensors = {name: item for name, item in spec.input_tensors().items() if name != INPUT_IMAGE}
    for name in files:
        if name not in tensors:
            takes = ", ".join(tensors) or "nothing beside the image"
            raise InputError(f"--input {name}: the model {spec.name} takes {takes}")
    for name, tensor in tensors.items():
        if not files.get(name):
            raise InputError(
                f"the model {spec.name} takes {name!r}, {words(tensor)}, beside the image: give "
                f"what is to be used, --input {name}=FILE.npy"
            )
    return {name: _read_array(files[name], name, tensor) for name, tensor in tensors.items()}


def _read_array(path: str, name: str, tensor: Tensor) -> NDArray:
    """Read an input, or several of the same name, as (K, ...)."""
    try:
        # Mapped: a header may promise more than there is, or than fits into memory.
        array = np.load(plain(Path(path)), mmap_mode="r", allow_pickle=False)
    except (EOFError, ValueError):  # numpy would offer to unpickle it
        raise ValueError(f"{path} is not an array as numpy.save writes it") from None
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{path} holds several arrays, expected one as numpy.save writes it")
    several = array if array.ndim > len(tensor.shape) else array[np.newaxis]
    if several.dtype != tensor.dtype or several.shape[1:] != tensor.shape or not len(several):
        raise InputError(
            f"{path} is {words(array)}, expected {words(tensor)} for {name!r}, or several of it"
        )
    return several


def with_extras(
    images: Iterable[NDArray[np.uint8]], extras: Mapping[str, NDArray]
) -> Iterator[dict[str, NDArray]]:
    """Yield the inputs for one image each, (1, ...), by name; ``extras`` (K, ...) take turns."""
    for index, image in enumerate(images):
        taken = {name: array[index % len(array)][np.newaxis] for name, array in extras.items()}
        yield {INPUT_IMAGE: image[np.newaxis], **taken}
