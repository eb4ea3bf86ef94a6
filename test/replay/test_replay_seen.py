# SPDX-License-Identifier: Apache-2.0
"""Replays of a 4:3 camera: the messages say what was seen, and the pictures show its edge."""

import cv2
import numpy as np
import pytest
from replay_bags import TOPIC, arrival_ns, image_message, replay, stamps, write_bag
from tiny_model import write_models

from shared_encoder_perception.images.bags import open_bag, read_messages
from shared_encoder_perception.images.image_msg import to_bgr
from shared_encoder_perception.structures import Crop
from shared_encoder_perception.tasks.lanes.content import ARRAY_TOPIC, read_crop

COUNT = 2
GREY = np.full((480, 640, 3), 100, np.uint8)
OVERLAY = "/perception/debug/overlay/compressed"


@pytest.mark.parametrize(
    ("options", "crop"),
    [((), Crop(0, 224, 640, 256)), (("--crop", "0,100,600,240"), Crop(0, 100, 600, 240))],
)
def test_a_replay_tells_and_shows_what_was_seen(tmp_path, options, crop):
    drive = [
        (TOPIC, arrival_ns(index), image_message(GREY, stamp))
        for index, stamp in enumerate(stamps(COUNT))
    ]
    bag, out = write_bag(tmp_path / "in", drive), tmp_path / "out"
    assert replay(write_models(tmp_path), bag, out, "+bag", "+video", *options) == 0
    found = {}
    with open_bag(out / "bag") as reader:
        for connection, _, message in read_messages(reader, out):
            found.setdefault(connection.topic, []).append(message)
    assert [read_crop(array) for array in found[f"/{ARRAY_TOPIC}"]] == [crop] * COUNT
    pictures = [to_bgr(message) for message in found[OVERLAY]]
    capture = cv2.VideoCapture(str(out / "overlay.mp4"))
    pictures += [capture.read()[1] for _ in range(COUNT)]
    for picture in pictures:
        # Bright dashes with a dark rim on plain grey, beyond what compression does.
        edge = picture[crop.y - 2 : crop.y + 2, 150:450].astype(int)
        assert (np.abs(edge - 100).max(axis=(0, 2)) > 60).mean() > 0.3
        away = picture[crop.y - 40 : crop.y - 10, 250:450].astype(int)
        assert np.abs(away - 100).max() < 40
