# SPDX-License-Identifier: Apache-2.0
"""The model artifact: one ``.onnx`` file with its ``ModelSpec``, read and checked for every engine.

What an engine gets to see has been checked here: the file is whole, it is the one that was asked
for, and its graph takes and gives what its spec promises.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import onnx
from onnx import TensorProto

from shared_encoder_perception.artifact.graph import check_graph, tensors
from shared_encoder_perception.artifact.halves import STORED_KEY, unpack
from shared_encoder_perception.files.plain_file import plain
from shared_encoder_perception.files.safe_text import printable, shown_path
from shared_encoder_perception.files.typed_json import parse_json
from shared_encoder_perception.files.whole_file import write_bytes
from shared_encoder_perception.spec import METADATA_KEY, ModelSpec, SpecError

CHECKSUM_KEY: Final = "shared_encoder_perception.sha256"
"""Key of the checksum over graph and spec in an ONNX file's ``metadata_props``. It finds damage,
not malice: who wants to be sure of the origin pins the file's own sha256."""

FP32, FP16, BF16, INT8 = "fp32", "fp16", "bf16", "int8"
"""Arithmetic that a graph is written for, and that an engine runs in."""

CHECKPOINT: Final = ".pt"
"""Suffix of what only torch can run."""

NETWORK_KEY: Final = "shared_encoder_perception.network"
"""Key of the network's configuration in an ONNX file's ``metadata_props``. The scale at which the
encoder sees leaves no trace in the weights: whoever guesses it gets other answers unnoticed."""

_HALVES: Final = {TensorProto.FLOAT16: FP16, TensorProto.BFLOAT16: BF16}


class ArtifactError(ValueError):
    """A model file that cannot be used; the message says what to do."""


@dataclass(frozen=True, eq=False)
class Artifact:
    """A model file that was read whole and found right.

    Attributes:
        source: Where it came from, as the user named it.
        content: The file, its weights as they are computed with (``halves``).
        sha256: Of the file, lower-case hexadecimal.
        spec: What it promises.
        precision: Arithmetic that its graph is written for: ``int8`` when it was quantised,
            ``fp16`` or ``bf16`` when its weights are half floats, otherwise ``fp32``.
    """

    source: str
    content: bytes
    sha256: str
    spec: ModelSpec
    precision: str


def read_artifact(path: Path, sha256: str = "", source: str = "") -> Artifact:
    """Read a model file.

    Args:
        path: The ``.onnx`` file.
        sha256: What the file must have; empty for any.
        source: What to call it in messages; its path by default.

    Raises:
        ArtifactError: Missing, unreadable, cut off, damaged or another file than was asked for.
        SpecError: No spec, or a graph that does not keep its promise.
    """
    source = source or shown_path(path)
    content = read_file(path)
    found = check_sha256(content, sha256, source)
    model = parse(content, source)
    spec = check_whole(model, source)
    check_graph(model.graph, spec, source)
    if unpack(model):
        content = model.SerializeToString()
    return Artifact(source, content, found, spec, _precision(model.graph))


def check_whole(model: onnx.ModelProto, source: str) -> ModelSpec:
    """Return the spec of a model of which nothing is missing.

    Raises:
        ArtifactError: It is damaged.
        SpecError: There is no spec, which stands at the end of the file, or a wrong one.
    """
    spec = read_spec(model, source)
    _check_checksum(model, source)
    return spec


def read_file(path: Path) -> bytes:
    """Read a model file whole.

    Raises:
        ArtifactError: Missing, unreadable or empty.
    """
    content, reason, name = b"", "", shown_path(path)
    try:
        content = plain(path).read_bytes()
    except (OSError, ValueError) as error:  # the latter for a name with a NUL
        reason = str(getattr(error, "strerror", None) or error)
    if reason:  # not above: the error would repeat a URL that was taken for a path
        raise ArtifactError(
            f"cannot read the model {name}: {reason}; "
            "give the path of an .onnx file written by this package's export"
        )
    if not content:
        raise ArtifactError(f"the model {name} is empty (0 bytes): copy or export it again")
    return content


