# SPDX-License-Identifier: Apache-2.0
"""Which topics of a rosbag2 a rig means: those of a bag have a slash in front."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from shared_encoder_perception.rig.rig_entries import CameraEntry
from shared_encoder_perception.rig.rig_file import RigFile

if TYPE_CHECKING:
    from shared_encoder_perception.images.bag_reader import Bag


def named_in(reader: Bag, rig_file: RigFile) -> RigFile:
    """Return the rig with its topics as the bag calls them.

    A relative name is that below the root, as for a node without a namespace; a topic of exactly
    that name comes first. What the bag does not have is left as it is.
    """
    there = {one.topic for one in reader.connections}

    def named(entry: CameraEntry) -> CameraEntry:
        image, info = entry.image_topic, entry.info_topic
        if image and image not in there and f"/{image}" in there:
            entry = replace(entry, topic=f"/{entry.topic}")
        if info and info not in there and f"/{info}" in there:
            entry = replace(entry, info_topic=f"/{info}")
        return entry

    return replace(rig_file, entries=tuple(map(named, rig_file.entries)))
