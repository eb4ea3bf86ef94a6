# SPDX-License-Identifier: Apache-2.0
"""What a worker process of the cluster does: one bag after the other with one predictor."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import cv2

from shared_encoder_perception.backends.options import load_engine
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.replay.scale_bags import Job, Outcome, attempt
from shared_encoder_perception.structures import Size

ENGINE: Final = (
    *("model", "sha256", "backend", "device", "precision", "threads", "cache"),
    "allow_fallback",
)
"""Options that a predictor depends on."""
ReplayBag = Callable[[Predictor, Path, Path, argparse.Namespace], int]
"""As ``run.replay_bag``."""


def replay_one(job: Job, replay: ReplayBag, args: argparse.Namespace) -> Outcome:
    """Replay a bag (in a worker)."""

    def here(bag: Path, out: Path, args: argparse.Namespace) -> int:
        return replay(_predictor(*(getattr(args, name) for name in ENGINE)), bag, out, args)

    outcome = attempt(job, here, args)
    if outcome.error:
        _predictor.cache_clear()  # an engine that failed may go on failing
    return outcome


def input_size(args: argparse.Namespace) -> Size | str:
    """Return the size that the model takes, or why it cannot be used (in a worker)."""
    try:
        predictor = _predictor(*(getattr(args, name) for name in ENGINE))
    except (ValueError, OSError, RuntimeError) as error:
        return str(error)
    return predictor.spec.input_size


@lru_cache(maxsize=1)
def _predictor(*engine: Any) -> Predictor:
    """Return the predictor of this worker process, which has one bag after the other."""
    args = argparse.Namespace(**dict(zip(ENGINE, engine, strict=True)))
    cv2.setNumThreads(args.threads)
    predictor = Predictor(load_engine(args))
    predictor.warm_up()
    return predictor
