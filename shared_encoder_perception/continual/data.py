# SPDX-License-Identifier: Apache-2.0
"""The training sets of a sequence's tasks, by what they hold."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from typing import Any, Final

from shared_encoder_perception.continual.config import ContinualConfig, training_of
from shared_encoder_perception.training.data_config import SetConfig
from shared_encoder_perception.training.sample_set import SampleSet
from shared_encoder_perception.training.sets import training_sets

OF_STRATEGIES: Final = ("strategy", "memory", "latent", "lwf", "pod", "ewc", "supervision")
OF_A_RUN: Final = ("out", "paths", "seed", "test_batch")
"""Keys of a config in which runs that may be compared differ, as in ``OF_STRATEGIES``."""


class TaskSets:
    """Training sets of all tasks; opened when they are asked for."""

    def __init__(self, config: ContinualConfig) -> None:
        """Take the tasks."""
        self._config = config
        self._opened: dict[int, list[SampleSet]] = {}

    def of(self, task: int) -> list[SampleSet]:
        """Return the sets of a task, just as it trains on them."""
        if task not in self._opened:
            training, stage = training_of(self._config, task), self._config.stage
            names = training.network.tasks
            self._opened[task] = training_sets(
                training.data, task, stage.picture, training.seed, names
            )
        return self._opened[task]

    def names(self, task: int) -> list[str]:
        """Return the hash of each set of a task: of its labels, and of which of them are used."""
        pairs = zip(self._config.tasks[task].train, self.of(task), strict=True)
        return [set_name(config, samples.description) for config, samples in pairs]


def set_name(config: SetConfig, description: Mapping[str, Any]) -> str:
    """Return a hash of what a set holds, wherever it is."""
    asked = {key: value for key, value in asdict(config).items() if key not in ("path", "weight")}
    there = {key: value for key, value in description.items() if key != "path"}
    return _hashed([asked, there])


def digest(
    config: ContinualConfig, trained: TaskSets, tests: Mapping[str, Sequence[SampleSet]]
) -> str:
    """Return a hash of what is asked for: runs in which it is the same may be compared.

    Folders of the machine, strategy and seed make no difference; what the sets hold does.

    Args:
        config: What is asked for.
        trained: The sets of its tasks.
        tests: The sets of each test, by its name.
    """
    asked = asdict(config)
    for key in (*OF_STRATEGIES, *OF_A_RUN, "tasks"):
        del asked[key]
    for key in ("out", "machine", "data", "seed"):
        del asked["train"][key]
    asked["split_share"] = config.train.data.split_share
    learned = [
        {
            "name": task.name,
            "steps": task.steps,
            "train": _held(task.train, trained.of(number)),
            "tests": [[test.name, _held(test.sets, tests[test.name])] for test in task.tests],
        }
        for number, task in enumerate(config.tasks)
    ]
    return _hashed([asked, learned])


def _held(configs: Sequence[SetConfig], opened: Sequence[SampleSet]) -> list[Any]:
    """Return what sets hold, the machine's folders and the seed aside."""
    found = []
    for config, samples in zip(configs, opened, strict=True):
        there = {**samples.description}
        there.pop("first_seed", None)
        found.append([config.weight, set_name(config, there)])
    return found


def _hashed(value: Any) -> str:
    """Return a hash of plain data."""
    text = json.dumps(value, sort_keys=True, default=list)
    return sha256(text.encode()).hexdigest()
