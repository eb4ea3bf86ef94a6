# SPDX-License-Identifier: Apache-2.0
"""A table is made of complete calibrations only, and used only for images that it was made for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from threading import Event
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from four_cameras import FRAME, NAMES, SIZE, entry, lens
from patience import PATIENCE_S

from shared_encoder_perception.node.ledger import DroppedError
from shared_encoder_perception.node.rig.calibration import Install, RigCalibration
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.rig.rig_file import RigFile

FRONT_INFO, OTHER_INFO = lens().info(), lens(55.0).info()


def pose(x: float, w: float = 1.0) -> Any:
    """Return a ``geometry_msgs/Transform``."""
    shift, turn = SimpleNamespace(x=x, y=0.0, z=1.6), SimpleNamespace(x=0.0, y=0.0, z=0.0, w=w)
    return SimpleNamespace(translation=shift, rotation=turn)


@dataclass
class Tables:
    """What makes the tables, and may be held up or fail.

    Attributes:
        rigs: Those that a table was put to use for.
        lines: What people were told.
        go_on: Whether tables can be finished.
        error: What making one raises.
    """

    rigs: list[Rig] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    go_on: Event = field(default_factory=Event)
    error: Exception | None = None

    def prepare(self, rig: Rig) -> Install:
        """Make a table."""
        self.go_on.wait(PATIENCE_S)
        if self.error is not None:
            raise self.error
        return lambda: self.rigs.append(rig)


@contextmanager
def calibrated(*entries: Any, go_on: bool = True) -> Iterator[tuple[RigCalibration, Tables]]:
    """Yield the calibration of a rig."""
    tables = Tables()
    if go_on:
        tables.go_on.set()
    file = RigFile(tuple(entries), FRAME)
    one = RigCalibration(file, tables.prepare, nullcontext, tables.lines.append)
    try:
        yield one, tables
    finally:
        tables.go_on.set()
        assert one.close()


def until(condition: Callable[[], Any]) -> None:
    """Wait for the table's thread."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, "it never came"
        time.sleep(0.001)


def why_not(
    one: RigCalibration,
    name: str = "front",
    version: int | None = None,
    stamp_ns: int = 10,
    size: tuple[int, int] = SIZE,
) -> str:
    """Return why an image that came just now is not used; nothing where it is."""
    try:
        one.admit(name, one.version(name) if version is None else version, stamp_ns, size)
    except DroppedError as error:
        return f"{error.reason}: {error}"
    return ""


def test_a_complete_file_needs_nothing_more() -> None:
    with calibrated(*map(entry, NAMES)) as (one, tables):
        until(lambda: tables.rigs)
        until(lambda: not why_not(one))
        assert tables.rigs[0].names == NAMES and tables.rigs[0].frame_id == FRAME
        assert one.state.made == 1 and not one.state.waiting and one.state.age_s >= 0


def test_nothing_is_used_before_every_camera_is_calibrated() -> None:
    entries = entry("front"), entry("left", by_topic=True), entry("rear", by_tf=True)
    with calibrated(*entries) as (one, tables):
        until(lambda: len(one.state.waiting) == 2)
        assert one.state.waiting == {
            "left": "camera left waits for CameraInfo on left/camera_info",
            "rear": "camera rear waits for the transform of rear_optical",
        }
        assert "left waits for" in why_not(one) and "rear waits for" in why_not(one)
        one.receive_info("left", FRONT_INFO)
        until(lambda: len(one.state.waiting) == 1)
        assert why_not(one, "left").startswith("uncalibrated: ")
        one.receive_transform("rear", pose(-1.0))
        until(lambda: tables.rigs)
        until(lambda: not any(why_not(one, name) for name in ("front", "left", "rear")))
        assert len(tables.rigs) == 1
        assert tables.rigs[0]["rear"].view.extrinsics.position[0] == -1.0


def test_a_calibration_that_says_the_same_makes_no_table() -> None:
    with calibrated(entry("front", by_topic=True, by_tf=True)) as (one, tables):
        for _ in range(5):
            one.receive_info("front", FRONT_INFO)
            one.receive_transform("front", pose(1.0))
            one.receive_transform("front", pose(1.0 + 1e-4))  # it trembles
            one.receive_transform("front", pose(1.0, -1.0))  # the same turn
        until(lambda: tables.rigs)
        assert one.version("front") == 2 and one.state.made == 1
        one.receive_transform("front", pose(1.01))
        until(lambda: len(tables.rigs) == 2)


