# SPDX-License-Identifier: Apache-2.0
"""Planes of the ground -> what is known of each cell, and single vehicles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.tasks.surround.answer import Surround
from shared_encoder_perception.tasks.surround.objects import objects_of
from shared_encoder_perception.tasks.surround.spec import OUTPUT_SURROUND, PLANES, Block


@dataclass(frozen=True)
class Options:
    """What may change from one moment to the next; calibrated if the model is.

    Attributes:
        vehicle_threshold: Lowest probability of a vehicle, above 0, at most 1.
        drivable_threshold: Lowest probability of drivable ground, likewise.
        centre_threshold: Lowest peak that is a vehicle's, likewise.
    """

    vehicle_threshold: float = 0.5
    drivable_threshold: float = 0.5
    centre_threshold: float = 0.1

    @classmethod
    def of(cls, block: Block) -> Options:
        """Take the thresholds the model was shipped with."""
        return cls(block.vehicle_threshold, block.drivable_threshold, block.centre_threshold)


class Decoder:
    """Decodes the ground of models with one spec."""

    def __init__(self, block: Block) -> None:
        """Keep what depends on the spec only."""
        self._block, self._grid = block, block.grid

    def __call__(
        self, outputs: Mapping[str, NDArray], seen: NDArray[np.bool_], options: Options
    ) -> Surround:
        """Decode one moment of one rig.

        Args:
            outputs: ``surround`` float32 (5, Y, X), without the batch axis; see ``spec.PLANES``.
            seen: (Y, X), where at least one camera that was there sees the cell: what the network
                says of the others is not said.
            options: The thresholds.

        Raises:
            ValueError: Planes of another shape, or that hold NaN where a camera sees.
        """
        planes = outputs[OUTPUT_SURROUND]
        if planes.shape != (len(PLANES), *self._grid.shape):
            raise ValueError(
                f"{OUTPUT_SURROUND} is {planes.shape}, expected {(len(PLANES), *self._grid.shape)}"
            )
        # bf16 engines round what is just below 1 to what is just above.
        said = np.where(seen, planes, np.float32(np.nan)).astype(np.float32, copy=False)
        block, (vehicle, drivable, centre) = self._block, said[:3].clip(0, 1)
        vehicle = calibrated(vehicle, block.vehicle_temperature, block.vehicle_bias)
        drivable = calibrated(drivable, block.drivable_temperature, block.drivable_bias)
        thresholds = (options.vehicle_threshold, options.centre_threshold)
        found = objects_of(self._grid, vehicle, centre, said[3:], *thresholds)
        return Surround(
            self._grid,
            seen,
            vehicle,
            drivable,
            found,
            centre,
            said[3:],
            options.vehicle_threshold,
            options.drivable_threshold,
        )


def calibrated(
    probability: NDArray[np.float32], temperature: float, bias: float
) -> NDArray[np.float32]:
    """Return ``sigmoid(logit(p) / temperature + bias)``, NaN of NaN; 0 stays 0 and 1 stays 1."""
    if (temperature, bias) == (1.0, 0.0):
        return probability
    with np.errstate(divide="ignore"):
        logit = np.log(probability) - np.log1p(-probability)
    # tanh does not overflow.
    squashed = np.tanh(0.5 * (logit / np.float32(temperature) + np.float32(bias)))
    return np.asarray(0.5 + 0.5 * squashed, np.float32)
