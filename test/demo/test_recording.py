# SPDX-License-Identifier: Apache-2.0
"""Recorded messages put together again: an image is whole, or it is not."""

import numpy as np
import pytest
from replay_bags import header, image_message
from specs import spec_of

from shared_encoder_perception import tasks
from shared_encoder_perception.demo.recording import MAX_PENDING, AnswerGatherer
from shared_encoder_perception.images.counts import Counts
from shared_encoder_perception.replay.messages import new_message
from shared_encoder_perception.tasks.contract.runtime import Context
from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.lanes.answer import Lanes
from shared_encoder_perception.tasks.topics import for_every_image

SIZE = (32, 64)
SPEC = spec_of("m", "1")
ANSWERS = {
    "lanes": Lanes.nothing(),
    "drivable_surface": DrivableMask(np.full(SIZE, 255, np.uint8)),
}


def messages(stamp_ns):
    """Return the image and its answers, by topic."""
    stages = dict.fromkeys(("conversion", "preprocess", "inference", "decode"), 1.0)
    context = Context(header(stamp_ns), SIZE, SPEC, stages, Counts())
    found = {"/image": image_message(np.zeros((*SIZE, 3), np.uint8), stamp_ns)}
    for name, topic in for_every_image(ANSWERS):
        made = tasks.part(name, "content").messages(ANSWERS[name], context, new_message)
        found[f"/{topic.name}"] = made[topic.name]()
    return found


@pytest.mark.parametrize("last", ["/image", "/lane_lines/ego", "/lane_lines"])
def test_an_image_is_whole_with_its_last_message_whichever_that_is(last):
    gatherer, found = AnswerGatherer(tuple(ANSWERS), "/image"), messages(5)
    assert gatherer.topics == set(found) - {"/image"}
    closing = found.pop(last)
    assert [gatherer.add(*one) for one in found.items()] == [None] * len(found)
    whole = gatherer.add(last, closing)
    assert whole.pixels.shape == (*SIZE, 3)
    assert whole.perception.answers["drivable_surface"].binary().all()
    assert not any(line.detected for line in whole.perception.answers["lanes"])


def test_messages_of_other_images_do_not_mix():
    gatherer, one, other = AnswerGatherer(tuple(ANSWERS), "/image"), messages(5), messages(6)
    mixed = {**one, "/lane_lines/ego": other["/lane_lines/ego"]}
    assert not any(gatherer.add(*message) for message in mixed.items())


def test_an_array_with_a_lane_of_another_image_is_no_answer():
    gatherer, found = AnswerGatherer(tuple(ANSWERS), "/image"), messages(5)
    found["/lane_lines"].lanes[2].header = header(6)
    last = found.popitem()
    assert not any(gatherer.add(*message) for message in found.items())
    with pytest.raises(ValueError, match="not that of the array"):
        gatherer.add(*last)


def test_images_that_never_come_back_are_forgotten():
    gatherer = AnswerGatherer(tuple(ANSWERS), "/image")
    for stamp in range(3 * MAX_PENDING):
        gatherer.add("/image", messages(stamp)["/image"])
    found = messages(1)
    del found["/image"]
    assert not any(gatherer.add(*message) for message in found.items())
    assert len(gatherer._pending) <= MAX_PENDING
