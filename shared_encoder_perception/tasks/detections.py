"""What of all tasks may be there or not in an image, and in how many it was."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping

import numpy as np

from shared_encoder_perception import tasks
from shared_encoder_perception.structures import Perception


def detectable(names: Iterable[str]) -> list[str]:
    """Return the names of what the tasks may find."""
    rooms = tasks.parts("record", names).values()
    return [name for room in rooms for name in room.DETECTABLE]


def detected(perception: Perception) -> list[str]:
    """Return the names of what was found in an image."""
    rooms = tasks.parts("record", perception.answers)
    return [
        name for task, room in rooms.items() for name in room.detected(perception.answers[task])
    ]


def share_lines(shares: Mapping[str, float]) -> list[str]:
    """Return a line of text for each task: the share of the images by the name of what is found."""
    lines = []
    for task, room in tasks.parts("record").items():
        own = [f"{name} {shares[name]:.0%}" for name in room.DETECTABLE if name in shares]
        lines += [f"{task:<9} {', '.join(own)}"] if own else []
    return lines


class Tally:
    """What the summary needs of all images, in a few bytes each."""

    def __init__(self, names: Iterable[str], stages: Iterable[str]) -> None:
        """Start at nothing; ``names`` are those of the model's tasks, ``stages`` of its times."""
        self.images = 0
        self._detected = dict.fromkeys(detectable(names), 0)
        self._stage_ms = {stage: array("f") for stage in stages}

    def add(self, perception: Perception) -> None:
        """Count one image."""
        self.images += 1
        for name in detected(perception):
            self._detected[name] += 1
        for stage, values in self._stage_ms.items():
            values.append(perception.stage_ms[stage])

    def __str__(self) -> str:
        """Render one screen."""
        lines = [f"{self.images} images"]
        for name, count in self._detected.items():
            lines.append(f"  {name:<16} detected in {count / max(self.images, 1):6.1%}")
        for stage, values in self._stage_ms.items():
            median = float(np.median(values)) if values else float("nan")
            lines.append(f"  {stage:<16} {median:6.2f} ms (median)")
        return "\n".join(lines)
