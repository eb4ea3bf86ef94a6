# SPDX-License-Identifier: Apache-2.0
"""``rig check``: do the cameras of a rig agree on the ground that they see together?"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception.rig.agreement import (
    FEWEST_MOMENTS,
    SELDOM_RELATED,
    Agreement,
    agreements,
    unlikeness,
)
from shared_encoder_perception.rig.explain import explanations
from shared_encoder_perception.rig.faults import Fault, moment_faults, rig_faults
from shared_encoder_perception.rig.frame import RigFrame
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.mosaic import GroundView, Mosaic, ground_views, mosaic_of

GRID: Final = BevGrid(-20.0, -20.0, 400, 400, 0.1, heights_m=(0.0,))
MOST_DISAGREEMENT: Final = 40.0
"""Grey levels: real, well calibrated cameras come to 30 where trees and vehicles stand in the
overlap, swapped or mirrored ones to 45 and more."""
COMPARED_M: Final = 0.5
"""Side of the cells by which cameras are compared: a shift of centimetres is no disagreement."""
FEWEST_M2: Final = 2.0
"""Ground that two cameras must share to be compared."""
CONFIRMED: Final = 0.5
"""Correlation from which two cameras surely show the same place."""
PLAINLY: Final = 0.7
"""By which an explanation must lower the mean disagreement."""
AS_GOOD: Final = 1.1
"""Explanations whose disagreement is so much like the best one's are told as well."""

Watch = Callable[[Iterable[Any], str], Iterable[Any]]
"""Passes things on, and shows how many have gone by; the text says what they are."""


def unwatched(things: Iterable[Any], _what: str) -> Iterable[Any]:
    """Show nothing."""
    return things