def test_images_wait_for_the_table_of_their_own_calibration() -> None:
    """Those of before go on with the old one, those of after come too early for it."""
    with calibrated(entry("front", by_topic=True), entry("left")) as (one, tables):
        one.receive_info("front", FRONT_INFO)
        until(lambda: tables.rigs)
        until(lambda: not why_not(one))
        before = one.version("front")
        tables.go_on.clear()
        one.receive_info("front", OTHER_INFO, stamp_ns=20)
        until(lambda: one.state.making_s)
        assert "being made" in why_not(one)
        assert not why_not(one, version=before, stamp_ns=19)
        assert why_not(one, version=before, stamp_ns=20), "it came first, but was taken after"
        assert not why_not(one, "left"), "others go on"
        tables.go_on.set()
        until(lambda: len(tables.rigs) == 2)
        until(lambda: not why_not(one))
        assert why_not(one, version=before, stamp_ns=19), "nor the old one by the new table"
        assert tables.rigs[1]["front"].view.camera.matrix[0, 0] == 55.0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"k": [np.nan] * 9}, "k holds NaN"),
        ({"k": [-40.0, 0, 47.5, 0, 40.0, 23.5, 0, 0, 1.0]}, "focal lengths in k are -40"),
        ({"r": [-1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0]}, "expected a rotation matrix"),
    ],
)
def test_a_calibration_that_is_refused_takes_its_camera_out_by_name(
    changes: dict[str, Any], words: str
) -> None:
    with calibrated(entry("front", by_topic=True), entry("left")) as (one, tables):
        one.receive_info("front", FRONT_INFO)
        until(lambda: tables.rigs)
        one.receive_info("front", SimpleNamespace(**{**vars(FRONT_INFO), **changes}))
        until(lambda: one.state.refused)
        assert words in one.state.refused["front"] and "camera front" in one.state.refused["front"]
        assert words in why_not(one) and not why_not(one, "left")
        assert len([line for line in tables.lines if words in line]) == 1
        one.receive_info("front", FRONT_INFO)
        until(lambda: not why_not(one))
        assert len(tables.rigs) == 1, "the table of the good one is still there"


def test_a_mirrored_pose_by_tf_is_refused() -> None:
    with calibrated(entry("front", by_tf=True), entry("left")) as (one, tables):
        one.receive_transform("front", pose(1.0))
        until(lambda: tables.rigs)
        one.receive_transform("front", pose(np.nan))
        until(lambda: "camera front" in one.state.refused.get("front", ""))
        assert why_not(one) and not why_not(one, "left")


def test_an_image_of_another_size_is_rejected_until_the_size_fits_again() -> None:
    with calibrated(entry("front"), entry("left")) as (one, tables):
        until(lambda: tables.rigs)
        until(lambda: not why_not(one))
        assert "rejected: image rejected: it is 48x24, the calibration in use is for 96x48" in (
            why_not(one, size=(24, 48))
        )
        until(lambda: one.state.refused)
        assert "96x48" in why_not(one, size=(24, 48))
        assert not why_not(one, "left")
        assert why_not(one), "the thread has to see it first"
        until(lambda: not why_not(one))
        assert one.state.made == 1


def test_images_of_the_region_of_interest_make_a_table_of_their_own() -> None:
    """A CameraInfo with a region is for images of it, or for whole ones."""
    roi = SimpleNamespace(x_offset=0, y_offset=24, height=24, width=96, do_rectify=False)
    info = SimpleNamespace(**{**vars(FRONT_INFO), "roi": roi})
    with calibrated(entry("front", by_topic=True)) as (one, tables):
        one.receive_info("front", info)
        until(lambda: tables.rigs)
        assert tables.rigs[0]["front"].image_size == (24, 96)
        until(lambda: not why_not(one))
        assert tables.rigs[-1]["front"].image_size == SIZE


def test_a_table_that_cannot_be_made_is_told_and_the_next_one_works() -> None:
    with calibrated(entry("front", by_topic=True)) as (one, tables):
        tables.error = ValueError("the rig sees nothing of the grid")
        one.receive_info("front", FRONT_INFO)
        until(lambda: one.state.problem)
        assert "sees nothing of the grid" in why_not(one) and not one.state.made
        tables.error = None
        one.receive_info("front", OTHER_INFO)
        until(lambda: not why_not(one))
        assert not one.state.problem


def test_a_thread_that_hangs_puts_the_table_off(monkeypatch: pytest.MonkeyPatch) -> None:
    from shared_encoder_perception.node.rig import calibration

    monkeypatch.setattr(calibration, "STOP_TIMEOUT_S", 0.01)
    hangs, tables = [True], Tables()
    tables.go_on.set()

    @contextmanager
    def between() -> Iterator[None]:
        if hangs[0]:
            raise TimeoutError("the image in work is not finished")
        yield

    file = RigFile((entry("front"),), FRAME)
    one = RigCalibration(file, tables.prepare, between, tables.lines.append)
    until(lambda: len(tables.lines) > 1)
    assert not tables.rigs and "the new table waits" in tables.lines[0]
    hangs[0] = False
    until(lambda: tables.rigs)
    monkeypatch.undo()
    assert one.close()
    assert replace(file).names == ("front",)
