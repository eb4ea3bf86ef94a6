# SPDX-License-Identifier: Apache-2.0
"""The demo of a rig: real processes over Fast DDS, every image of every camera accounted for."""

import argparse
import json
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: make setup")
pytest.importorskip("nav_msgs.msg", reason="nav_msgs is not installed")
pytest.importorskip("shared_encoder_perception.msg", reason="the messages are not built")

from patience import PATIENCE_S

from shared_encoder_perception.artifact.file import read_artifact
from shared_encoder_perception.artifact.remote import FOLDER
from shared_encoder_perception.backends import DEFAULT_MODEL
from shared_encoder_perception.demo import run as demo
from shared_encoder_perception.demo.rigs.absent import AbsentCameras
from shared_encoder_perception.demo.rigs.clip import RIG_FILE
from shared_encoder_perception.demo.rigs.model import asks_a_rig, drawn_in_pictures, rig_model
from shared_encoder_perception.demo.rigs.recording import moments
from shared_encoder_perception.demo.rigs.run import check, node_parameters
from shared_encoder_perception.demo.rigs.summary import summarise
from shared_encoder_perception.demo.rigs.town import town_clip
from shared_encoder_perception.images.bags import open_bag
from shared_encoder_perception.images.sources import VideoSource
from shared_encoder_perception.node.rig.parameters import rig_parameters
from shared_encoder_perception.rig.moments import FolderMoments
from shared_encoder_perception.rig.rig_file import read_rig

MOMENTS = 6
CAMERAS = ("front", "left", "rear", "right")
TASK = "surround"