def check_sha256(content: bytes, expected: str, source: str) -> str:
    """Return the sha256 of ``content``.

    Raises:
        ArtifactError: It is not the one that was asked for.
    """
    found = hashlib.sha256(content).hexdigest()
    if expected and found != expected.strip().lower():
        raise ArtifactError(
            f"{source} has the sha256 {found}, expected {printable(expected)}: it is damaged or "
            "another model; fetch it again, or correct the pinned sha256"
        )
    return found


def parse(content: bytes, source: str) -> onnx.ModelProto:
    """Parse an ONNX file.

    Raises:
        ArtifactError: It is none, or its weights are in other files.
    """
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's own types differ by its version
        raise ArtifactError(
            f"{source} is not an ONNX model, or cut off ({type(error).__name__}): copy or export "
            "it again"
        ) from None
    bodies = [model.graph, *model.functions]
    if any(tensor.data_location == TensorProto.EXTERNAL for tensor in tensors(bodies)):
        raise ArtifactError(
            f"{source} keeps weights in other files: save it as one file "
            "(onnx.save with save_as_external_data=False)"
        )
    return model


def read_model(path: Path) -> onnx.ModelProto:
    """Read a model file without asking what it promises.

    Raises:
        ArtifactError: As ``read_file`` and ``parse``.
    """
    model = parse(read_file(path), str(path))
    unpack(model)
    return model


def metadata(model: onnx.ModelProto) -> dict[str, str]:
    """Return a model's ``metadata_props``."""
    return {entry.key: entry.value for entry in model.metadata_props}


def read_spec(model: onnx.ModelProto, source: str) -> ModelSpec:
    """Return the spec in a model's metadata.

    Raises:
        SpecError: There is none, or a wrong one.
    """
    text = metadata(model).get(METADATA_KEY)
    if text is None:
        raise SpecError(
            f"{source} carries no model spec (metadata key {METADATA_KEY!r}): "
            "export it with `python -m shared_encoder_perception export`"
        )
    try:
        return ModelSpec.from_json(text)
    except SpecError as error:
        raise SpecError(f"{source}: {error}") from None


def write_artifact(
    model: onnx.ModelProto, spec: ModelSpec, path: Path, extra: Mapping[str, str] | None = None
) -> None:
    """Give a model its spec and checksum and write it; it appears only when it is complete.

    Args:
        model: Changed in place. Of its metadata only what ``extra`` holds is kept.
        spec: What it promises.
        path: File to write; replaced if it exists.
        extra: More metadata.

    Raises:
        onnx.checker.ValidationError: The model is not valid ONNX.
    """
    text = spec.to_json()
    checksum = _checksum(model.graph, text)
    properties = {**(extra or {}), METADATA_KEY: text, CHECKSUM_KEY: checksum}
    onnx.helper.set_model_props(model, properties)
    onnx.checker.check_model(model, full_check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, model.SerializeToString())


def _checksum(graph: onnx.GraphProto, spec: str) -> str:
    """Sha256 over graph and spec."""
    return hashlib.sha256(graph.SerializeToString(deterministic=True) + spec.encode()).hexdigest()


def _check_checksum(model: onnx.ModelProto, source: str) -> None:
    """Refuse a model that is not what was written; those before 0.4.0 carry no checksum."""
    properties = metadata(model)
    expected = properties.get(CHECKSUM_KEY)
    if expected not in (None, _checksum(model.graph, properties[METADATA_KEY])):
        raise ArtifactError(
            f"{source} is damaged: graph and spec do not have the checksum that they were written "
            "with; copy or export it again"
        )


def _precision(graph: onnx.GraphProto) -> str:
    """Say what arithmetic a graph is written for."""
    if any(node.op_type == "QuantizeLinear" for node in graph.node):
        return INT8
    for item in graph.initializer:
        if item.data_type in _HALVES and len(item.dims) == 4:
            return _HALVES[item.data_type]
    return FP32


def network_config(model: onnx.ModelProto) -> dict[str, Any] | None:
    """Return what the network of a model was built from, where the model says it.

    Raises:
        ValueError: The entry is no JSON object.
    """
    text = metadata(model).get(NETWORK_KEY)
    return None if text is None else dict(parse_json(text, "the network's configuration"))


def kept_metadata(model: onnx.ModelProto) -> dict[str, str]:
    """Return what stays true of a model when it gets another spec."""
    return {key: text for key, text in metadata(model).items() if key in (NETWORK_KEY, STORED_KEY)}
