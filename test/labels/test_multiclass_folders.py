# SPDX-License-Identifier: Apache-2.0
"""Class maps in folders of drives, and the six classes that three sources have in common."""

import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="the offline side needs torch: make test")

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.labels import native

CLASSES = Path(__file__).parents[2] / "config/classes"
REAL = Path(__file__).parents[2].parent / "shared/data/multiclass"
MAPPINGS = {"camvid": "roads_of_camvid11.json", "idd": "roads_of_idd7.json"}
ROAD, BESIDE, PERSON, VEHICLE, FIXED, SKY = range(6)
EXPECTED = {
    "camvid": [SKY, FIXED, FIXED, ROAD, BESIDE, FIXED, FIXED, FIXED, VEHICLE, PERSON, PERSON, 255],
    "idd": [ROAD, BESIDE, PERSON, VEHICLE, FIXED, FIXED, SKY],
}
"""What each id of a set becomes; the last one of CamVid means nothing."""


def write(folder, drive, name, ids):
    """Write a picture and its map as such folders have them: a picture and a map of one name."""
    for kind, suffix, pixels in (
        ("images", "jpg", np.full((*ids.shape, 3), 90, np.uint8)),
        ("labels", "png", ids),
    ):
        path = folder / kind / drive / f"{name}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), pixels)


def ids_of(layout):
    """A map with a column for each id."""
    count = len(EXPECTED[layout])
    return np.repeat(np.arange(count, dtype=np.uint8)[None], 4, axis=0)


def convert(layout, folder, out):
    words = ["--classes", str(CLASSES / MAPPINGS[layout]), "--out", str(out)]
    return main(["dataset", "convert", layout, str(folder), *words])


@pytest.mark.parametrize("layout", MAPPINGS)
def test_each_class_becomes_what_it_means(layout, tmp_path):
    for drive in ("day", "dusk"):
        write(tmp_path / "set", drive, f"{drive}_1", ids_of(layout))
    assert convert(layout, tmp_path / "set", tmp_path / "out") == 0
    frames = list(native.read(tmp_path / "out"))
    assert [Path(frame.name).parent.name for frame in frames] == ["day", "dusk"]
    for frame in frames:
        labels = frame.load().labels
        assert labels["semantic"].ids[0].tolist() == EXPECTED[layout]
        road = labels["drivable_surface"].mask[0] == 255
        assert np.array_equal(road, np.array(EXPECTED[layout]) == ROAD)
        assert "non-commercial" in frame.licence


def test_a_drive_without_maps_is_told(tmp_path, capsys):
    write(tmp_path / "set", "day", "day_1", ids_of("camvid"))
    (tmp_path / "set/labels/day/day_1.png").unlink()
    assert convert("camvid", tmp_path / "set", tmp_path / "out") == 2
    assert "its map is missing: day_1.png" in capsys.readouterr().err


def test_all_mappings_lead_to_one_table_and_leave_nothing_out():
    table = json.loads((CLASSES / "roads.json").read_text())
    files = sorted(CLASSES.glob("roads_of_*.json"))
    assert len(files) == 3
    for path in files:
        said = json.loads(path.read_text())
        assert said["classes"] == table
        assert set(said["map"].values()) == {one["name"] for one in table}
    assert [one["name"] for one in table if one["drivable"]] == ["road"]


@pytest.mark.skipif(not REAL.is_dir(), reason=f"the pictures are not at hand: {REAL}")
def test_the_published_folders_become_sets(tmp_path):
    for layout, name in (("camvid", "camvid11"), ("idd", "idd_lite7")):
        words = ["--classes", str(CLASSES / MAPPINGS[layout]), "--out", str(tmp_path / layout)]
        path = str(REAL / name)
        assert main(["dataset", "convert", layout, path, "--limit", "12", *words]) == 0
        counts = Counter()
        for frame in native.read(tmp_path / layout):
            ids, found = np.unique(frame.load().labels["semantic"].ids, return_counts=True)
            counts.update(dict(zip(ids.tolist(), found.tolist(), strict=True)))
        assert set(counts) <= {*range(6), 255}
        assert counts[ROAD] > 0.1 * counts.total()
        assert counts[SKY] > 0.05 * counts.total()
