"""From the node's parameters to a warmed-up predictor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared_encoder_perception.backends import DEFAULT_MODEL, Backend, BackendInfo, BackendOptions
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.spec import ModelSpec, SpecError
from shared_encoder_perception.tasks import DEFAULT as TASKS

LoadBackend = Callable[[str, str, BackendOptions, str], Backend]


def load_predictor(value: Callable[[str], Any], load: LoadBackend) -> Predictor:
    """Load and warm up the model that the parameters name.

    Args:
        value: Returns a parameter's value by its name in ``parameters``.
        load: How to load a backend; see ``backends.load_backend``.

    Raises:
        BackendError, ArtifactError, StoreError: It cannot be loaded as asked.
        SpecError: A model without a valid spec, or one that does not answer every task.
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
    missing = [task for task in TASKS if task not in backend.spec.tasks]
    if missing:
        source = backend.info.source
        backend.close()
        raise SpecError(
            f"the model {source} does not answer {' and '.join(missing)}, only "
            f"{' and '.join(backend.spec.tasks)}: this node needs one that answers "
            f"{' and '.join(TASKS)}"
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
