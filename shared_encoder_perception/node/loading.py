"""From the node's parameters to a warmed-up predictor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared_encoder_perception.backends import DEFAULT_MODEL, Backend, BackendInfo, BackendOptions
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.spec import INPUT_IMAGE, ModelSpec, SpecError

LoadBackend = Callable[[str, str, BackendOptions, str], Backend]


def load_predictor(value: Callable[[str], Any], load: LoadBackend) -> Predictor:
    """Load and warm up the model that the parameters name.

    Args:
        value: Returns a parameter's value by its name in ``parameters``.
        load: How to load a backend; see ``backends.load_backend``.

    Raises:
        BackendError, ArtifactError, StoreError: It cannot be loaded as asked.
        SpecError: A model without a valid spec, or one that takes more than the image.
    """
    cache = value("backend.cache")
    options = BackendOptions(
        device=value("backend.device"),
        precision=value("backend.precision"),
        threads=value("backend.threads"),
        cache=Path(cache).expanduser() if cache else None,
        allow_fallback=value("backend.allow_fallback"),
        compile=value("backend.compile"),
    )
    model = value("model.path") or str(DEFAULT_MODEL)
    backend = load(model, value("backend.name"), options, value("model.sha256"))
    if extras := [name for name in backend.spec.input_tensors() if name != INPUT_IMAGE]:
        source = backend.info.source
        backend.close()
        raise SpecError(
            f"the model {source} takes {', '.join(extras)} beside the image, which this node "
            "cannot give: use Predictor with `extras`, or a model of images alone"
        )
    predictor = Predictor(backend)
    predictor.warm_up()
    return predictor


def describe(spec: ModelSpec, info: BackendInfo) -> str:
    """Say in one line which model runs on what, and why."""
    why = f" ({info.reason})" if info.reason else ""
    return (
        f"model {spec.name} {spec.version} ({info.sha256[:12]}) on {info.name} {info.version}, "
        f"{info.device}, {info.precision}{why}"
    )
