"""A teacher's labels: only what it is sure of, and never in place of what people said."""

import cv2
import numpy as np
import pytest
from labelled_set import write_set

pytest.importorskip("torch", reason="the offline side needs torch: make test")

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.backends import DEFAULT_MODEL, BackendOptions, load_backend
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.training.datasets import native
from shared_encoder_perception.training.datasets.pseudo import Doubt, label
from shared_encoder_perception.training.synthetic import Drive


@pytest.fixture(scope="module")
def predictor():
    return Predictor(load_backend(DEFAULT_MODEL, "onnxruntime", BackendOptions(threads=1)))


@pytest.fixture(scope="module")
def drive(tmp_path_factory):
    """Pictures without labels, taller than the network's crop."""
    folder = tmp_path_factory.mktemp("drive")
    for index in range(6):
        image = Drive(1_000_000_029 + index).render(2.0 * index).image
        sky = np.full((80, 800, 3), 200, np.uint8)
        cv2.imwrite(str(folder / f"{index}.png"), np.concatenate((sky, image)))
    return folder


def label_all(predictor, path, **doubt):
    return [frame for frame, _ in label(predictor, path, Doubt(**doubt))]


def test_masks_are_ignored_where_the_teacher_doubts(predictor, drive):
    for frame in label_all(predictor, drive, drivable=0.95, not_drivable=0.05):
        mask = frame.read_mask()
        probability = predictor(cv2.imread(str(drive / frame.name[:-4]))).mask.probability
        assert (mask[:80] == 127).all()  # outside of the crop
        inside = mask[80:], probability[80:] / 255
        assert (inside[1][inside[0] == 255] >= 0.95).all()
        assert (inside[1][inside[0] == 0] <= 0.05).all()
        doubtful = inside[1][inside[0] == 127]
        assert ((doubtful > 0.05) & (doubtful < 0.95)).all()
        assert "mask" in frame.pseudo


def test_more_doubt_labels_less(predictor, drive):
    lax = label_all(predictor, drive, lane=0.0, drivable=0.6, not_drivable=0.4)
    strict = label_all(predictor, drive, lane=0.5, drivable=0.99, not_drivable=0.01)
    assert any(frame.lanes for frame in lax)
    for more, less in zip(lax, strict, strict=True):
        assert set(less.lanes) <= set(more.lanes)
        assert not any(points is None for points in more.lanes.values())  # unknown, not absent
        known = less.read_mask() != 127
        assert np.array_equal(less.read_mask()[known], more.read_mask()[known])
    nothing = label_all(predictor, drive, lane=1.0)
    assert not any(frame.lanes or "lanes" in frame.pseudo for frame in nothing)


def test_labels_by_people_stay_and_those_of_other_teachers_go(predictor, tmp_path):
    people = write_set(tmp_path / "people", 2)
    for frame, before in zip(label_all(predictor, people), native.read(people), strict=True):
        assert frame.pseudo == ()
        assert np.array_equal(frame.read_mask(), before.read_mask())
        assert frame.lanes.keys() == before.lanes.keys()
    teacher = write_set(tmp_path / "teacher", 2, pseudo=["mask"])
    for frame, before in zip(label_all(predictor, teacher), native.read(teacher), strict=True):
        assert frame.pseudo == ("mask",)
        assert not np.array_equal(frame.read_mask(), before.read_mask())
        assert frame.lanes.keys() == before.lanes.keys()


def test_the_command_writes_a_valid_set(drive, tmp_path, capsys):
    out = tmp_path / "set"
    command = ["dataset", "label", str(drive), "--out", str(out), "--limit", "3", "--lane", "0"]
    assert main(command) == 0
    assert "3 frames" in capsys.readouterr().out
    assert main(["dataset", "validate", str(out)]) == 0
    frames = list(native.read(out))
    assert [frame.image_path.exists() for frame in frames] == [True] * 3
    assert all("mask" in frame.pseudo for frame in frames)


@pytest.mark.parametrize(
    "options", [("--lane", "2"), ("--drivable", "0.1", "--not-drivable", "0.4")]
)
def test_doubt_out_of_range_is_refused(drive, tmp_path, options, capsys):
    assert main(["dataset", "label", str(drive), "--out", str(tmp_path / "x"), *options]) != 0
    assert "expected lane from 0 to 1" in capsys.readouterr().err
