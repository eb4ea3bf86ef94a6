# SPDX-License-Identifier: Apache-2.0
"""What the network did not see: neither drivable nor blocked, wherever a mask goes."""

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from fuzzing import fuzz
from hypothesis import strategies as st

from shared_encoder_perception.images.counts import Counts
from shared_encoder_perception.images.image_msg import fill_image
from shared_encoder_perception.images.preprocess import ImageTransform
from shared_encoder_perception.replay.messages import from_bytes, new_message, to_bytes
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.structures import Crop
from shared_encoder_perception.tasks.contract.runtime import Context
from shared_encoder_perception.tasks.drivable import content, drift, record
from shared_encoder_perception.tasks.drivable import draw as mask_draw
from shared_encoder_perception.tasks.drivable.answer import DrivableMask
from shared_encoder_perception.tasks.drivable.decode import Decoder, Options
from shared_encoder_perception.tasks.drivable.labels import Label
from shared_encoder_perception.tasks.drivable.mask_teacher import Config, of_masks
from shared_encoder_perception.tasks.drivable.metric import FullMetric, Metric
from shared_encoder_perception.tasks.drivable.spec import Block
from shared_encoder_perception.tasks.drivable.teacher import Doubt, of_answer
from shared_encoder_perception.tasks.masks.values import NO, NOT_KNOWN, YES

SIZE, INPUT = (480, 640), (64, 160)
CROP = Crop(0, 224, 640, 256)
"""What a network of 2.5 : 1 sees of a 4:3 camera."""


def answer(unseen=127, said=255, crop=CROP):
    """Return the answer that a network of ``INPUT`` gives by saying one value everywhere."""
    transform = ImageTransform.fit(SIZE, INPUT, crop)
    outputs = {"mask": np.full(INPUT, said, np.uint8)}
    return Decoder(Block(), INPUT)(outputs, transform, Options(0.5, unseen))


def published(mask, size=SIZE):
    """Return the pixels of a mask's message, and the message."""
    spec = ModelSpec("road", "1")
    context = Context(new_message("std_msgs/msg/Header"), size, spec, {}, Counts())
    message = content.messages(mask, context, new_message)[content.MASK_TOPIC]()
    return np.array(message.data).reshape(size), message


@pytest.mark.parametrize("unseen", [0, 1, 127, 254])
@pytest.mark.parametrize("said", [0, 255])
def test_a_third_value_stands_outside_of_the_crop(unseen, said):
    pixels, _ = published(answer(unseen, said))
    assert (pixels[CROP.window] == said).all()
    assert (pixels[: CROP.y] == unseen).all()


def test_all_four_sides_of_a_crop_are_unseen():
    crop = Crop(100, 50, 300, 120)
    pixels, _ = published(answer(127, 255, crop))
    assert (pixels[crop.window] == 255).all()
    assert (pixels == 127).sum() == pixels.size - crop.width * crop.height


def test_unseen_cannot_be_drivable():
    for value in (-1, 255, 256):
        with pytest.raises(ValueError, match="expected 0 to 254"):
            DrivableMask(np.zeros(SIZE, np.uint8), 128, CROP, value)
    (parameter,) = (one for one in content.PARAMETERS if one.name == content.UNSEEN)
    assert parameter.default == NOT_KNOWN and parameter.read_only
    assert parameter.allows(127) and not parameter.allows(255) and not parameter.allows(-1)


@pytest.mark.parametrize("unseen", [1, 127, 200])
def test_a_recorded_mask_is_read_back_with_what_was_not_seen(unseen):
    said = answer(unseen)
    message = from_bytes(to_bytes(published(said)[1]), "sensor_msgs/msg/Image")
    back = content.read({content.MASK_TOPIC: message}, SIZE)
    assert (back.crop, back.unseen_value) == (CROP, unseen)
    assert np.array_equal(back.binary(), said.binary()), "200 is above any threshold"
    assert np.array_equal(back.values(), said.values())


def test_a_mask_of_two_values_is_read_as_it_always_was():
    back = content.read({content.MASK_TOPIC: published(answer(0))[1]}, SIZE)
    assert back.crop is None
    assert np.array_equal(back.binary(), answer(0).binary())


@pytest.mark.parametrize("kind", ["two others", "inside", "nothing known"])
def test_a_mask_that_the_node_does_not_publish_is_refused_with_its_values(kind):
    pixels, message = published(answer(127))
    pixels = pixels.copy()
    if kind == "two others":
        pixels[0, 0] = 3
    elif kind == "inside":
        pixels[300, 300] = 127
    else:
        pixels[:] = 127
    fill_image(message, pixels, "mono8")
    with pytest.raises(ValueError, match=r"drivable_surface/mask has the value.*127.*expected 255"):
        content.read({content.MASK_TOPIC: message}, SIZE)