@dataclass(frozen=True, eq=False)
class Check:
    """A rig held against its own pictures.

    Attributes:
        frame: The pictures of one moment, those that are drawn.
        grid: Cells of the mosaic.
        limit: Disagreement from which two cameras are told, grey levels.
        more: Other moments of the same rig, with the same calibration.
        watch: Shows progress.
    """

    frame: RigFrame
    grid: BevGrid = GRID
    limit: float = MOST_DISAGREEMENT
    more: tuple[RigFrame, ...] = ()
    watch: Watch = unwatched

    @property
    def frames(self) -> tuple[RigFrame, ...]:
        """All moments that are looked at."""
        return (self.frame, *self.more)

    @property
    def is_weak(self) -> bool:
        """Whether what stands on the ground may look like a mistake: there are too few moments."""
        return len(self.frames) < FEWEST_MOMENTS

    @property
    def looked_at(self) -> str:
        """How many moments that is, and what it is worth."""
        count = len(self.frames)
        if not self.is_weak:
            return f"looked at {count} moments"
        return (
            f"looked at {count} moment{'s' if count > 1 else ''}, which is weak evidence: what "
            "stands there looks like a mistake, and a mistake may not show; "
            f"{FEWEST_MOMENTS} or more of a drive tell"
        )

    @cached_property
    def mosaic(self) -> Mosaic:
        """The ground from above, in the moment that is drawn."""
        return mosaic_of(self.views, self.grid)

    @cached_property
    def views(self) -> list[GroundView]:
        """What each camera sees of it."""
        return ground_views(self.frame.images, self.frame.rig, self.grid)

    @cached_property
    def coarse(self) -> BevGrid:
        """The same ground in the cells by which cameras are compared."""
        x_min, y_min, x_max, y_max = self.grid.extent_m
        cell = max(min(COMPARED_M, (x_max - x_min) / 40, (y_max - y_min) / 40), self.grid.cell_m)
        columns, rows = (max(round(side / cell), 1) for side in (x_max - x_min, y_max - y_min))
        return replace(self.grid, cells_x=columns, cells_y=rows, cell_m=cell)

    @cached_property
    def compared(self) -> list[list[GroundView]]:
        """What each camera sees in those cells, in each moment."""
        frames = self.watch(self.frames, "moments on the ground")
        return [ground_views(frame.images, frame.rig, self.coarse) for frame in frames]

    @cached_property
    def lasting_disagreement(self) -> NDArray[np.float32]:
        """(Y, X) of ``coarse``: by how much the two best views of a cell differ, grey levels.

        The median of moments: what passed by is gone. NaN where fewer than two see it.
        """
        found = [mosaic_of(views, self.coarse).disagreement for views in self.compared]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # cells that none sees
            return np.asarray(np.nanmedian(found, axis=0), np.float32)

    @cached_property
    def overlaps(self) -> list[Agreement]:
        """How each two cameras agree that share enough ground."""
        return self._compare(self.compared)

    @cached_property
    def stated(self) -> list[Fault]:
        """What is wrong whatever the pictures show of the ground."""
        return rig_faults(self.frame.rig, self.grid) + moment_faults(self.frames)

    @cached_property
    def faults(self) -> list[Fault]:
        """All that is wrong; empty for a rig that may be used."""
        apart = [pair for pair in self.overlaps if pair.is_apart]
        found = [*self.stated, *(Fault(pair.names, self._told(pair)) for pair in apart)]
        return found + self._explained() if apart else found

    @property
    def is_fine(self) -> bool:
        """Whether nothing grave was found."""
        return not any(fault.grave for fault in self.faults)

    @property
    def is_doubtful(self) -> bool:
        """Whether all that is grave is a contradiction, of too few moments to be sure."""
        return self.is_weak and not self.is_fine and not any(one.grave for one in self.stated)

    def _told(self, pair: Agreement) -> str:
        """Say that two cameras contradict each other."""
        one, other = pair.names
        area = pair.cells * self.coarse.cell_m**2
        count = len(pair.moments)
        many = f" in {count} moments" if count > 1 else ""
        least = "" if self.is_weak else f", at least {SELDOM_RELATED:g}"
        return (
            f"cameras {one} and {other} disagree by {pair.disagreement:.0f} grey levels on "
            f"{area:.0f} m2 of ground that both see{many} (limit {self.limit:g}; correlation "
            f"{pair.correlation:.2f}{least})"
        )

    def _compare(self, moments: Iterable[Sequence[GroundView]]) -> list[Agreement]:
        """Compare each two views on the coarse cells."""
        return agreements(moments, round(FEWEST_M2 / self.coarse.cell_m**2), self.limit)

    def _explained(self) -> list[Fault]:
        """Say what would make the cameras agree; else which of them is in every contradiction."""
        before = unlikeness(self.overlaps)
        now = [{view.name: view for view in views} for views in self.compared]
        found: list[tuple[float, tuple[str, ...], str]] = []
        tried = self.watch(explanations(self.frames, self.coarse), "usual mistakes, undone")
        for cameras, text, changed in tried:
            moments = zip(now, changed, strict=True)
            pairs = self._compare([list({**one, **other}.values()) for one, other in moments])
            touched = [pair for pair in pairs if set(pair.names) & set(cameras)]
            if touched and not any(pair.is_apart for pair in pairs) and self._confirmed(pairs):
                after = unlikeness(pairs)
                if after < PLAINLY * before:
                    found.append((after, cameras, f"{text} ({self._less(before, after)})"))
        found.sort()
        told = [Fault(who, text) for mean, who, text in found if mean <= AS_GOOD * found[0][0]]
        return told or self._common()

    def _confirmed(self, pairs: Sequence[Agreement]) -> bool:
        """Whether each camera that was contradicted now agrees with another, which moments show.

        Not with none, because it looks elsewhere. Of a few moments that is not asked.
        """
        agreeing = [pair for pair in pairs if pair.correlation > CONFIRMED]
        named = {name for pair in agreeing for name in pair.names}
        apart = [pair for pair in self.overlaps if pair.is_apart]
        return self.is_weak or all(name in named for pair in apart for name in pair.names)

    def _less(self, before: float, after: float) -> str:
        """Say how much better an explanation makes it."""
        if self.is_weak:
            return f"mean {before:.0f} to {after:.0f}"
        return f"correlation {1 - before:.2f} to {1 - after:.2f}"

    def _common(self) -> list[Fault]:
        """Name the camera without which there would be no contradiction, if it is only one."""
        apart = [pair for pair in self.overlaps if pair.is_apart]
        shared = set(apart[0].names).intersection(*(pair.names for pair in apart))
        if len(shared) > 1:  # two cameras contradict each other: does another agree with one?
            related = [pair for pair in self.overlaps if pair.correlation > CONFIRMED]
            shared -= {name for pair in related for name in pair.names if pair not in apart}
        if len(shared) != 1:
            return []
        (name,) = shared
        text = f"camera {name} is the one that the others contradict: look at it first"
        return [Fault((name,), text)]
