# SPDX-License-Identifier: Apache-2.0
"""One labelled image: the type every data source yields and every target is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Sample:
    """An image and what is known about it. Labels may be partial.

    Attributes:
        image: (H, W, 3) uint8 BGR.
        labels: By the name of the task, ``Label`` of its room; a task that is missing is unknown:
            neither trained nor scored.
        name: Where the sample comes from, for messages: a path, or a seed.
    """

    image: NDArray[np.uint8]
    labels: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""

    def __post_init__(self) -> None:
        """Reject an image of the wrong type, and labels that do not fit it, naming the sample."""
        image = self.image
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(
                f"{self.name}: image is {image.dtype} {image.shape}, expected uint8 (H, W, 3)"
            )
        for label in self.labels.values():
            try:
                label.check((image.shape[0], image.shape[1]))
            except ValueError as error:
                raise ValueError(f"{self.name}: {error}") from None
        object.__setattr__(self, "labels", MappingProxyType(dict(self.labels)))

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel between processes."""
        return Sample, (self.image, dict(self.labels), self.name)
