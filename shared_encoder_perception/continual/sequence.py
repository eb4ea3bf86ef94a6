# SPDX-License-Identifier: Apache-2.0
"""The loop over a sequence's tasks: train, remember, test everything; exact when interrupted.

config.yaml         the whole config
run.json            one entry for each start, as of `train`
metrics.jsonl       one line for each logged step, by the number of the task
stage<i>/           checkpoints within a task, to resume from
task<i>/            network.pt and state.pt: what later tasks begin with, and what is remembered
matrix.json         what each test scored after each task, and what that cost; see `matrix`
pictures/TEST/      the same frames after each task
tensorboard/        a folder for each task, and `sequence` for the curves of the tests
network.pt          the network after the last task
"""

from __future__ import annotations

import resource
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import cv2
import lightning
import torch
from lightning.pytorch.loggers import TensorBoardLogger

from shared_encoder_perception import tasks as table
from shared_encoder_perception.backends.hardware import cores, cpu_name
from shared_encoder_perception.continual.apart import check_apart
from shared_encoder_perception.continual.config import ContinualConfig, training_of
from shared_encoder_perception.continual.data import TaskSets, digest
from shared_encoder_perception.continual.matrix import (
    MATRIX,
    Matrix,
    read_matrix,
    rows_by_score,
    write_matrix,
)
from shared_encoder_perception.continual.meanings import check_meanings
from shared_encoder_perception.continual.memory.memory import Memory, remembered_bytes
from shared_encoder_perception.continual.memory.mixture import MemoryMixture
from shared_encoder_perception.continual.strategies import make_strategies
from shared_encoder_perception.continual.strategies.contract import Learned
from shared_encoder_perception.continual.supervision.supervision import make_supervision
from shared_encoder_perception.continual.task_training import TaskTraining, images_per_second
from shared_encoder_perception.continual.testing import PICTURES, Tests
from shared_encoder_perception.files.data_paths import refuse_links_out
from shared_encoder_perception.files.whole_file import making_folder, sole_writer
from shared_encoder_perception.model.checkpoint import load_network, load_numbers, save_network
from shared_encoder_perception.model.network import PerceptionNetwork, promised
from shared_encoder_perception.training.data import TrainStream, loader
from shared_encoder_perception.training.losses import Batch, Criterion
from shared_encoder_perception.training.origin import commit
from shared_encoder_perception.training.precision import avoid_crashes
from shared_encoder_perception.training.record import check_data, open_folder
from shared_encoder_perception.training.train import first_network, train_stage

NETWORK: Final = "network.pt"
STATE: Final = "state.pt"
UNTRAINED: Final = "0_untrained"
"""Name of the pictures before the first task."""


def learn(config: ContinualConfig) -> Path:
    """Learn the tasks in their order; finished ones are not learned again.

    Returns:
        The folder of the run.

    Raises:
        ConfigError: The folder holds another run.
        ValueError: A set, a checkpoint or what is remembered cannot be used.
    """
    cv2.setNumThreads(1)  # as `train`: loading processes do not survive OpenCV's threads
    avoid_crashes(config.train.network.encoder)
    out = Path(config.out)
    refuse_links_out(out)
    with sole_writer(out):
        open_folder(config)
        check_data(out)
        if not (out / NETWORK).exists():
            _Sequence(config, out).run()
    return out


@dataclass(frozen=True)
class OwnBatches:
    """A task's own batches from its beginning, without augmentation; the same ones each time."""

    config: ContinualConfig
    task: int
    order: MemoryMixture

    def __iter__(self) -> Iterator[Batch]:
        """Yield them."""
        plan = training_of(self.config, self.task).stages[self.task]
        targets = promised(self.config.train.network, plan.size)
        stream = TrainStream(
            self.order.own,
            targets,
            plan.size,
            plan.picture,
            plan.batch_size,
            range(plan.steps),
            None,
        )
        yield from loader(stream, 0)


