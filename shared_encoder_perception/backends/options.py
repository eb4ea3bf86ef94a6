"""Command-line options of every command that runs a model."""

from __future__ import annotations

import argparse
from pathlib import Path

from shared_encoder_perception.backends import (
    AUTO,
    BACKENDS,
    DEFAULT_MODEL,
    PRECISIONS,
    Backend,
    BackendOptions,
    load_backend,
)

Choice = tuple[str, str]
"""Engine and precision."""


def add_engine_options(parser: argparse.ArgumentParser, backend: str = AUTO) -> None:
    """Declare the options; ``backend`` is the engine unless the user names one."""
    parser.add_argument(
        "--model",
        default=str(DEFAULT_MODEL),
        help=".onnx artifact, or .pt for torch: a path, or s3://, gs://, https://",
    )
    parser.add_argument("--sha256", default="", help="what the model file must have")
    parser.add_argument("--backend", choices=[AUTO, *BACKENDS], default=backend)
    parser.add_argument("--device", default=AUTO, help="auto, cpu, cuda, cuda:N or tensorrt")
    parser.add_argument("--precision", choices=PRECISIONS, default=AUTO)
    parser.add_argument("--threads", type=int, default=0, help="0 = as many as there are")
    parser.add_argument("--cache", type=Path, help="folder of engines that are built once")
    parser.add_argument(
        "--allow-fallback", action="store_true", help="run otherwise if not as asked, and say so"
    )


def load_engine(args: argparse.Namespace) -> Backend:
    """Load the model that the options name; say on which engine, where that was left to us.

    Raises:
        BackendError, ArtifactError, SpecError: As ``load_backend``.
    """
    options = BackendOptions(
        device=args.device,
        precision=args.precision,
        threads=args.threads,
        cache=args.cache,
        allow_fallback=args.allow_fallback,
    )
    backend = load_backend(args.model, args.backend, options, args.sha256)
    info = backend.info
    for note in filter(None, (info.reason, info.fallback)):
        print(f"engine: {info.name} {info.version}, {info.device}, {info.precision} ({note})")
    return backend


def engine_conditions(backend: Backend) -> dict[str, str]:
    """Say what runs, in words that are the same on every machine."""
    spec, info = backend.spec, backend.info
    return {
        "model": f"{spec.name} {spec.version}",
        "model sha256": info.sha256,
        "engine": f"{info.name} {info.version}, {info.device}, {info.precision}",
    }


def parse_engine(text: str) -> Choice:
    """Read ``engine`` or ``engine:precision``.

    Raises:
        ValueError: There is no such engine or precision.
    """
    engine, _, precision = text.partition(":")
    if engine not in BACKENDS or (precision or AUTO) not in PRECISIONS:
        raise ValueError(
            f"engine {text!r}: expected one of {', '.join(BACKENDS)}, alone or with one of "
            f"{', '.join(PRECISIONS)}, as in openvino:bf16"
        )
    return engine, precision or AUTO
