# SPDX-License-Identifier: Apache-2.0
"""Losses on pictures that nobody has labelled, beside those of a task's labels.

temporal, depth  the answer to a frame is that to an earlier one, moved by the optical flow
cross            the answer to a changed picture is an averaged teacher's to the plain one, changed
pseudo           the answer is what that teacher says where it is sure

Networks look at these pictures as they will be used, by the statistics that their norms have
learned from what is labelled, which they leave alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import Tensor, nn

from shared_encoder_perception import tasks
from shared_encoder_perception.continual.config import ContinualConfig
from shared_encoder_perception.continual.strategies.contract import Learned, Step
from shared_encoder_perception.continual.supervision.average import AveragedTeacher
from shared_encoder_perception.continual.supervision.changes import change
from shared_encoder_perception.continual.supervision.frames import Drawn, UnlabelledFrames
from shared_encoder_perception.continual.supervision.warping import enlarged, moved
from shared_encoder_perception.model.network import PerceptionNetwork, promised

_UNLABELLED: Final = 0x756E6C61
"""Tells these random numbers from those of the task's labelled samples."""
_CHANGES: Final = 1
Logits = Mapping[str, Tensor]


def make_supervision(config: ContinualConfig) -> dict[str, Supervision]:
    """Return the supervision without labels, by its name among strategies; nothing without weights.

    Raises:
        ValueError: See ``Supervision``.
    """
    return {"supervision": Supervision(config)} if config.supervision.weights else {}


