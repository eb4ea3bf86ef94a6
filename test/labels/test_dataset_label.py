# SPDX-License-Identifier: Apache-2.0
"""A teacher's labels: only what it is sure of, and never in place of what people said."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from labelled_set import label_of, lanes_of, mask_of, write_set

pytest.importorskip("torch", reason="the offline side needs torch: make test")

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.backends import DEFAULT_MODEL, BackendOptions, load_backend
from shared_encoder_perception.labels import native
from shared_encoder_perception.labels.pseudo import default_doubts, label
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.world.synthetic import Drive


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


def doubts(**changes):
    """Doubts of all tasks; each key goes to the task that has it."""
    return {
        task: replace(
            doubt, **{key: value for key, value in changes.items() if hasattr(doubt, key)}
        )
        for task, doubt in default_doubts().items()
    }


def label_all(predictor, path, **changes):
    return [frame for frame, _ in label(predictor, path, doubts(**changes))]


def lane_confidence(frame):
    found = label_of(frame, "lanes")
    return {} if found is None else found.confidence


def mask_confidence(frame):
    return label_of(frame, "drivable_surface").confidence


def test_masks_are_ignored_where_the_teacher_doubts(predictor, drive):
    for frame in label_all(predictor, drive, drivable=0.95, not_drivable=0.05):
        mask = mask_of(frame)
        perception = predictor(cv2.imread(str(drive / frame.name[:-4])))
        probability, top = perception.answers["drivable_surface"].probability, perception.crop.y
        assert top > 0 and (mask[:top] == 127).all()  # outside of the crop
        inside = mask[top:], probability[top:] / 255
        assert (inside[1][inside[0] == 255] >= 0.95).all()
        assert (inside[1][inside[0] == 0] <= 0.05).all()
        doubtful = inside[1][inside[0] == 127]
        assert ((doubtful > 0.05) & (doubtful < 0.95)).all()
        assert "drivable_surface" in frame.pseudo


def test_more_doubt_labels_less(predictor, drive):
    lax = label_all(predictor, drive, lane=0.0, drivable=0.6, not_drivable=0.4)
    strict = label_all(predictor, drive, lane=0.5, drivable=0.99, not_drivable=0.01)
    assert any(lanes_of(frame) for frame in lax)
    for more, less in zip(lax, strict, strict=True):
        assert set(lanes_of(less)) <= set(lanes_of(more))
        assert not any(points is None for points in lanes_of(more).values())  # unknown, not absent
        known = mask_of(less) != 127
        assert np.array_equal(mask_of(less)[known], mask_of(more)[known])
    nothing = label_all(predictor, drive, lane=1.0)
    assert not any(lanes_of(frame) or "lanes" in frame.pseudo for frame in nothing)


def test_labels_by_people_stay_and_those_of_other_teachers_go(predictor, tmp_path):
    people = write_set(tmp_path / "people", 2)
    for frame, before in zip(label_all(predictor, people), native.read(people), strict=True):
        assert frame.pseudo == ("semantic",)  # of which people said nothing
        assert np.array_equal(mask_of(frame), mask_of(before))
        assert lanes_of(frame).keys() == lanes_of(before).keys()
        assert lane_confidence(frame) == {} and mask_confidence(frame) is None
    other = write_set(tmp_path / "other", 2, pseudo=["mask"])
    for frame, before in zip(label_all(predictor, other), native.read(other), strict=True):
        assert set(frame.pseudo) == {"drivable_surface", "semantic"}
        assert not np.array_equal(mask_of(frame), mask_of(before))
        assert lanes_of(frame).keys() == lanes_of(before).keys()


def test_the_command_writes_a_valid_set(drive, tmp_path, capsys):
    out = tmp_path / "set"
    command = ["dataset", "label", str(drive), "--out", str(out), "--limit", "3", "--lane", "0"]
    assert main(command) == 0
    assert "3 frames" in capsys.readouterr().out
    assert main(["dataset", "validate", str(out)]) == 0
    frames = list(native.read(out))
    assert [frame.image_path.exists() for frame in frames] == [True] * 3
    assert all("drivable_surface" in frame.pseudo for frame in frames)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--lane", "2"), "expected lane from 0 to 1"),
        (
            ("--drivable-above", "0.1", "--not-drivable-below", "0.4"),
            "not_drivable < drivable <= 1",
        ),
    ],
)
def test_doubt_out_of_range_is_refused(drive, tmp_path, options, reason, capsys):
    assert main(["dataset", "label", str(drive), "--out", str(tmp_path / "x"), *options]) != 0
    assert reason in capsys.readouterr().err


def test_the_confidence_of_a_model_is_kept(predictor, drive):
    for frame in label_all(predictor, drive, lane=0.0):
        perception = predictor(cv2.imread(str(drive / frame.name[:-4])))
        assert lane_confidence(frame).keys() == lanes_of(frame).keys()
        for lane, confidence in lane_confidence(frame).items():
            assert confidence == perception.answers["lanes"][lane].confidence > 0
        confidence = mask_confidence(frame)
        top = perception.crop.y
        assert top > 0 and (confidence[:top] == 0).all()  # outside of the crop nothing was said
        probability = perception.answers["drivable_surface"].probability[top:] / 255
        assert np.array_equal(confidence[top:], np.round(255 * np.abs(2 * probability - 1)))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--model", "x.onnx", "--drivable", "."), "--model excludes --drivable and --markings"),
        (("--model", "x.onnx", "--markings", "."), "--model excludes"),
        (("--drivable", "nowhere"), "nowhere is no folder"),
        (("--drivable", ".", "--border", "-1"), "expected 0 or more"),
        (("--border", "4"), "--border is for --drivable"),
    ],
)
def test_options_that_exclude_each_other_are_refused(drive, tmp_path, options, reason, capsys):
    assert main(["dataset", "label", str(drive), "--out", str(tmp_path / "x"), *options]) != 0
    assert reason in capsys.readouterr().err


def test_masks_without_any_image_of_theirs_are_refused(drive, tmp_path, capsys):
    out, empty = tmp_path / "x", tmp_path / "empty"
    empty.mkdir()
    command = ["dataset", "label", str(drive), "--out", str(out), "--drivable", str(empty)]
    assert main(command) != 0
    assert "no image has a usable mask" in capsys.readouterr().err
    assert not (out / "frames.jsonl").exists()
