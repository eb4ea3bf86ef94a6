# SPDX-License-Identifier: Apache-2.0
"""Writes what two nodes of a vehicle hear and say, and its cameras' CameraInfo, into one rosbag2.

Started by ``demo``. SIGTERM or SIGINT ends it after what is still queued has been written.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from shared_encoder_perception.demo.recorder import QUEUE, record
from shared_encoder_perception.demo.rigs.recorder import RigRecorder
from shared_encoder_perception.demo.vehicle.topics import NAMESPACE, info_topic
from shared_encoder_perception.rig.bag_calibration import INFO
from shared_encoder_perception.rig.rig_file import RigFile, read_rig


class VehicleRecorder(RigRecorder):
    """Records the rig, the node for its first camera, and how each camera sees."""

    def __init__(self, writer: Any, file: RigFile) -> None:
        """Subscribe; see ``RigRecorder``."""
        super().__init__(writer, file, (), NAMESPACE)
        for entry in file.entries:
            self.record(info_topic(entry), INFO, QUEUE)


def main() -> int:
    """Record until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bag", type=Path)
    parser.add_argument("rig", type=Path)
    args = parser.parse_args()
    rig = read_rig(args.rig)
    return record(args.bag, lambda writer: VehicleRecorder(writer, rig))


if __name__ == "__main__":
    sys.exit(main())
