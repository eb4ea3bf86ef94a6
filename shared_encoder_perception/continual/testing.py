# SPDX-License-Identifier: Apache-2.0
"""All tests of a sequence, by the network as it is: scores, and pictures of the same frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from tqdm import tqdm

from shared_encoder_perception.continual.config import ContinualConfig
from shared_encoder_perception.continual.data import TaskSets
from shared_encoder_perception.continual.matrix import ScoredTest
from shared_encoder_perception.drawing.pictures import write_picture
from shared_encoder_perception.evaluation.scorer import Scorer
from shared_encoder_perception.model.network import PerceptionNetwork, plain_spec
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.training.data import Validation, ValidationStream, loader
from shared_encoder_perception.training.data_config import DataConfig
from shared_encoder_perception.training.panels import draw_panel
from shared_encoder_perception.training.perceiver import Perceiver
from shared_encoder_perception.training.sample_set import SampleSet
from shared_encoder_perception.training.sets import validation_sets

PICTURES: Final = "pictures"
"""Folder of what the tests' frames looked like after each task."""
SHOWN: Final = 6
"""Frames of each test, spread evenly over it."""


class Tests:
    """The tests of all tasks, opened once.

    Attributes:
        listed: Their names and tasks, those of a task one after another.
    """

    __test__ = False  # no tests for pytest

    def __init__(self, config: ContinualConfig, trained: TaskSets) -> None:
        """Open the sets; ``trained`` are those that are trained on.

        Raises:
            ValueError: One of them cannot be used, or is of composites that are trained on.
        """
        self._config = config
        names, size = config.train.network.tasks, config.stage.size
        self._size = (size[0], size[1])
        self.listed: list[ScoredTest] = []
        self._sets: dict[str, list[SampleSet]] = {}
        learned = [one for number in range(len(config.tasks)) for one in trained.of(number)]
        for number, task in enumerate(config.tasks):
            for test in task.tests:
                self.listed.append(ScoredTest(test.name, number))
                data = DataConfig(val=test.sets)
                self._sets[test.name] = list(validation_sets(data, learned, self._size, names))

    @property
    def sets(self) -> dict[str, list[SampleSet]]:
        """The sets of each test, by its name."""
        return self._sets

    def __call__(
        self, network: PerceptionNetwork, pictures: Path, row: str
    ) -> dict[str, dict[str, float]]:
        """Score a network on all of them.

        Args:
            network: In any mode, in which it is left; no random number is used up.
            pictures: Folder of the pictures.
            row: Names those of this call.

        Returns:
            By the test's name: ``Scorer.summary``.
        """
        was_training = network.training
        perceiver = Perceiver(plain_spec(network.config, "tested", self._size))
        found = {}
        try:
            with torch.random.fork_rng(devices=[]), torch.no_grad():
                network.eval()
                for name, sets in self._sets.items():
                    scorer, shown = self._score(network, perceiver, name, sets)
                    found[name] = scorer.summary()
                    write_picture(pictures / name / f"{row}.jpg", draw_panel(shown))
        finally:
            network.train(was_training)
        return found

    def _score(
        self, network: PerceptionNetwork, perceiver: Perceiver, name: str, sets: list[SampleSet]
    ) -> tuple[Scorer, list[tuple[Validation, Perception]]]:
        """Score one test; also return what is drawn of it."""
        count = sum(map(len, sets))
        drawn = set(np.linspace(0, count - 1, min(SHOWN, count)).round().astype(int).tolist())
        device = next(network.parameters()).device
        scorer, shown = Scorer(self._size), []
        bar = tqdm(total=count, desc=f"testing on {name}", unit="image", leave=False)
        number = 0
        with bar:
            for batch in self._batches(network, sets):
                answers = perceiver(network, batch, device)
                for item, answer in zip(batch, answers, strict=True):
                    scorer.update(item.source, answer, item.sample, item.transform.crop)
                    if number in drawn:
                        shown.append((item, answer))
                    number += 1
                bar.update(len(batch))
        return scorer, shown

    def _batches(self, network: PerceptionNetwork, sets: list[SampleSet]) -> Iterator[Any]:
        """Read all samples of sets once, in their order."""
        companions = plain_spec(network.config, "tested", self._size).companions()
        stream = ValidationStream(sets, self._size, self._config.test_batch, companions=companions)
        return iter(loader(stream, min(self._config.train.machine.workers, 1)))
