# SPDX-License-Identifier: Apache-2.0
"""Which combinations of model, engine, precision and threads are measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from shared_encoder_perception.artifact.file import (
    BF16,
    CHECKPOINT,
    FP32,
    INT8,
    ArtifactError,
    read_artifact,
)
from shared_encoder_perception.artifact.remote import StoreError
from shared_encoder_perception.artifact.store import fetch
from shared_encoder_perception.backends import AUTO, BACKENDS
from shared_encoder_perception.backends.hardware import cores, gpus
from shared_encoder_perception.backends.options import Choice, parse_engine
from shared_encoder_perception.benchmark.moments import rig_of
from shared_encoder_perception.benchmark.peers import read_peer
from shared_encoder_perception.benchmark.plain_graph import ENGINES
from shared_encoder_perception.spec import SpecError
from shared_encoder_perception.structures import Size

FALLBACK: Final[Choice] = ("onnxruntime", AUTO)
"""What peers run on when no chosen engine takes any graph."""


@dataclass(frozen=True)
class Combination:
    """One thing to measure.

    Attributes:
        name: What to call the model in tables.
        model: Path of the model.
        engine: Key of ``BACKENDS``.
        precision: As asked for, a value of ``PRECISIONS``.
        threads: Of one inference.
        device: As asked for.
        peer: Whether it is somebody else's network: only its inference is measured.
        size: ``(height, width)`` of a peer's image input that leaves them free.
        rig: As ``moments.rig_of`` reads it, of what is asked of moments; empty for single images.
        batch: Images of one inference: the cameras of the rig.
    """

    name: str
    model: str
    engine: str
    precision: str
    threads: int
    device: str = AUTO
    peer: bool = False
    size: Size | None = None
    rig: str = ""
    batch: int = 1

    @property
    def label(self) -> str:
        """Return all of it in a few words."""
        precision = "" if self.precision == AUTO else f":{self.precision}"
        return f"{self.name} {self.engine}{precision} x{self.threads}"


def parse_size(text: str) -> Size:
    """Read ``HEIGHTxWIDTH`` in pixels.

    Raises:
        ValueError: It is something else.
    """
    height, _, width = text.partition("x")
    if not (height.isdigit() and width.isdigit() and int(height) and int(width)):
        raise ValueError(f"size {text!r}: expected HEIGHTxWIDTH in pixels, as in 320x800")
    return int(height), int(width)


def installed_engines(model: str) -> list[Choice]:
    """Return the engines of this machine that a model is worth measuring on.

    OpenVINO runs an fp32 model both in fp32 and in bf16.
    """
    if Path(model).suffix == CHECKPOINT:
        return [("torch", AUTO)]
    try:
        written = read_artifact(fetch(model)).precision
    except (ArtifactError, SpecError, StoreError):  # each engine says what is wrong with it
        written = ""
    choices: list[Choice] = []
    for name, engine in BACKENDS.items():
        if find_spec(engine.requires) is None or (name == "tensorrt" and not gpus()):
            continue
        twice = name == "openvino" and written == FP32
        choices += [(name, precision) for precision in ((FP32, BF16) if twice else (AUTO,))]
    return choices


def combine(
    models: Sequence[str],
    engines: Sequence[str],
    threads: Sequence[int],
    device: str = AUTO,
    peers: Sequence[str] = (),
    peer_size: str = "",
    rig: str = "",
) -> list[Combination]:
    """Combine everything with everything.

    Args:
        models: Paths.
        engines: As ``parse_engine`` reads them; empty for those that are installed.
        threads: 0 = as many as this process may use.
        device: As ``BackendOptions.device``.
        peers: Paths of other people's networks, which run on the chosen ones of
            ``plain_graph.ENGINES``.
        peer_size: As ``parse_size`` reads it; empty for 1x1.
        rig: Asks the models of moments of these cameras, see ``moments.rig_of``.

    Raises:
        ValueError: An engine, a size or a number of threads that does not exist, or no rig.
    """
    if any(number < 0 for number in threads):
        raise ValueError(f"threads are {list(threads)}, expected 0 (all) or more")
    counts = list(dict.fromkeys(number or cores() for number in threads))
    asked = [parse_engine(text) for text in engines]
    size = parse_size(peer_size) if peer_size else None
    batch = len(rig_of(rig).cameras) if rig else 1
    names = _names([*models, *peers])
    found = [
        Combination(names[model], model, engine, precision, number, device, rig=rig, batch=batch)
        for model in models
        for engine, precision in asked or installed_engines(model)
        for number in counts
    ]
    chosen = [(item.engine, item.precision) for item in found if item.engine in ENGINES]
    found += [
        Combination(names[peer], peer, engine, precision, number, device, True, size)
        for peer in peers
        for engine, precision in _for_peer(peer, chosen or [FALLBACK])
        for number in counts
    ]
    return list(dict.fromkeys(found))


def _for_peer(peer: str, chosen: Sequence[Choice]) -> list[Choice]:
    """Return the choices for a peer; a quantised one runs as it is written on any engine."""
    try:
        quantised = read_peer(Path(peer)).precision == INT8
    except ArtifactError:  # loading it says the same
        quantised = False
    return list(dict.fromkeys((engine, AUTO) if quantised else (engine, p) for engine, p in chosen))


def _names(paths: Sequence[str]) -> dict[str, str]:
    """Return short names: the file's, with its folder's where two are alike."""
    times = Counter(Path(path).name for path in dict.fromkeys(paths))
    return {
        path: Path(path).name
        if times[Path(path).name] == 1
        else f"{Path(path).parent.name}/{Path(path).name}"
        for path in paths
    }
