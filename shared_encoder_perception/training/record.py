# SPDX-License-Identifier: Apache-2.0
"""The folder of a run: what was asked, on what, with what code, and what came of it.

config.yaml     the whole config
run.json        one entry for each start: commit, versions, command, data sets with their hashes
metrics.jsonl   one line for each logged step and each validation; TensorBoard is only the view
panels/         a sheet of validation pictures for each validation
stageN/         checkpoints to resume from; stageN.pt, stageN_best.pt: the network after the stage
network.pt      the best network of the last stage
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping
from datetime import datetime, timezone
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import lightning
import numpy as np
from lightning.pytorch.callbacks import Callback

from shared_encoder_perception.drawing.pictures import write_picture
from shared_encoder_perception.files.typed_json import parse_json
from shared_encoder_perception.model.checkpoint import save_network
from shared_encoder_perception.training.config import ConfigError, save_config
from shared_encoder_perception.training.module import StageTraining
from shared_encoder_perception.training.origin import CONFIG, STARTS, commit
from shared_encoder_perception.training.sets import pictures_of
from shared_encoder_perception.training.structured import differences

PANELS: Final = "panels"
"""Folder of the pictures of each validation."""
METRICS: Final = "metrics.jsonl"
COME_OF: Final = (METRICS, "network.pt", "stage*.pt", "stage*/*.ckpt", "matrix.json", "task*/*")
"""What there is in a folder once something was learned, by a run or by a sequence of tasks."""
LOG_EVERY: Final = 10
"""Steps between rows of losses."""
SAID: Final = 6
"""Differences of two configs that a message tells."""
LIBRARIES: Final = ("torch", "timm", "lightning", "torchvision", "kornia", "numpy")


def open_folder(config: Any) -> Path:
    """Make the folder of a run, or check that the run in it is this one.

    A run of which nothing came yet, since its data could not be read, is forgotten.

    Args:
        config: A ``TrainConfig``, or any that ``save_config`` takes, with ``out``.

    Raises:
        ConfigError: Another config has been trained there.
    """
    out = Path(config.out)
    out.mkdir(parents=True, exist_ok=True)
    new, old = out / f"{CONFIG}.new", out / CONFIG
    save_config(config, new)
    if not any(found for pattern in COME_OF for found in out.glob(pattern)):
        (out / STARTS).unlink(missing_ok=True)  # what those starts read, nobody was trained on
    elif old.exists() and (changed := differences(old, new)):
        new.unlink()
        more = f"; and {len(changed) - SAID} more" if len(changed) > SAID else ""
        raise ConfigError(
            f"{out} holds a run with another config ({'; '.join(changed[:SAID])}{more}): "
            "choose another folder with out=, or remove it"
        )
    os.replace(new, old)
    return out


def check_data(out: Path) -> None:
    """Refuse to go on with a run, or to take it as done, when its data have changed since.

    Raises:
        ConfigError: They have; the message says which.
    """
    path = out / STARTS
    starts = parse_json(path.read_bytes(), str(path)) if path.exists() else []
    try:
        sets = [item for start in starts for of_kind in start["data"].values() for item in of_kind]
        told = {
            (str(item["path"]), item["sha256"], item.get("pictures"))
            for item in sets
            if "sha256" in item
        }
    except (LookupError, TypeError, AttributeError):
        raise ConfigError(
            f"{path} is not as a run writes it: choose another folder with out=, or remove it"
        ) from None
    for name, before, pictures in told:
        labels = Path(name)
        if not labels.is_file():
            continue
        changed = "" if sha256(labels.read_bytes()).hexdigest() == before else str(labels)
        if not changed and pictures is not None and pictures_of(labels) != pictures:
            changed = f"a picture of {labels}"
        if changed:
            raise ConfigError(
                f"{changed} is not what it was when the run in {out} began: choose another folder "
                "with out=, or remove it"
            )


def record_start(out: Path, stage: int, data: Mapping[str, Any]) -> None:
    """Add an entry to run.json."""
    path = out / STARTS
    starts = parse_json(path.read_bytes(), str(path)) if path.exists() else []
    starts.append(
        {
            "time": _now(),
            "stage": stage,
            "commit": commit(),
            "command": sys.argv,
            "python": platform.python_version(),
            "libraries": {name: version(name) for name in LIBRARIES},
            "data": data,
        }
    )
    path.write_text(json.dumps(starts, indent=2) + "\n")


def read_metrics(out: Path, kind: str, stage: int | None = None) -> list[dict[str, Any]]:
    """Return the rows of ``metrics.jsonl`` of one kind (``train`` or ``val``)."""
    path = out / METRICS
    if not path.exists():
        return []
    lines = path.read_text().splitlines()
    rows = [parse_json(line, f"{path}, line {at},") for at, line in enumerate(lines, start=1)]
    return [row for row in rows if row["kind"] == kind and stage in (None, row["stage"])]


class Recorder(Callback):
    """Writes metrics, pictures and the best network of a stage.

    It must stand before the callback that averages weights: the weights that were validated are
    in place only until that one's turn.
    """

    def __init__(self, out: Path, stage: int) -> None:
        """Record stage number ``stage`` in ``out``."""
        self._out, self._stage = out, stage
        self._written: set[tuple[str, int]] = set()
        self._clock: tuple[int, float] | None = None
        self.validated_at = -1

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Drop rows of steps that an interruption undid."""
        if not trainer.is_global_zero:
            return
        rows = [row for kind in ("train", "val") for row in read_metrics(self._out, kind)]
        kept = [r for r in rows if (r["stage"], r["step"]) <= (self._stage, trainer.global_step)]
        kept.sort(key=lambda row: (row["stage"], row["step"], row["kind"]))
        if len(kept) < len(rows):
            text = "".join(json.dumps(row) + "\n" for row in kept)
            (self._out / METRICS).write_text(text)
        self._written = {(r["kind"], r["step"]) for r in kept if r["stage"] == self._stage}

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Write the losses now and then."""
        step = trainer.global_step
        if step % LOG_EVERY and step != trainer.max_steps:
            return
        row = {
            name: round(float(value), 6)
            for name, value in trainer.callback_metrics.items()
            if name.startswith(("train/", "weight/"))
        }
        row["learning_rate"] = trainer.optimizers[0].param_groups[0]["lr"]
        if self._clock is not None:
            steps, seconds = step - self._clock[0], perf_counter() - self._clock[1]
            row["steps_per_s"] = round(steps / seconds, 3)
        self._clock = (step, perf_counter())
        self._write(trainer, "train", step, row)

    def on_validation_epoch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        """Write scores and pictures; keep the network if it is the best."""
        assert isinstance(module, StageTraining)
        sources = module.finish_validation()
        summary, step = module.summary, trainer.global_step
        self.validated_at, self._clock = step, None
        finite = {f"val/{name}": value for name, value in summary.items() if np.isfinite(value)}
        module.log_dict(finite, rank_zero_only=False, sync_dist=False)
        if not trainer.is_global_zero:
            return
        before = [row["score"] or -1.0 for row in read_metrics(self._out, "val", self._stage)]
        if not before or summary["score"] >= max(before):
            save_network(module.network, self._out / f"stage{self._stage}_best.pt")
        rounded = {name: round(value, 6) for name, value in summary.items()}
        self._write(trainer, "val", step, rounded | {"sources": sources})
        write_picture(self._out / PANELS / f"stage{self._stage}_{step:06d}.jpg", module.picture())

    def _write(self, trainer: lightning.Trainer, kind: str, step: int, row: dict) -> None:
        """Add a row, once."""
        if trainer.is_global_zero and (kind, step) not in self._written:
            self._written.add((kind, step))
            head = {"time": _now(), "kind": kind, "stage": self._stage, "step": step}
            with (self._out / METRICS).open("a") as file:
                file.write(json.dumps(_without_nan(head | row), allow_nan=False) + "\n")


def _without_nan(value: Any) -> Any:
    """JSON has no NaN: ``None`` stands for what could not be counted."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _now() -> str:
    """UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
