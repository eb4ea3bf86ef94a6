# SPDX-License-Identifier: Apache-2.0
"""nuScenes: tables of JSON beside ``samples/``, six cameras, boxes in the world.

Everything is brought into the frame of the vehicle at the key frame's moment, which is that of the
lidar. The cameras expose up to 50 ms before or after it, while the vehicle drives on: where the
vehicle was then is part of each camera's ``vehicle_from_optical``, so that boxes lie in the
pictures where they are seen. Without it they are off by up to 28 px of 1600x900 in a town.

Sources: the schema that is published with the data set. The frame of the vehicle is REP-103
already: x ahead, y left, z up, its origin on the ground below the rear axle.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np

from shared_encoder_perception.files.data_paths import inside
from shared_encoder_perception.ground.rigid import Rigid
from shared_encoder_perception.ground.view import CameraView
from shared_encoder_perception.labels.adapters.nuscenes_tables import (
    Annotation,
    Calibrated,
    Category,
    Instance,
    Placed,
    Sample,
    SampleData,
    Sensor,
    named,
    rows,
    tables_folder,
)
from shared_encoder_perception.labels.rigs.cameras import check_name, lens_of, placed
from shared_encoder_perception.labels.rigs.record import RigRecord
from shared_encoder_perception.rig.boxes import Box
from shared_encoder_perception.rig.rig import Rig, RigCamera
from shared_encoder_perception.tasks.label_files import LabelError

SOURCE, LICENCE = "nuscenes", "CC BY-NC-SA 4.0"
MICROSECONDS: Final = 1e-6
VISIBLE: Final = MappingProxyType({"1": 0.2, "2": 0.5, "3": 0.7, "4": 0.9})
"""Token of the table ``visibility`` -> share: the middle of its range, 0 to 40, 40 to 60, 60 to 80
and 80 to 100 per cent of the thing, in all six pictures together. So what is hidden by more than
half has less than 0.4, wherever that line is drawn, and what is seen best is not said to be seen
whole."""
TWO_WHEELS: Final = ("vehicle.bicycle", "vehicle.motorcycle")


def read(path: Path) -> Iterator[RigRecord | LabelError]:
    """Read a version of the data set, key frame by key frame, in the order of its table.

    Memory holds the key frames' rows, not those of the sweeps between them.

    Args:
        path: The folder that holds ``samples/`` and one folder of tables such as ``v1.0-mini/``, or
            that folder of tables.

    Yields:
        Each key frame, or what is wrong with it.

    Raises:
        LabelError: A table that is missing, or a fault in a row of one.
    """
    tables = tables_folder(path)
    try:
        reader = _Reader(tables)
    except LabelError:
        raise
    except ValueError as error:
        raise LabelError(tables, None, str(error)) from None
    yield from reader.records()


def kind_of(category: str) -> str:
    """Return our class of a category: what drives, rides and walks; of others, their last word."""
    if category.startswith(TWO_WHEELS):
        return "two_wheels"
    for first, kind in (("vehicle.", "vehicle"), ("human.", "person")):
        if category.startswith(first):
            return kind
    return category.rpartition(".")[2]


def camera_name(channel: str) -> str:
    """Return our name of a camera: ``front_left`` for ``CAM_FRONT_LEFT``."""
    return channel.removeprefix("CAM_").lower()


class _Reader:
    """The tables of a version, joined."""

    def __init__(self, tables: Path) -> None:
        """Read what key frames need."""
        self._folder, self._root = tables, tables.parent
        sensors = {row.token: row for row in rows(tables, Sensor, "sensor")}
        self._calibrated = {row.token: row for row in rows(tables, Calibrated, "calibrated_sensor")}
        self._channel = {}
        for token, one in self._calibrated.items():
            sensor = named(sensors, one.sensor_token, "calibrated_sensor", "sensor")
            self._channel[token] = sensor
        self._data: dict[str, list[SampleData]] = defaultdict(list)
        for row in rows(tables, SampleData, "sample_data"):
            if row.is_key_frame:
                self._data[row.sample_token].append(row)
        needed = {row.ego_pose_token for found in self._data.values() for row in found}
        self._poses = {
            row.token: row for row in rows(tables, Placed, "ego_pose") if row.token in needed
        }
        names = {row.token: row.name for row in rows(tables, Category, "category")}
        self._kind = {
            row.token: kind_of(named(names, row.category_token, "instance", "category"))
            for row in rows(tables, Instance, "instance")
        }
        self._boxes: dict[str, list[Annotation]] | None = None
        if (tables / "sample_annotation.json").exists():
            for box in rows(tables, Annotation, "sample_annotation"):
                self._boxes = self._boxes or defaultdict(list)
                self._boxes[box.sample_token].append(box)

    def records(self) -> Iterator[RigRecord | LabelError]:
        """Yield each key frame, or what is wrong with it."""
        for sample in rows(self._folder, Sample, "sample"):
            try:
                yield self._record(sample)
            except ValueError as error:
                reason = f"sample {sample.token}: {error}"
                yield LabelError(self._folder / "sample.json", None, reason)

    def _record(self, sample: Sample) -> RigRecord:
        """Join what belongs to a key frame."""
        taken = self._data.get(sample.token, [])
        if not taken:
            raise ValueError("it has no sample_data that are key frames")
        channels = {row.token: self._of(row) for row in taken}
        # Its time is the lidar's; where there is no lidar, the nearest sensor's pose does.
        moment = min(taken, key=lambda row: (abs(row.timestamp - sample.timestamp), row.token))
        world_from_vehicle = self._pose(moment)
        cameras, pictures, stamps = [], {}, {}
        for row in sorted(taken, key=lambda row: channels[row.token].channel):
            if channels[row.token].modality != "camera":
                continue
            name = camera_name(channels[row.token].channel)
            check_name(name, "the name of a camera")
            cameras.append(self._camera(name, row, world_from_vehicle))
            pictures[name] = inside(self._root, row.filename, f"camera {name}, filename")
            stamps[name] = row.timestamp * MICROSECONDS
        if not cameras:
            raise ValueError("it has no picture of a camera")
        objects = None
        if self._boxes is not None:
            found = self._boxes.get(sample.token, [])
            objects = tuple(self._box(one, world_from_vehicle) for one in found)
        return RigRecord(
            sample.token,
            Rig(tuple(cameras)),
            pictures,
            stamps,
            objects,
            source=SOURCE,
            licence=LICENCE,
            where=f"{self._folder / 'sample.json'}, sample {sample.token}",
        )

    def _camera(self, name: str, row: SampleData, world_from_vehicle: Rigid) -> RigCamera:
        """Return a camera in the frame of the vehicle as it was at the key frame's moment."""
        sensor = self._calibrated[row.calibrated_sensor_token]
        try:
            lens = lens_of((row.height, row.width), np.array(sensor.camera_intrinsic))
            moved = world_from_vehicle.inverse().after(self._pose(row)).after(sensor.rigid())
            return RigCamera(name, CameraView(lens, placed(moved.rotation, moved.shift)))
        except ValueError as error:
            raise ValueError(f"camera {name}: {error}") from None

    def _box(self, row: Annotation, world_from_vehicle: Rigid) -> Box:
        """Return a box in that frame; of its rotation the heading is kept."""
        seen = world_from_vehicle.inverse().after(row.rigid())
        width, length, height = row.size
        kind = named(self._kind, row.instance_token, "sample_annotation", "instance")
        yaw = float(np.arctan2(seen.rotation[1, 0], seen.rotation[0, 0]))
        x, y, z = seen.shift.tolist()
        visible = VISIBLE.get(row.visibility_token)
        return Box(kind, x, y, z, length, width, height, yaw, visible)

    def _pose(self, row: SampleData) -> Rigid:
        """Return where the vehicle was when a sensor measured."""
        return named(self._poses, row.ego_pose_token, "sample_data", "ego_pose").rigid()

    def _of(self, row: SampleData) -> Sensor:
        """Return the sensor of a measurement."""
        token = row.calibrated_sensor_token
        return named(self._channel, token, "sample_data", "calibrated_sensor")
