# SPDX-License-Identifier: Apache-2.0
"""Targets: symmetric, complete along the line, exact where they are supervised."""

import numpy as np

from shared_encoder_perception.tasks.lanes.answer import LaneId
from shared_encoder_perception.tasks.lanes.labels import Label
from shared_encoder_perception.tasks.lanes.spec import Block
from shared_encoder_perception.tasks.lanes.target import encode as encode_label
from shared_encoder_perception.tasks.lanes.target import encode_lanes, ideal

SIZE, STRIDE = (320, 800), 8
LINE = np.array([[100.0, 310.0], [380.0, 150.0], [395.0, 40.0]])


def encode(lanes):
    return encode_lanes(lanes, SIZE, STRIDE)


def test_every_crossed_cell_is_a_keypoint():
    targets = encode({LaneId.EGO: LINE})
    dense = np.stack([np.interp(np.linspace(0, 2, 5000), range(3), LINE[:, i]) for i in (0, 1)], 1)
    cells = np.unique((dense / STRIDE).astype(int), axis=0)
    hit = targets.maps[LaneId.EGO, 0, cells[:, 1], cells[:, 0]] == 1.0
    # What is missed are corners of cells, cut by less than the sampling step.
    assert hit.mean() > 0.9


def test_offsets_lead_to_the_line_and_to_its_start():
    targets = encode({LaneId.EGO: LINE})
    row, column = np.nonzero(targets.supervised[LaneId.EGO])
    maps = targets.maps[LaneId.EGO][:, row, column]
    point = np.stack((column, row)) + maps[3:]
    assert np.abs(point + maps[1:3] - (LINE[0] / STRIDE)[:, None]).max() < 1e-4
    assert (maps[3:] >= -1).all() and (maps[3:] < 2).all()
    line_x = np.interp(point[1] * STRIDE, LINE[::-1, 1], LINE[::-1, 0])
    assert np.abs(line_x - point[0] * STRIDE).max() < 0.1


def test_flip_swaps_nothing_but_the_sign():
    mirrored = LINE * (-1, 1) + (SIZE[1], 0)
    a = encode({LaneId.LEFT_EGO: LINE}).maps[LaneId.LEFT_EGO]
    b = encode({LaneId.RIGHT_EGO: mirrored}).maps[LaneId.RIGHT_EGO]
    assert np.abs(a[0] - b[0][:, ::-1]).max() < 1e-6


def test_known_absent_and_unknown_are_told_apart():
    targets = encode({LaneId.EGO: LINE, LaneId.LEFT_EGO: None})
    assert targets.known.tolist() == [True, True, False, False, False]
    assert targets.maps[1:].max() == 0
    assert not targets.supervised[1:].any()


def test_outside_the_image_counts_as_absent():
    targets = encode({LaneId.EGO: LINE + (2000, 0)})
    assert targets.known[LaneId.EGO]
    assert not targets.supervised.any()


def test_a_label_says_how_much_each_head_counts():
    label = Label({LaneId.EGO: LINE, LaneId.LEFT_EGO: None}, {LaneId.LEFT_EGO: 0.25})
    targets = encode_label(label, SIZE, Block())
    assert targets["known"].tolist() == [1.0, 0.25, 0.0, 0.0, 0.0]
    assert np.array_equal(targets["maps"], encode(label.lines).maps)
    nothing = encode_label(None, SIZE, Block())
    assert not nothing["known"].any()
    assert {name: array.shape for name, array in nothing.items()} == {
        name: array.shape for name, array in targets.items()
    }


def test_the_ideal_network_says_what_is_asked_for():
    targets = encode_label(Label({LaneId.EGO: LINE}), SIZE, Block())
    outputs = ideal(targets, SIZE, Block())
    promised = Block().outputs(SIZE)
    assert {name: (array.dtype, array.shape) for name, array in outputs.items()} == promised
