# SPDX-License-Identifier: Apache-2.0
"""What cannot be of a sequence, each said in one line before anything is started."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from shared_encoder_perception import tasks as table
from shared_encoder_perception.continual.strategies import STRATEGIES
from shared_encoder_perception.training.config import TrainConfig
from shared_encoder_perception.training.data_config import SYNTHETIC, DataConfig
from shared_encoder_perception.training.sets import WORLDS_PER_STAGE
from shared_encoder_perception.training.weighting import WEIGHTINGS
from shared_encoder_perception.world.synthetic import CALIBRATION_SEED

if TYPE_CHECKING:
    from shared_encoder_perception.continual.config import ContinualConfig

POLICIES: Final = ("reservoir", "ring", "class_balanced", "task_balanced", "uncertainty")
PROPORTIONAL: Final = -1.0
"""``MemoryConfig.share``: as the memory's samples are to those of the task."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}")
"""Of a task or a test: names of folders, and columns of tables."""


def _task_faults(config: ContinualConfig) -> Iterator[str]:
    """Say what cannot be of the tasks and their tests."""
    if not config.tasks:
        yield "tasks is empty, expected at least one: {name, train: [sets], tests: [{name, sets}]}"
    for what, names in (
        ("task", [task.name for task in config.tasks]),
        ("test", [test.name for task in config.tasks for test in task.tests]),
    ):
        for name in names:
            if not _NAME.fullmatch(name):
                yield (
                    f"a {what} has the name {name!r}, expected letters, digits, '_', '-' and '.': "
                    "folders are named by it"
                )
            if names.count(name) > 1:
                yield f"two {what}s have the name {name!r}, expected each once"
    for task in config.tasks:
        if not task.train:
            yield f"the task {task.name} has nothing to train on: give train at least one set"
        if not task.tests:
            yield f"the task {task.name} has no test: give tests, its own one first"
        for test in task.tests:
            if not test.sets:
                yield f"the test {test.name} has no sets, expected at least one"
        if task.steps < 0:
            yield f"steps of the task {task.name} is {task.steps}, expected 0 or more"
    for task in config.tasks[CALIBRATION_SEED // WORLDS_PER_STAGE :]:
        if any(one.path == SYNTHETIC for one in task.train):
            yield (
                f"the task {task.name} trains on rendered worlds, and only the first "
                f"{CALIBRATION_SEED // WORLDS_PER_STAGE} tasks have seeds for them: move it "
                "forward, or render a set first (dataset render)"
            )


def _strategy_faults(config: ContinualConfig) -> Iterator[str]:
    """Say which strategies do not go together, or not with such training."""
    said = config.strategy
    if not said or len(set(said)) < len(said):
        yield f"strategy is {list(said)}, expected different names, at least one"
    for name in said:
        if name not in STRATEGIES:
            yield f"strategy has {name!r}, expected one or some of {list(STRATEGIES)}"
            return
    for name in said:
        row = STRATEGIES[name]
        for other in said:
            if other != name and (row.alone or other in row.excludes):
                yield f"strategy has {name} and {other}, which do not go together: leave one out"
        weighting = config.train.loss.weighting
        if row.adds_losses and WEIGHTINGS[weighting].own_backward:
            yield (
                f"{weighting} balances the labels' losses only and has no place for {name}'s: use "
                "train.loss.weighting fixed or uncertainty"
            )


def _memory_faults(config: ContinualConfig) -> Iterator[str]:
    """Say what cannot be of the memory."""
    memory = config.memory
    if memory.policy not in POLICIES:
        yield f"memory.policy is {memory.policy!r}, expected one of {POLICIES}"
    if memory.size < 0:
        yield f"memory.size is {memory.size}, expected 1 or more, or 0 for all"
    if memory.share != PROPORTIONAL and not 0 <= memory.share < 1:
        yield (
            f"memory.share is {memory.share}, expected 0 to below 1, or {PROPORTIONAL:g} for as "
            "many as the memory's samples are among all"
        )
    if len(config.train.stages) != 1 or not any(STRATEGIES[name].draws for name in config.strategy):
        return
    batch = config.stage.batch_size
    proportional = memory.share == PROPORTIONAL or config.strategy == ["joint"]
    if proportional and len(config.tasks) > 1:
        if batch < 2:
            yield f"train.stages.0.batch_size is {batch}, of which no part can be from memory"
        for task in config.tasks:
            if any(one.path == SYNTHETIC and not one.count for one in task.train):
                yield (
                    f"the task {task.name} trains on worlds without end, of which there is no "
                    "share: give them a count"
                )
    elif memory.share and not 0 < round(memory.share * batch) < batch:
        yield (
            f"memory.share is {memory.share}, which of a batch of {batch} is "
            f"{round(memory.share * batch)}: expected at least one image, and one beside it"
        )


def _train_faults(config: ContinualConfig) -> Iterator[str]:
    """Say what of ``train`` belongs to the sequence, or cannot be of one."""
    train, plain = config.train, TrainConfig()
    if len(train.stages) != 1:
        yield f"train.stages has {len(train.stages)} stages, expected one, which each task has"
    if replace(train.data, split_share=0.0) != DataConfig():
        yield "train.data is given, and a sequence's sets are those of its tasks: leave it out"
    for key in ("out", "seed"):
        if getattr(train, key) != getattr(plain, key):
            yield f"train.{key} is given, and is the sequence's: give {key} beside train"
    if rigs := [name for name in train.network.tasks if table.is_rig(name)]:
        yield f"{rigs[0]} is asked of rigs, and a sequence is of single pictures: leave it out"
    if train.machine.devices != 1 or train.machine.num_nodes != 1:
        yield "train.machine: a sequence is one process's; run several beside one another, --ray"
    if config.test_batch < 1:
        yield f"test_batch is {config.test_batch}, expected at least 1"
    if train.distill.teacher and "lwf" in config.strategy:
        yield "lwf's teacher is the network before: leave train.distill.teacher out"


FAULTS: Final[tuple[Callable[[ContinualConfig], Iterator[str]], ...]] = (
    *(_task_faults, _train_faults, _strategy_faults, _memory_faults),
)
"""Each yields what is wrong; a later one may count on what an earlier one saw."""
