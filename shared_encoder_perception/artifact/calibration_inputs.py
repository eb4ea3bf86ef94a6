# SPDX-License-Identifier: Apache-2.0
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
) -> Iterator[dict[str, NDArray[np.uint8]]]:
    """Yield network inputs of about ``count`` images, spread evenly over each source.

    Each is (H, W, 3) by name: the image, and what its source has beside it.

    Raises:
        ValueError: There are too few images, or one has another size than what is beside it.
    """
    each, seen = -(-count // len(sources)), 0
    for source in sources:
        for frame in evenly(source, len(source), each):
            height, width = frame.image.shape[:2]
            transform = ImageTransform.fit(
                (height, width), spec.input_size, frame.crop, shrink=spec.shrink
            )
            shown = {INPUT_IMAGE: frame.image, **frame.beside}
            for name, picture in frame.beside.items():
                if picture.shape != frame.image.shape:
                    rows, columns = picture.shape[:2]
                    raise ValueError(
                        f"{frame.name} is {width}x{height}, its {name!r} {columns}x{rows}: "
                        "expected two pictures of one camera, of the same size"
                    )
            yield {name: transform.image_to_input(one) for name, one in shown.items()}
            seen += 1
    if seen < FEWEST:
        raise ValueError(f"{seen} images are too few to measure ranges: expected {FEWEST} or more")


def take_from_lists(
    sources: Sequence[Source], options: Sequence[str], spec: ModelSpec
) -> list[str]:
    """Let lists give the pictures that a model takes beside the image, if all sources are lists.

    Args:
        sources: Of the images.
        options: As of ``read_extras``; what one names is not taken from lists.
        spec: Of the model.

    Returns:
        The names of what they give.
    """
    if not all(source.names_pictures for source in sources):
        return []
    given = [option.partition("=")[0] for option in options]
    names = [name for name in spec.companions() if name not in given]
    for source in sources:
        source.beside = names
        source.cure = f", or give some for all, --input {names[0]}=FILE.npy" if names else ""
    return names


def read_extras(
    options: Sequence[str], spec: ModelSpec, listed: Sequence[str] = ()
) -> dict[str, NDArray]:
    """Read what a model takes beside the image.

    Args:
        options: ``NAME=FILE.npy``; an array of the input's shape, or of several such.
        spec: Of the model.
        listed: Names of what the images' sources give; see ``take_from_lists``.

    Returns:
        Arrays (K, ...), by name.

    Raises:
        InputError: An input is missing, unknown, or of another type or shape.
        ValueError: A file that is no array.
    """
    files = dict(option.partition("=")[::2] for option in options)
    others = (INPUT_IMAGE, *listed)
    tensors = {name: item for name, item in spec.input_tensors().items() if name not in others}
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
    images: Iterable[Mapping[str, NDArray[np.uint8]]], extras: Mapping[str, NDArray]
) -> Iterator[dict[str, NDArray]]:
    """Yield the inputs for one image each, (1, ...), by name; ``extras`` (K, ...) take turns."""
    for index, shown in enumerate(images):
        taken = {name: array[index % len(array)][np.newaxis] for name, array in extras.items()}
        yield {**{name: picture[np.newaxis] for name, picture in shown.items()}, **taken}
