# SPDX-License-Identifier: Apache-2.0
"""Command-line options of every command that runs a model."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from shared_encoder_perception.backends import (
    AUTO,
    BACKENDS,
    DEFAULT_MODEL,
    PRECISIONS,
    Backend,
    BackendOptions,
    load_backend,
)
from shared_encoder_perception.images.variants import (
    FORMS,
    LEAST,
    MOST,
    Variant,
    named,
    parse_variants,
)

TTA: Final = "tta"
"""Name of the condition that tells of test-time augmentation."""
Choice = tuple[str, str]
"""Engine and precision."""


def add_engine_options(parser: argparse.ArgumentParser, backend: str = AUTO) -> None:
    """Declare the options; ``backend`` is the engine unless the user names one."""
    parser.add_argument(
        "--model",
        default=str(DEFAULT_MODEL),
        help=".onnx artifact, or .pt for torch: a path, shipped:NAME, or s3://, gs://, https://",
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


def add_tta_option(parser: argparse.ArgumentParser) -> None:
    """Declare test-time augmentation: ``tta``, the variants; empty where it is not asked for."""
    parser.add_argument(
        "--tta",
        type=_parse_tta,
        default=(),
        metavar="LIST",
        help="perceive several pictures of each image and average what the network says: "
        f"{', '.join(FORMS)} with FACTOR from {LEAST} to {MOST}, e.g. flip,scale:0.75,scale:1.25",
    )


def _parse_tta(text: str) -> tuple[Variant, ...]:
    """Read the list, and say what is wrong with it."""
    try:
        return parse_variants(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def load_engine(args: argparse.Namespace, max_batch: int = 1) -> Backend:
    """Load the model that the options name; say on which engine, where that was left to us.

    Args:
        args: With what ``add_engine_options`` declares.
        max_batch: Most images of one inference, as of ``BackendOptions``.

    Raises:
        BackendError, ArtifactError, SpecError: As ``load_backend``.
    """
    options = BackendOptions(
        device=args.device,
        precision=args.precision,
        threads=args.threads,
        cache=args.cache,
        allow_fallback=args.allow_fallback,
        max_batch=max_batch,
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


def tta_conditions(variants: Sequence[Variant]) -> dict[str, str]:
    """Say which pictures of an image were perceived; nothing without test-time augmentation."""
    pictures = "picture" if len(variants) == 1 else "pictures"
    told = f"{named(variants)}: {len(variants)} {pictures} of each image"
    return {TTA: told} if variants else {}


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
