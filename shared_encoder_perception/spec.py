# SPDX-License-Identifier: Apache-2.0
"""ModelSpec: what a model artifact promises, carried inside the artifact itself as JSON.

A general part, and one block for each task that the model answers. What a block holds, and which
tensors it promises, is said in the task's room (``tasks/*/spec.py``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, NamedTuple, Protocol

from shared_encoder_perception import tasks as table
from shared_encoder_perception.files.installed import VERSION
from shared_encoder_perception.files.safe_text import printable
from shared_encoder_perception.files.typed_json import JsonError, cut, from_json, parse_json, shown
from shared_encoder_perception.structures import AREA_BELOW_HALF, SHRINKS, Size

METADATA_KEY: Final = "shared_encoder_perception.model_spec"
"""Key of the spec in an ONNX file's ``metadata_props``."""

FORMAT_VERSION: Final = 2
"""Raised when a reader of the old spec would misread the new one. Version 1 (models up to 0.5.0)
had all keys on one level; it is read, and no longer written."""

LARGEST_PX: Final = 16384
"""Longest side of a network's input, and bound of what a spec places in it."""
LONGEST_NAME: Final = 200
"""Characters of a model's name and version: they stand in every message and picture."""

LONGEST_LINE: Final = 20_000
"""Characters of what else a spec says in words."""

INPUT_SIZE: Final = (320, 800)
"""``(height, width)`` of a network's input unless somebody says otherwise."""

INPUT_IMAGE: Final = "image"
"""Input tensor: uint8 (N, H, W, 3) BGR."""


class SpecError(ValueError):
    """A model artifact whose spec is missing or wrong; the message says what to do."""


class Tensor(NamedTuple):
    """What an input or output of a graph is.

    Attributes:
        dtype: As numpy names it: ``"float32"``, ``"uint8"`` ...
        shape: Without the batch axis.
    """

    dtype: str
    shape: tuple[int, ...]


class Block(Protocol):
    """What a spec says of one task: a frozen dataclass of JSON's types, in the task's room."""

    def outputs(self, input_size: Size) -> dict[str, Tensor]:
        """Return the tensors that a network with this task gives, by name."""

    def inputs(self, input_size: Size) -> dict[str, Tensor]:
        """Return the tensors that it takes beside the image, by name; mostly none."""


def picture_inputs(block: Block, input_size: Size) -> tuple[str, ...]:
    """Return the names of a task's inputs that are pictures of the size of the image."""
    picture = Tensor("uint8", (*input_size, 3))
    return tuple(name for name, one in block.inputs(input_size).items() if one == picture)


def blocks(*names: str) -> dict[str, Any]:
    """Return the block that each task has unless somebody says otherwise.

    Raises:
        UnknownTaskError: A name that is no task's.
    """
    return {name: table.part(name, "spec").Block() for name in table.check(names)}


