# SPDX-License-Identifier: Apache-2.0
"""Composites of cut-outs and backgrounds, made when they are trained on."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from shared_encoder_perception import tasks as table
from shared_encoder_perception.labels.composites.fold import Composites, labelled_tasks
from shared_encoder_perception.labels.composites.index import FOLDS
from shared_encoder_perception.labels.sample import Sample
from shared_encoder_perception.training.data_config import SetConfig
from shared_encoder_perception.training.sample_set import Entry

FEW: Final = 100_000
"""So many are seen in another order each time round; more of them in one that takes no memory."""


class CompositeSet:
    """The composites of a fold of an index. It keeps a line for each file, however many they make.

    They come in no order: the first ``config.count`` are as good as any.
    """

    def __init__(self, config: SetConfig, tasks: Sequence[str] | None = None) -> None:
        """Open an index.

        Args:
            config: Which fold, and how many.
            tasks: What is trained; ``None`` for what networks answer by default.

        Raises:
            ValueError: No index, no such fold, a picture that is missing, or sources are asked for.
        """
        if config.sources:
            raise ValueError(
                f"sources are {list(config.sources)} for {config.path}: composites have none, "
                "leave it out"
            )
        self._composites = Composites(Path(config.path), config.fold)
        self._tasks = tasks
        whole = len(self._composites)
        self._count = min(config.count or whole, whole)
        self.rare: Sequence[int] = ()
        labelled = set(tasks or table.DEFAULT) <= set(labelled_tasks())
        self.complete: Sequence[int] = range(self._count if labelled else 0)
        self.in_no_order = self._count > FEW
        self.description: dict[str, str | int] = {
            "path": str(self._composites.path),
            "sha256": sha256(self._composites.path.read_bytes()).hexdigest(),
            "fold": config.fold,
            "backgrounds": len(self._composites.backgrounds),
            "cut-outs": len(self._composites.foregrounds),
            "frames": self._count,
        }

    def check_apart(self, trained: CompositeSet) -> None:
        """Refuse to score on pairs of pictures that are trained on.

        Whoever holds nothing out, and says ``fold: train`` on one side alone, does that on purpose.

        Raises:
            ValueError: Both sets have the same backgrounds, and the same cut-outs.
        """
        ours, theirs = self._composites, trained._composites
        places, things = (
            len({file.sha256 for file in one} & {file.sha256 for file in other})
            for one, other in (
                (ours.backgrounds, theirs.backgrounds),
                (ours.foregrounds, theirs.foregrounds),
            )
        )
        whole = ours.index == theirs.index and not ours.index.held_out
        if not (places and things) or (whole and (not ours.fold) != (not theirs.fold)):
            return
        cure = (
            'the index held out nothing. Make one with --held-out, or say "fold: train" in '
            "data.train alone if that is what you want"
            if whole
            else f"give data.train the fold 'train' and data.val one of {list(FOLDS)[1:]}"
        )
        raise ValueError(
            f"data.val would score on what data.train trains on: {places} backgrounds and {things} "
            f"cut-outs of {ours.path} are in both (fold {ours.fold!r}, and {theirs.fold!r} of "
            f"{theirs.path}): {cure}"
        )

    def __len__(self) -> int:
        """Return how many composites there are."""
        return self._count

    def __getitem__(self, index: int) -> Entry:
        """Make one."""
        if not 0 <= index < self._count:
            raise IndexError(f"composite {index}, expected 0 to {self._count - 1}")
        sample = self._composites.sample(self._composites.spread(index))
        if self._tasks is not None:
            kept = {task: label for task, label in sample.labels.items() if task in self._tasks}
            sample = Sample(sample.image, kept, sample.name)
        return Entry(sample, None, self._composites.source)