class _Sequence:
    """A run in its folder."""

    def __init__(self, config: ContinualConfig, out: Path) -> None:
        """Open all sets, and what there is of the run."""
        self._config, self._out = config, out
        self._sets = TaskSets(config)
        self._tests = Tests(config, self._sets)
        self._digest = digest(config, self._sets, self._tests.sets)
        self._memory = Memory(config, self._sets)
        self._strategies = {**make_strategies(config), **make_supervision(config)}
        self._matrix = read_matrix(out) if (out / MATRIX).exists() else None
        self._log = TensorBoardLogger(out, name="tensorboard", version="sequence")
        on_gpu = config.train.machine.accelerator != "cpu" and torch.cuda.is_available()
        # Where tests run; lightning gives a network back on the CPU.
        self._device = torch.device("cuda" if on_gpu else "cpu")

    def run(self) -> None:
        """Learn what is not learned yet."""
        lightning.seed_everything(self._config.seed, verbose=False)
        network = first_network(training_of(self._config, 0))
        network = network.train().to(memory_format=torch.channels_last)
        network = network.to(self._device)
        if self._matrix is None:
            check_meanings(self._config)
            check_apart(self._config)
            row = self._tests(network, self._out / PICTURES, UNTRAINED)
            self._write(self._begun(network, row))
        for number in range(len(self._config.tasks)):
            self._learn(number, network)
        save_network(network, self._out / NETWORK)
        self._log.finalize("success")

    def _learn(self, number: int, network: PerceptionNetwork) -> None:
        """Learn a task, or take what was left by it; then test."""
        folder, name = self._out / f"task{number}", self._config.tasks[number].name
        if not folder.exists():
            self._train(number, network, folder)
        else:
            network.load_state_dict(load_network(folder / NETWORK).state_dict())
        state = load_numbers(folder / STATE, str(folder / STATE))
        self._restore(state)
        assert self._matrix is not None
        if self._matrix.learned <= number:
            print(f"task {number + 1} of {len(self._config.tasks)}, {name}: testing")
            row = self._tests(network, self._out / PICTURES, f"{number + 1}_{name}")
            self._write(_with_row(self._matrix, row, state))

    def _train(self, number: int, network: PerceptionNetwork, folder: Path) -> None:
        """Train a task, let the strategies remember, and write it down."""
        config, training = self._config, training_of(self._config, number)
        if number:  # the first one goes on as plain training does
            lightning.seed_everything(config.seed + number, verbose=False)
        network.cpu()  # where every training begins
        order = self._memory.order(number)
        for strategy in self._strategies.values():
            strategy.begin(number, network)
        made: list[TaskTraining] = []

        def make(*arguments: Any) -> TaskTraining:
            strategies = self._strategies.values()
            made.append(TaskTraining(*arguments, order=order, strategies=strategies))
            return made[-1]

        # Not scored at its end, which is what tests are for.
        train_stage(training, number, self._out, network, make, scored=False)
        network.eval().to(self._device)
        criterion = Criterion(network.config.tasks, training.loss)
        learned = Learned(number, network, OwnBatches(config, number, order), criterion)
        self._memory.learn(order, learned)
        learned = replace(learned, remembered=self._memory.entries)
        for strategy in self._strategies.values():
            strategy.end(learned)
        network.train()
        with making_folder(folder) as part:
            save_network(network, part / NETWORK)
            torch.save(self._state(made[-1], training.stages[number].steps), part / STATE)

    def _state(self, training: TaskTraining, steps: int) -> dict[str, Any]:
        """Return what is remembered after a task, and what it cost."""
        return {
            "memory": self._memory.state(),
            "strategies": {name: one.state() for name, one in self._strategies.items()},
            "steps": steps,
            "seconds": training.seconds,
            "images_per_second": images_per_second(training, self._config.stage.batch_size),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
        }

    def _restore(self, state: Mapping[str, Any]) -> None:
        """Remember what was remembered after a task."""
        self._memory.restore(state["memory"])
        for name, strategy in self._strategies.items():
            strategy.restore(state["strategies"][name])

    def _begun(self, network: PerceptionNetwork, row: dict[str, dict[str, float]]) -> Matrix:
        """Return the matrix before the first task."""
        config = self._config
        headline = [
            one for name in network.config.tasks for one in table.part(name, "metric").SCORE
        ]
        scores = rows_by_score([row])
        return Matrix(
            strategy="+".join([*config.strategy, *config.supervision.weights]),
            seed=config.seed,
            digest=self._digest,
            commit=commit(),
            machine=f"{cpu_name()}, {cores()} cores",
            tasks=tuple(task.name for task in config.tasks),
            tests=tuple(self._tests.listed),
            headline=tuple(name for name in ("score", *headline) if name in scores),
            scores=scores,
            steps=(),
            batch_size=config.stage.batch_size,
            seconds=(),
            images_per_second=(),
            memory_samples=(),
            memory_bytes=(),
            state_bytes=(),
            peak_mb=(),
            parameters=sum(one.numel() for one in network.parameters()),
        )

    def _write(self, matrix: Matrix) -> None:
        """Keep the matrix, and draw its last row as points of curves."""
        self._matrix = matrix
        write_matrix(matrix, self._out)
        for score, rows in matrix.scores.items():
            self._log.log_metrics(
                {f"{score}/{test}": value for test, value in rows[-1].items()}, matrix.learned
            )
        self._log.save()


def _with_row(
    matrix: Matrix, row: Mapping[str, Mapping[str, float]], state: Mapping[str, Any]
) -> Matrix:
    """Return the matrix with one more task learned."""
    found = {name: rows[0] for name, rows in rows_by_score([row]).items()}
    empty: tuple[dict[str, float], ...] = tuple({} for _ in range(matrix.learned + 1))
    names = [*matrix.scores, *(name for name in found if name not in matrix.scores)]
    memory = state["memory"]
    return replace(
        matrix,
        scores={name: (*matrix.scores.get(name, empty), found.get(name, {})) for name in names},
        steps=(*matrix.steps, int(state["steps"])),
        seconds=(*matrix.seconds, float(state["seconds"])),
        images_per_second=(*matrix.images_per_second, float(state["images_per_second"])),
        memory_samples=(*matrix.memory_samples, len(memory["entries"]["key"])),
        memory_bytes=(*matrix.memory_bytes, remembered_bytes(memory)),
        state_bytes=(*matrix.state_bytes, remembered_bytes(state["strategies"])),
        peak_mb=(*matrix.peak_mb, float(state["peak_mb"])),
    )