@dataclass(frozen=True)
class ModelSpec:
    """The contract of one model artifact.

    Attributes:
        name: Model name, e.g. ``"default"``.
        version: Version of the weights.
        input_size: ``(height, width)`` of the network input in pixels, multiples of 32.
        tasks: What the network answers: the ``Block`` of each task by its name, in the order of the
            tables.
        color_order: Channel order of the input; only ``"bgr"`` is defined.
        shrink: How images shrink, one of ``structures.SHRINKS``.
        training_data: One line for people: what the weights saw.
        git_commit: Commit of the code that trained it; empty when unknown.
        scores: Measured scores, e.g. ``{"synthetic/mask_iou": 0.97}``.
    """

    name: str
    version: str
    input_size: Size = INPUT_SIZE
    tasks: dict[str, Any] = field(default_factory=lambda: blocks(*table.DEFAULT))
    color_order: str = "bgr"
    shrink: str = AREA_BELOW_HALF
    training_data: str = ""
    git_commit: str = ""
    scores: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a spec that no decoder could honour."""
        expect(bool(self.name and self.version), "name and version", "", "two non-empty strings")
        for key in ("name", "version"):
            text = getattr(self, key)
            expect(len(text) <= LONGEST_NAME, key, text, f"up to {LONGEST_NAME} characters")
        for key in ("training_data", "git_commit"):
            text = getattr(self, key)
            expect(len(text) <= LONGEST_LINE, key, text, f"up to {LONGEST_LINE} characters")
        height, width = self.input_size
        expect(
            all(0 < side <= LARGEST_PX and side % 32 == 0 for side in (height, width)),
            "input_size",
            self.input_size,
            f"(height, width), positive multiples of 32 up to {LARGEST_PX}",
        )
        expect(bool(self.tasks), "tasks", self.tasks, "at least one")
        table.check(self.tasks)
        # In the tables' order, whatever order JSON or a config had.
        ordered = {name: self.tasks[name] for name in table.rooms() if name in self.tasks}
        object.__setattr__(self, "tasks", ordered)
        expect(self.color_order == "bgr", "color_order", self.color_order, "'bgr'")
        expect(self.shrink in SHRINKS, "shrink", self.shrink, f"one of {', '.join(SHRINKS)}")
        for tensors in ("inputs", "outputs"):
            found = [
                name
                for block in self.tasks.values()
                for name in getattr(block, tensors)(self.input_size)
            ]
            found += [INPUT_IMAGE] if tensors == "inputs" else []
            expect(len(set(found)) == len(found), tensors, found, "a name of its own for each")

    @property
    def title(self) -> str:
        """Name and version, as messages and pictures carry them."""
        return f"{self.name} {self.version}"

    def output_tensors(self) -> dict[str, Tensor]:
        """Return what the graph gives, by name, without the batch axis."""
        return {
            name: tensor
            for block in self.tasks.values()
            for name, tensor in block.outputs(self.input_size).items()
        }

    def input_tensors(self) -> dict[str, Tensor]:
        """Return what the graph takes, by name, without the batch axis; the image first."""
        found = {INPUT_IMAGE: Tensor("uint8", (*self.input_size, 3))}
        for block in self.tasks.values():
            found |= block.inputs(self.input_size)
        return found

    def companions(self) -> tuple[str, ...]:
        """Return the names of inputs that are pictures, seen by the camera as the image is.

        They are cropped and resized along with it. What else a model takes comes as it is to be.
        """
        found = (picture_inputs(block, self.input_size) for block in self.tasks.values())
        return tuple(name for names in found for name in names)

    def of_rigs(self) -> frozenset[str]:
        """Return the names of the inputs and outputs whose batch axis counts rigs, not images."""
        size = self.input_size
        asked = [block for name, block in self.tasks.items() if table.is_rig(name)]
        return frozenset(name for b in asked for name in {**b.inputs(size), **b.outputs(size)})

    def expect_images(self, instead: str) -> None:
        """Refuse to be shown single images if a task asks for all cameras of a rig together.

        Raises:
            SpecError: It does; with what to do ``instead``.
        """
        if asked := [name for name in self.tasks if table.is_rig(name)]:
            told = f"the model {self.title} answers {', '.join(asked)}, which takes the pictures"
            raise SpecError(f"{told} of all cameras of a calibrated rig together: {instead}")

    def output_shapes(self, batch: int = 1) -> dict[str, tuple[int, ...]]:
        """Return the shape of every output tensor for a batch of ``batch`` images, of one rig."""
        rigs = self.of_rigs()
        return {
            name: (1 if name in rigs else batch, *tensor.shape)
            for name, tensor in self.output_tensors().items()
        }

    def to_json(self) -> str:
        """Serialise for the artifact's metadata."""
        head = {"format_version": FORMAT_VERSION, "written_by": VERSION}
        return json.dumps({**head, **asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ModelSpec:
        """Parse ``to_json``'s form, or that of an earlier version.

        Raises:
            SpecError: Not JSON, a later format version, a task that is not known, or keys that are
                unknown, missing or wrong.
        """
        try:
            raw = parse_json(text, "the model spec")
        except JsonError as error:
            raise SpecError(str(error)) from None
        if not isinstance(raw, dict):
            raise SpecError(f"the model spec is a {type(raw).__name__}, expected a JSON object")
        version, written_by = raw.pop("format_version", None), raw.pop("written_by", "unknown")
        if type(version) is not int or version not in (1, FORMAT_VERSION):
            raise SpecError(
                f"the model spec has format_version {shown(version)}, this code reads 1 to "
                f"{FORMAT_VERSION}: export the model again with this version of the package"
            )
        try:
            if version == 1:
                raw = _from_version_1(raw)
            found = _read_blocks(raw.pop("tasks", {}), printable(cut(str(written_by))))
            general = from_json(_General, raw, "the model spec", optional=_OPTIONAL)
        except JsonError as error:
            raise SpecError(str(error)) from None
        # Names go into logs, terminals and pictures: what steers those is written out.
        words = {key: printable(getattr(general, key)) for key in _TEXTS}
        scores = {printable(name): float(value) for name, value in general.scores.items()}
        return cls(tasks=found, **{**vars(general), **words, "scores": scores})


@dataclass(frozen=True)
class _General:
    """The general part of a spec, as ``ModelSpec`` documents it."""

    name: str
    version: str
    input_size: tuple[int, int]
    color_order: str = "bgr"
    shrink: str = AREA_BELOW_HALF
    training_data: str = ""
    git_commit: str = ""
    scores: dict[str, float] = field(default_factory=dict)


_TEXTS: Final = ("name", "version", "training_data", "git_commit")
_OPTIONAL: Final = ("color_order", "shrink", "training_data", "git_commit", "scores")


def _read_blocks(raw: Any, written_by: str) -> dict[str, Any]:
    """Read the block of each task.

    Raises:
        SpecError: A task that is not known, or a block that cannot be read.
    """
    if not isinstance(raw, Mapping):
        raise SpecError(
            f"model spec: tasks is {shown(raw)}, expected an object, a block for each task"
        )
    found, known = {}, table.rooms()
    for name, block in raw.items():
        if name not in known:
            raise SpecError(
                f"the model answers the task {shown(name)}, which this version of the package "
                f"({VERSION}) does not know, only {', '.join(known)}: use the version that "
                f"wrote it ({written_by}), or a later one"
            )
        room = table.part(name, "spec")
        where, added = f"model spec, block {name}", getattr(room, "ADDED", ())
        try:
            found[name] = from_json(room.Block, block, where, optional=added)
        except SpecError as error:
            raise SpecError(f"block {name}: {error}") from None
    return found


def _from_version_1(raw: dict[str, Any]) -> dict[str, Any]:
    """Sort the keys of version 1, all of one level, into blocks; what lacks has its default."""
    names = raw.pop("tasks", list(table.DEFAULT))
    if not isinstance(names, list) or not names or not all(isinstance(one, str) for one in names):
        raise SpecError(f"model spec: tasks is {shown(names)}, expected a list of names")
    found = {name: asdict(block) for name, block in blocks(*table.DEFAULT).items()}
    for name, block in found.items():
        for key in table.part(name, "spec").IN_VERSION_1:
            if key in raw:
                block[key] = raw.pop(key)
    return {
        "input_size": list(INPUT_SIZE),
        **raw,
        "tasks": {name: found.get(name) for name in names},
    }


def expect(condition: bool, what: str, found: object, expected: object) -> None:
    """Raise a ``SpecError`` that says what was wrong and what was expected."""
    if not condition:
        raise SpecError(f"model spec: {what} is {shown(found)}, expected {expected}")