@pytest.fixture(scope="module")
def driven(tmp_path_factory):
    """Return the folder of a short drive, and what the command said."""
    out = tmp_path_factory.mktemp("rig") / "out"
    command = [sys.executable, "-m", "shared_encoder_perception", "demo", "--tasks", TASK]
    options = ["--limit", str(MOMENTS), "--rate", "3", "--out", str(out)]
    done = subprocess.run(
        [*command, *options], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out, done.stdout


def rig_of(out):
    """Return the rig that drove."""
    (path,) = out.glob(f"cache/*/{RIG_FILE}")
    return read_rig(path)


def test_every_image_of_every_camera_is_in_one_number(driven):
    out, stdout = driven
    summary = json.loads((out / "summary.json").read_text())
    assert tuple(summary["cameras"]) == CAMERAS
    for camera in summary["cameras"].values():
        assert camera["published"] == camera["recorded"] == MOMENTS
        assert sum(camera["ends"].values()) == MOMENTS
        assert camera["unexplained"] == 0
    assert summary["maps"] == summary["complete"] > 0
    assert summary["unexplained"] == 0
    assert f"{MOMENTS} in = " in stdout and "p99" in stdout
    # A town has some of both, and neither everywhere.
    assert 0 < summary["shares"]["vehicle"] < 0.5
    assert 0 < summary["shares"]["drivable"] < 1


def test_a_map_of_masks_does_not_say_that_there_are_no_vehicles(driven):
    """It knows nothing of them."""
    out, _ = driven
    told = summarise(out / "bag", rig_of(out), dict.fromkeys(CAMERAS, MOMENTS))
    assert "vehicle not said by this model" not in str(told)
    told.shares["vehicle"] = None
    assert "vehicle not said by this model" in str(told)


def test_one_image_or_map_less_is_noticed(driven):
    out, _ = driven
    published = dict.fromkeys(CAMERAS, MOMENTS)
    assert not summarise(out / "bag", rig_of(out), published).problems()
    more = summarise(out / "bag", rig_of(out), {**published, "rear": MOMENTS + 1})
    assert more.problems() == ["1 images of rear are in none of the counts"]
    more.complete -= 1
    more.unexplained = more.maps - more.complete
    assert "1 maps were made and did not come back whole" in more.problems()


def test_the_video_shows_each_map_that_came(driven):
    out, _ = driven
    frames = list(VideoSource(out / "overlay.mp4"))
    summary = json.loads((out / "summary.json").read_text())
    assert len(frames) == summary["complete"]
    assert frames[0].image.shape[1] == 1280
    # Its left half is pictures of a drive, which move.
    first, last = (frames[place].image[:, :480].astype(int) for place in (0, -1))
    assert np.abs(first - last).mean() > 5
    with open_bag(out / "bag") as reader:
        topics = {connection.topic for connection in reader.connections}
    maps = {f"/{TASK}/{name}" for name in ("occupancy", "vehicles", "drivable")}
    assert maps | {f"/{name}/image" for name in CAMERAS} <= topics


def test_the_maps_themselves_tell_how_many_lack_a_camera(driven):
    """The cells that are not seen, and the node's own count of maps that lack one."""
    out, _ = driven
    absent = AbsentCameras(rig_of(out).rig())
    partial = sum(bool(absent.of(one.surround)) for one in moments(out / "bag", rig_of(out)))
    assert partial == json.loads((out / "summary.json").read_text())["partial"]


def test_the_town_is_one_that_predict_can_read(tmp_path):
    folder = town_clip(tmp_path, moments=2)
    source = FolderMoments(folder, read_rig(folder / RIG_FILE))
    assert len(source) == 2
    first, second = (moment.frame for moment in source)
    assert first.rig.names == CAMERAS
    for name in CAMERAS:
        assert np.abs(first.images[name].astype(int) - second.images[name]).mean() > 1
    before = (folder / RIG_FILE).stat().st_mtime_ns
    assert town_clip(tmp_path, moments=2) == folder
    assert (folder / RIG_FILE).stat().st_mtime_ns == before
    assert town_clip(tmp_path, moments=1) != folder


def test_the_node_knows_every_parameter_that_it_is_given(tmp_path):
    folder = town_clip(tmp_path, moments=1)
    file = read_rig(folder / RIG_FILE)
    given = node_parameters(folder / RIG_FILE, file, DEFAULT_MODEL, ["drivable_surface"])
    own = {name for name in given if not name.startswith("qos_overrides.")}
    assert own <= set(rig_parameters())
    assert {f"qos_overrides./{name}/image.subscription.depth" for name in CAMERAS} <= set(given)


# ---- which model, and what is refused ---------------------------------------------------------


def asked(*options):
    """Return the arguments of the command."""
    parser = argparse.ArgumentParser()
    demo.add_arguments(parser)
    return parser.parse_args([*options])


@pytest.mark.parametrize(
    ("option", "instead"),
    [
        (("--images", "folder"), "predict --rig rig.yaml --input FOLDER"),
        (("--video", "drive.mp4"), "predict --rig rig.yaml --input FOLDER"),
        (("--bag", "drive"), "predict --rig rig.yaml --input BAG"),
        (("--topic", "/image"), "rig.yaml"),
        (("--focal-px", "900"), "rig.yaml"),
        (("--background", "empty.png"), "single images"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_is_for_one_camera_is_refused_with_what_to_use(tmp_path, option, instead):
    out = tmp_path / "out"
    with pytest.raises(ValueError, match=f"{option[0]} is for one camera") as caught:
        demo.run(asked("--tasks", TASK, "--out", str(out), *option))
    assert instead in str(caught.value)
    assert not out.exists()


def test_the_rate_is_that_of_the_kind_of_drive():
    args = asked("--tasks", TASK)
    check(args)
    assert args.rate == 10
    args = asked("--tasks", TASK, "--rate", "4")
    check(args)
    assert args.rate == 4


def test_a_rig_is_asked_by_its_tasks_or_by_the_model():
    lanes = read_artifact(DEFAULT_MODEL).spec
    assert asks_a_rig([TASK], None) and asks_a_rig(["lanes", TASK], lanes)
    assert not asks_a_rig(["lanes"], lanes) and not asks_a_rig([], None)


def test_a_model_of_the_rig_is_taken_first(tmp_path, one_task_model):
    pytest.importorskip("torch", reason="torch is not installed")
    assert rig_model([TASK], DEFAULT_MODEL) == DEFAULT_MODEL
    (tmp_path / DEFAULT_MODEL.name).write_bytes(DEFAULT_MODEL.read_bytes())
    assert rig_model([TASK], folder=tmp_path) == tmp_path / DEFAULT_MODEL.name
    (tmp_path / "rig.onnx").write_bytes(one_task_model(TASK).read_bytes())
    assert rig_model([TASK], folder=tmp_path) == tmp_path / "rig.onnx"
    # It does not answer lanes: masks on the ground are the better half of nothing.
    assert rig_model([TASK, "lanes"], folder=tmp_path) == tmp_path / DEFAULT_MODEL.name


def test_a_model_that_says_nothing_of_the_ground_is_refused():
    with pytest.raises(ValueError, match="none of that says anything of the ground") as caught:
        rig_model([TASK], FOLDER / "pair.onnx")
    assert "drivable_surface" in str(caught.value) and TASK in str(caught.value)


def test_what_the_map_is_made_of_is_drawn_into_the_pictures(one_task_model):
    pytest.importorskip("torch", reason="torch is not installed")
    masks = read_artifact(DEFAULT_MODEL).spec
    assert drawn_in_pictures([TASK], masks) == ("drivable_surface",)
    assert drawn_in_pictures([TASK, "lanes"], masks) == ("lanes", "drivable_surface")
    assert drawn_in_pictures([TASK], read_artifact(one_task_model(TASK)).spec) == ()
    with pytest.raises(ValueError, match="semantic cannot be drawn"):
        drawn_in_pictures([TASK, "semantic"], masks)
