# SPDX-License-Identifier: Apache-2.0
"""The trained network as a model file, as the one before is made, and the card beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.adapt.gate import Verdict
from shared_encoder_perception.adapt.learn import Start
from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.files.own_files import scratch_folder
from shared_encoder_perception.files.safe_text import printable
from shared_encoder_perception.files.whole_file import replacing, write_text
from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.labels import native
from shared_encoder_perception.model.network import PerceptionNetwork
from shared_encoder_perception.model.onnx_export import export_onnx
from shared_encoder_perception.spec import LONGEST_LINE, LONGEST_NAME, ModelSpec
from shared_encoder_perception.training.agreement import compare
from shared_encoder_perception.training.export import store_halves
from shared_encoder_perception.training.origin import commit

COMPARED: Final = 6
"""Pictures of each drive on which the file is held against torch."""
ADAPTED: Final = "+adapted"


def export(
    network: PerceptionNetwork, start: Start, pictures: Sequence[Path], data: str, path: Path
) -> None:
    """Write the network as a model file.

    Calibration, thresholds and priors are those of the model before, and so is whether weights are
    kept as half floats.

    Args:
        network: In inference mode.
        start: The model before.
        pictures: Native sets, on some of whose pictures the file is held against torch.
        data: What it learned from, one line for people.
        path: Of the file; one that is there is replaced.

    Raises:
        RuntimeError: The file does not answer as torch does.
    """
    spec = spec_of(start.spec, data)
    path.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder(path.parent) as folder:
        part = Path(folder) / path.name
        export_onnx(network, spec, part)
        deviation = compare(network, load_backend(part), _inputs(pictures, spec))
        if not deviation.small:
            raise RuntimeError(f"the exported model does not answer as torch does: {deviation}")
        if start.halves:
            store_halves(part)
        os.replace(part, path)


def spec_of(spec: ModelSpec, data: str) -> ModelSpec:
    """Return the spec of a model that has learned on; scores of the one before are not its own."""
    version = spec.version.removesuffix(ADAPTED)[: LONGEST_NAME - len(ADAPTED)] + ADAPTED
    told = f"{spec.training_data}; adapted to {data}" if spec.training_data else data
    return replace(
        spec,
        version=version,
        training_data=told[:LONGEST_LINE],
        git_commit=commit(),
        scores={},
    )


def _inputs(sets: Sequence[Path], spec: ModelSpec) -> Iterator[NDArray[np.uint8]]:
    """Yield network inputs."""
    for path in sets:
        for frame in islice(native.read(path), COMPARED):
            image = frame.read_image()
            size = (image.shape[0], image.shape[1])
            transform = ImageTransform.fit(size, spec.input_size, frame.crop, shrink=spec.shrink)
            yield transform.image_to_input(image)


def publish(candidate: Path, out: Path, card: str) -> Path:
    """Copy a model that passed the gate to its place, the card beside it first; return the card."""
    out.parent.mkdir(parents=True, exist_ok=True)
    text = out.with_suffix(".md")
    write_text(text, card)
    with replacing(out) as part:
        part.write_bytes(candidate.read_bytes())
    return text


def card_of(
    name: str,
    drives: Sequence[Mapping[str, Any]],
    verdict: Verdict,
    conditions: Mapping[str, Any],
) -> str:
    """Return the card of a model that learned from drives, as Markdown.

    Args:
        name: Of the file.
        drives: ``Labelled.to_json`` of each.
        verdict: Of the gate.
        conditions: Model before, memory, steps, seed and the like.
    """
    lines = [
        f"# {printable(name)}",
        "",
        "Learned from where a vehicle drove: ground that it drove over is drivable in the pictures "
        "taken before. What is beside that ground was not labelled. The encoder and all "
        "normalisations are those of the model before, and so are thresholds and calibration, "
        "which nobody has fitted to what was learned.",
        "",
        "## From what",
        "",
        "| drive | driven | trained on | judged by | path | hidden ground |",
        "|---|---|---|---|---|---|",
    ]
    for one in drives:
        train, held = (
            "{} pictures over {:.0f} m".format(one["images"][part], one["metres"][part])
            for part in ("train", "held_out")
        )
        cells = (one["bag"], f"{one['driven_m']:.0f} m", train, held, one["path_of"], one["rule"])
        lines.append(f"| {' | '.join(_cell(cell) for cell in cells)} |")
    lines += ["", "## How", "", "| | |", "|---|---|"]
    lines += [f"| {_cell(key)} | {_cell(value)} |" for key, value in conditions.items()]
    lines += ["", "## Before and after", "", "| | before | after |", "|---|---|---|"]
    lines += [f"| {_cell(what)} | {was:.4f} | {now:.4f} |" for what, was, now in rows(verdict)]
    gain = verdict.gain
    if gain.known:
        lines += ["", f"95 % interval of the drive's rise: {gain.low:+.4f} to {gain.high:+.4f}."]
    return "\n".join(lines) + "\n"


def rows(verdict: Verdict) -> list[tuple[str, float, float]]:
    """Return what was measured: in words, before and after."""
    found = [
        (f"guard {path}: {key}", was, now)
        for path, scores in verdict.guard.items()
        for key, (was, now) in scores.items()
    ]
    found.append(("held-out ground driven over that is said to be drivable", *verdict.ground))
    found.append(("far above the horizon that is said to be drivable", *verdict.sky))
    return found


def _cell(value: Any) -> str:
    """Return a cell of a table."""
    return printable(str(value)).replace("|", "\\|")