class Supervision:
    """What a task learns without labels; as a strategy, but for what it keeps within a task."""

    def __init__(self, config: ContinualConfig) -> None:
        """Ask the tasks' rooms.

        Raises:
            ValueError: A weight that no task of the network knows what to do with, or a network
                that takes more than pictures.
        """
        self._config, self._settings = config, config.supervision
        names, weights = config.train.network.tasks, self._settings.weights
        self._rooms = tasks.parts("consistency", names) if weights else {}
        for kind in weights:
            if not any(_serves(room, kind) for room in self._rooms.values()):
                raise ValueError(
                    f"supervision.{kind} has nothing to ask of {', '.join(names)}: set it to 0"
                )
        plan = config.stage
        self._size = (plan.size[0], plan.size[1])
        blocks = promised(config.train.network, self._size)
        for name, block in blocks.items():
            if weights and (needed := block.inputs(self._size)):
                raise ValueError(
                    f"{name} takes {', '.join(needed)} beside the image, which unlabelled pictures "
                    f"do not have: set supervision.{next(iter(weights))} to 0"
                )
        self._frames: UnlabelledFrames | None = None
        self._teacher: AveragedTeacher | None = None
        self._task = self._step = 0

    @property
    def data(self) -> list[dict[str, str | int]]:
        """What is seen without labels, for the record of the run."""
        return self._frames.told if self._frames else []

    def begin(self, task: int, network: PerceptionNetwork) -> None:
        """Open the task's unlabelled pictures; of a task without any there are no losses."""
        paths, picture = self._config.tasks[task].unlabelled, self._config.stage.picture
        self._close()
        self._task, self._step = task, 0
        if not self._settings.weights or not paths:
            return
        size = (picture[0], picture[1])
        self._frames = UnlabelledFrames(paths, size, self._settings)
        for told in self._frames.told:
            pairs = f", {told['pairs']} pairs not across a cut" if "pairs" in told else ""
            print(f"without labels: {told['frames']} pictures of {told['path']}{pairs}")
        if self._settings.taught:
            self._teacher = AveragedTeacher(network, self._settings.decay)

    def losses(self, step: Step) -> dict[str, Tensor]:
        """Return the weighted losses of a step, by kind and task; each call is one step.

        The teacher follows first: whoever resumes after a step has the teacher of its beginning.
        """
        if self._frames is None:
            return {}
        network, device = step.network, step.batch.images.device
        if self._teacher:
            self._teacher.network.to(device)
            self._teacher.follow(network)
        count, seed = self._settings.batch, (self._config.seed, self._task, _UNLABELLED)
        drawn = self._frames.draw(seed, self._step * count, count)
        now = torch.from_numpy(drawn.now).to(device)
        weights, found = self._settings.weights, dict[str, Tensor]()
        with as_used(network):
            said = self._said(network, now) if set(weights) - {"cross"} else {}
            if self._settings.paired:
                found |= self._in_time(network, said, drawn, device)
            if self._teacher:
                taught = self._taught(self._teacher.network, now)
                if "pseudo" in weights:
                    found |= self._pseudo(said, taught)
                if "cross" in weights:
                    found |= self._crossed(network, taught, drawn, (*seed, _CHANGES, self._step))
        self._step += 1
        return found

    def end(self, learned: Learned) -> None:
        """Remember nothing."""
        self._close()

    def state(self) -> dict[str, Any]:
        """Return nothing: the next task begins with the student."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take nothing back."""

    def progress(self) -> dict[str, Any]:
        """Return what an interrupted task goes on with: tensors and numbers."""
        teacher = self._teacher.state() if self._teacher else {}
        return {"step": self._step, "teacher": teacher}

    def resume(self, progress: Mapping[str, Any]) -> None:
        """Go on, in a task that was begun, from what ``progress`` returned."""
        self._step = int(progress["step"])
        if self._teacher:
            self._teacher.restore(progress["teacher"])

    # ---- what is asked ------------------------------------------------------------------------

    def _in_time(
        self, network: PerceptionNetwork, said: Logits, drawn: Drawn, device: torch.device
    ) -> dict[str, Tensor]:
        """Compare the answers to two frames; the earlier one learns nothing by it."""
        before = self._taught(network, torch.from_numpy(drawn.before).to(device))
        way = [torch.from_numpy(one).to(device) for one in (drawn.field, drawn.agreed)]
        found = {}
        for name, room in self._rooms.items():
            kind = _temporal(room)
            if not (weight := self._settings.weights.get(kind)):
                continue
            planes, seen = moved(room.planes(before), way[0], way[1])
            apart = getattr(room, "apart_in_time", room.apart)
            found[f"temporal_{name}"] = weight * apart(said, planes, seen)
        return found

    def _pseudo(self, said: Logits, taught: Logits) -> dict[str, Tensor]:
        """Take what the teacher is sure of for labels, as far as it is sure of the pictures."""
        found = {}
        for name, room in self._rooms.items():
            if hasattr(room, "believed"):
                labels, sure = room.believed(room.planes(taught), self._settings)
                loss = room.apart(said, labels, sure) * sure.mean()
                found[f"pseudo_{name}"] = self._settings.pseudo * loss
        return found

    def _crossed(
        self, network: PerceptionNetwork, taught: Logits, drawn: Drawn, seed: tuple[int, ...]
    ) -> dict[str, Tensor]:
        """Change the pictures, and the teacher's answers alike."""
        changed = change(drawn.now, self._config.train.augment, self._settings.scale, seed)
        device = next(iter(taught.values())).device
        said = self._said(network, changed.images.to(device))
        window = changed.window.to(device)
        mirrored = changed.mirrored.to(device)[:, None, None, None]
        found = {}
        for name, room in self._rooms.items():
            planes = enlarged(room.planes(taught), window)
            if hasattr(room, "scaled"):
                planes = room.scaled(planes, 1 / window[:, 0])
            planes = torch.where(mirrored, room.mirrored(planes), planes)
            everywhere = torch.ones_like(planes[:, 0])
            found[f"cross_{name}"] = self._settings.cross * room.apart(said, planes, everywhere)
        return found

    def _said(self, network: PerceptionNetwork, images: Tensor) -> dict[str, Tensor]:
        """Ask those tasks that know what to do without labels."""
        return network(images, self._size, asked=list(self._rooms))

    def _taught(self, network: PerceptionNetwork, images: Tensor) -> dict[str, Tensor]:
        """Likewise, without gradients."""
        with torch.no_grad():
            return self._said(network, images)

    def _close(self) -> None:
        """Forget the pictures and the teacher."""
        if self._frames is not None:
            self._frames.close()
        self._frames = self._teacher = None


@contextmanager
def as_used(network: nn.Module) -> Iterator[None]:
    """Put a network into inference mode, and each of its layers back into the mode that it had."""
    was = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, training in was.items():
            module.training = training


def _temporal(room: Any) -> str:
    """Return the key of the weight by which a room's answers are held to earlier ones."""
    return str(getattr(room, "TEMPORAL", "temporal"))


def _serves(room: Any, kind: str) -> bool:
    """Whether a room can do something with a kind of supervision."""
    if kind == "pseudo":
        return hasattr(room, "believed")
    return kind == "cross" or _temporal(room) == kind