def test_model_info_names_the_third_value():
    message = SimpleNamespace(mask_values=np.zeros(0, np.uint8), mask_labels=[])
    for unseen, values in ((0, [0, 255]), (127, [0, 127, 255])):
        content.fill_info(message, Block())
        content.fill_options(message, Options(0.5, unseen))
        assert message.mask_values.tolist() == values
        assert len(message.mask_labels) == len(values)
    assert message.mask_labels == ["not_drivable", "unseen", "drivable"]


def test_the_parameters_reach_the_decoder():
    values = {"mask.threshold": -1.0, "mask.unseen_value": 127}
    options = content.options(values.__getitem__, Block(mask_threshold=0.7))
    assert options == Options(0.7, 127)
    values["mask.threshold"] = 0.25
    assert content.options(values.__getitem__, Block()) == Options(0.25, 127)


def test_a_prediction_is_written_with_the_third_value(tmp_path):
    line = record.prediction(answer(127), tmp_path, Path("a.png"))
    pixels = cv2.imread(str(tmp_path / line["mask"]), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(pixels, answer(127).values())


def whole_label():
    """A label that calls everything drivable, the sky included."""
    return Label(np.full(SIZE, YES, np.uint8))


@pytest.mark.parametrize("unseen", [0, 127])
def test_scores_count_nothing_that_was_not_seen(unseen):
    everything = Crop(0, 0, SIZE[1], SIZE[0])
    metric, full = Metric(), FullMetric()
    metric.update(answer(unseen), whole_label(), SIZE, everything)
    full.update(answer(unseen), whole_label(), SIZE, everything)
    assert metric.mask.compute().iou == 1.0
    assert metric.reliability.counts.sum() == CROP.width * CROP.height
    assert full.boundary.compute()["iou"] == 1.0
    hidden = Label(np.full(SIZE, NOT_KNOWN, np.uint8))
    hidden.mask[: CROP.y] = 0
    nothing = Metric()
    nothing.update(answer(unseen), hidden, SIZE, everything)
    assert nothing.mask.compute().images == 0, "not seen is not right either"


def test_two_models_are_compared_where_both_saw():
    wide, narrow = answer(127), answer(0, crop=Crop(200, 300, 300, 120))
    everything = Crop(0, 0, SIZE[1], SIZE[0])
    counts = drift.agreement_counts(wide, narrow, everything)
    assert counts == {"common": 300.0 * 120, "united": 300.0 * 120}
    assert drift.apart(wide, narrow, SIZE, everything) == {"mask": 0.0}
    assert drift.answer_counts(narrow, everything)["area"] == 1.0


def test_the_area_is_that_of_what_was_seen():
    line = record.result(answer(127), Crop(0, 0, SIZE[1], SIZE[0]))
    assert line["mask"]["area"] == 1.0
    back = content.read({content.MASK_TOPIC: published(answer(127))[1]}, SIZE)
    assert record.different(line, back, CROP) == []


def test_a_teacher_labels_nothing_that_it_did_not_see():
    everything = Crop(0, 0, SIZE[1], SIZE[0])
    for said, value in ((255, YES), (0, NO)):
        label = of_answer(answer(0, said), Doubt(), SIZE, everything, None)
        assert (label.mask[CROP.window] == value).all()
        assert (label.mask[: CROP.y] == NOT_KNOWN).all() and not label.weight()[: CROP.y].any()


def test_a_prediction_with_the_third_value_teaches_nothing_there():
    label, _ = of_masks({"drivable": answer(127).values()}, Doubt(), Config(0), None)
    assert (label.mask[CROP.window] == YES).all()
    assert (label.mask[: CROP.y] == NOT_KNOWN).all()


def test_a_resized_mask_keeps_what_it_did_not_see():
    small = mask_draw.resized(answer(127), SIZE, (240, 320))
    assert small.crop == Crop(0, 112, 320, 128)
    assert (small.values()[:112] == 127).all() and (small.values()[112:] == 255).all()


def test_any_crop_comes_back_from_a_message():
    def check(x, y, width, height, unseen, seed):
        size = (40, 50)
        crop = Crop(x, y, min(width, 50 - x), min(height, 40 - y))
        said = np.zeros(size, np.uint8)
        part = np.random.default_rng(seed).integers(0, 2, (crop.height, crop.width), np.uint8)
        said[crop.window] = part * 255
        mask = DrivableMask(said, crop=crop, unseen_value=unseen)
        pixels, message = published(mask, size)
        outside = np.ones(size, bool)
        outside[crop.window] = False
        assert (pixels[outside] == unseen).all() and np.array_equal(
            pixels[~outside], part.ravel() * 255
        )
        back = content.read({content.MASK_TOPIC: message}, size)
        assert np.array_equal(back.binary(), mask.binary())
        assert crop.covers(size) or back.crop == crop

    fuzz(
        300,
        check,
        x=st.integers(0, 48),
        y=st.integers(0, 38),
        width=st.integers(2, 50),
        height=st.integers(2, 40),
        unseen=st.integers(1, 254),
        seed=st.integers(0, 1000),
    )
