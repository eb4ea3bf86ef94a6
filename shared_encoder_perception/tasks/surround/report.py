# SPDX-License-Identifier: Apache-2.0
"""What reports show of the ground around a rig."""

from __future__ import annotations

from typing import Final

from shared_encoder_perception.tasks.contract.reports import TaskReport

REPORT: Final = TaskReport(
    headlines={
        "surround_vehicle_iou": "Vehicle IoU",
        "surround_drivable_iou": "Drivable IoU",
        "surround_vehicle_iou_near": "Vehicle IoU within 25 m",
        "surround_centre_recall_near": "Centres found (1 m) within 20 m",
        "surround_drivable_iou_in_view": "Drivable IoU in plain view",
    },
    pooling="numbers at the top are means over the sources; distances are from the vehicle's "
    "origin; in view are cells of which some camera sees what is there, hidden are those that "
    "something else stands in front of, where the label says which",
)
