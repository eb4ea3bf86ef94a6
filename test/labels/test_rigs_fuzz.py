# SPDX-License-Identifier: Apache-2.0
"""Recordings of rigs with odd values at random: a moment or one line, never a crash."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import test_rigs_carla as carla
import test_rigs_nuscenes as nuscenes
from fuzzing import fuzz
from hypothesis import strategies as st
from rig_tables import tables, write_tables
from test_rigs_bad import ODD, changed, spots

from shared_encoder_perception.labels.formats import read_rigs
from shared_encoder_perception.labels.rigs.faults import RigCheck
from shared_encoder_perception.labels.rigs.writer import RigWriter
from shared_encoder_perception.tasks.label_files import LabelError


def check(name, folder):
    """Read what is there; what can be read can be written, and is a valid set."""
    try:
        found = list(read_rigs(name, folder / "source"))
    except LabelError as error:
        found = [error]
    for one in found:
        if isinstance(one, LabelError):
            assert "\n" not in str(one)
            assert str(one).startswith(str(folder))
            continue
        for camera in one.rig.cameras:
            camera.see(np.array([[3.0, 0.5, 0.0]]))
        with RigWriter(folder / "out") as writer:
            writer.write(one, {})
        for _, faults in RigCheck(folder / "out", pictures=False).lines():
            assert not [text for text in faults if "expected" in text and "stamps" not in text]


def odd_recording(at, value):
    with TemporaryDirectory() as folder:
        root = Path(folder) / "source"
        raw = carla.moment(root)
        ways = list(spots(raw))
        text = json.dumps(changed(raw, ways[at % len(ways)], value))
        (root / "frames/000000.json").write_text(text)
        check("carla", Path(folder))


def odd_table(at, value):
    with TemporaryDirectory() as folder:
        root = Path(folder) / "source"
        key = nuscenes.KEY_US
        whole = tables(
            nuscenes.cameras(root), nuscenes.BOXES, nuscenes.world_from_vehicle(key), key
        )
        ways = list(spots(whole))
        write_tables(root, changed(whole, ways[at % len(ways)], value))
        check("nuscenes", Path(folder))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("odd", [odd_recording, odd_table])
def test_odd_values_are_a_moment_or_one_line(odd):
    fuzz(120, odd, at=st.integers(0, 1 << 16), value=st.sampled_from(ODD))
