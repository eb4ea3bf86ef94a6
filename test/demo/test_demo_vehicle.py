# SPDX-License-Identifier: Apache-2.0
"""The demo of all questions: two nodes as real processes, each accounts for every image."""

import json
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed: make setup")
pytest.importorskip("nav_msgs.msg", reason="nav_msgs is not installed")
pytest.importorskip("shared_encoder_perception.msg", reason="the messages are not built")

from patience import PATIENCE_S

from shared_encoder_perception import tasks
from shared_encoder_perception.artifact.file import read_artifact
from shared_encoder_perception.artifact.remote import FOLDER
from shared_encoder_perception.backends import DEFAULT_MODEL
from shared_encoder_perception.demo.rigs.clip import RIG_FILE, Scene, rig_clip, shortened
from shared_encoder_perception.demo.vehicle.clip import SCENES, SHOWN_HZ, vehicle_rig
from shared_encoder_perception.demo.vehicle.model import camera_model
from shared_encoder_perception.demo.vehicle.mosaic import HEIGHT, WIDTH
from shared_encoder_perception.demo.vehicle.recording import vehicle_moments
from shared_encoder_perception.demo.vehicle.run import camera_node_arguments
from shared_encoder_perception.demo.vehicle.summary import summarise
from shared_encoder_perception.images.bags import open_bag
from shared_encoder_perception.images.sources import VideoSource
from shared_encoder_perception.node.parameters import all_parameters
from shared_encoder_perception.replay.camera_infos import read_infos
from shared_encoder_perception.rig.bag_moments import BagMoments
from shared_encoder_perception.rig.moments import FolderMoments
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.rig.rig_file import RigFile, read_rig
from shared_encoder_perception.world.rigs.dice_rig import four_cameras
from shared_encoder_perception.world.rigs.drive import RigDrive

MOMENTS = 4
CAMERAS = ("front", "left", "rear", "right")


@pytest.fixture(scope="module")
def driven(tmp_path_factory):
    """Return the folder of a short drive, and what the command said."""
    out = tmp_path_factory.mktemp("vehicle") / "out"
    command = [sys.executable, "-m", "shared_encoder_perception", "demo"]
    options = ["--limit", str(MOMENTS), "--rate", "2", "--out", str(out)]
    done = subprocess.run(
        [*command, *options], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out, done.stdout


def rig_of(out):
    """Return the rig that drove."""
    (path,) = out.glob(f"cache/*/{RIG_FILE}")
    return read_rig(path)


def test_both_nodes_account_for_every_image(driven):
    out, stdout = driven
    summary = json.loads((out / "summary.json").read_text())
    ahead, rig = summary["camera"], summary["rig"]
    assert ahead["published"] == ahead["recorded"] == MOMENTS
    assert ahead["complete"] + ahead["replaced"] + ahead["rejected"] == MOMENTS
    assert ahead["complete"] > 0 and ahead["unexplained"] == 0
    assert tuple(rig["cameras"]) == CAMERAS
    for camera in rig["cameras"].values():
        assert camera["published"] == camera["recorded"] == sum(camera["ends"].values()) == MOMENTS
    assert rig["maps"] == rig["complete"] > 0
    assert f"images    {MOMENTS} in" in stdout and f"front     {MOMENTS} in = " in stdout


def test_one_image_more_is_noticed_by_either(driven):
    out, _ = driven
    file, published = rig_of(out), dict.fromkeys(CAMERAS, MOMENTS)
    assert not summarise(out / "bag", file, published).problems()
    more = summarise(out / "bag", file, {**published, "front": MOMENTS + 1})
    assert more.problems() == [
        "1 images neither came back nor were counted as dropped",
        "1 images of front are in none of the counts",
    ]


def test_the_bag_holds_every_question_and_the_video_every_picture(driven):
    out, _ = driven
    frames = list(VideoSource(out / "overlay.mp4"))
    assert len(frames) == MOMENTS
    assert frames[0].image.shape == (HEIGHT, WIDTH, 3)
    with open_bag(out / "bag") as reader:
        topics = {connection.topic for connection in reader.connections}
    assert {f"/{name}/image" for name in CAMERAS} <= topics
    for name in (*read_artifact(camera_model()).spec.tasks, *tasks.RIG_ROOMS):
        own = {topic.name for topic in tasks.part(name, "content").TOPICS}
        within = "" if tasks.is_rig(name) else "/perception"
        assert {f"{within}/{topic}" for topic in own} & topics, name


def test_the_bag_can_be_replayed_with_each_cameras_lens(driven):
    """By ``replay``, which looks for CameraInfo beside the images, and by ``replay --rig``."""
    out, _ = driven
    file = read_rig(out / RIG_FILE)
    for entry in file.entries:
        infos, problems = read_infos(out / "bag", f"/{entry.name}/image")
        assert not problems and len(infos) == 1, entry.name
        _, lens, why = infos.lens(0, entry.intrinsics.size)
        assert not why and np.allclose(lens.matrix.ravel(), entry.intrinsics.k)
    moments = list(BagMoments(out / "bag", file, 0.1))
    assert len(moments) == MOMENTS
    assert {name for one in moments for name in one.frame.images} == set(CAMERAS)


def test_a_moment_is_of_one_time_and_its_depth_is_in_metres(driven):
    out, _ = driven
    found = list(vehicle_moments(out / "bag", rig_of(out)))
    assert len(found) == MOMENTS
    both = [one for one in found if one.ahead and one.around]
    fresh = [one for one in both if one.ahead.stamp_ns == one.around.stamp_ns == one.stamp_ns]
    assert fresh
    for one in fresh:
        assert np.array_equal(one.ahead.value.pixels, one.around.value.images["front"])
        assert one.ahead.value.perception.answers["depth"].in_metres


# ---- which model, which worlds, which parameters ----------------------------------------------


def test_the_model_answers_all_that_one_image_can_be_asked(tmp_path):
    spec = read_artifact(camera_model()).spec
    asked = set(tasks.ROOMS) - {"foreground"}  # that needs a picture of the empty road
    assert asked <= set(spec.tasks)
    for name in ("surround.onnx", "pair.onnx"):
        (tmp_path / name).symlink_to(FOLDER / name)
    with pytest.raises(ValueError, match="no model for single images"):
        camera_model(tmp_path)
    (tmp_path / DEFAULT_MODEL.name).symlink_to(DEFAULT_MODEL)
    assert camera_model(tmp_path).name == DEFAULT_MODEL.name


def test_the_node_for_one_camera_knows_what_it_is_given():
    file = RigFile.of(vehicle_rig())
    given = camera_node_arguments(file, DEFAULT_MODEL)
    values = [one for flag, one in pairwise(given) if flag == "-p"]
    names = {one.partition(":=")[0] for one in values}
    own = {name for name in names if not name.startswith("qos_overrides.")}
    assert own <= set(all_parameters())
    assert f"depth.source_height_m:={file.entries[0].pose.position[2]}" in values
    rules = [one for flag, one in pairwise(given) if flag == "-r"]
    assert {"__ns:=/perception", "camera_info:=/front/camera_info"} <= set(rules)


def test_the_video_is_of_twenty_seconds_and_its_worlds_are_of_the_validation():
    assert sum(scene.moments for scene in SCENES) / SHOWN_HZ == 20
    assert all(scene.seed > 1_000_000_000 for scene in SCENES)
    assert SCENES[0].split_probability == 1.0


def test_a_shorter_drive_is_the_beginning():
    one, two = Scene(5, 3, 1.0), Scene(6, 4, 2.0)
    assert shortened((one, two), 9) == (one, two)
    assert shortened((one, two), 4) == (one, Scene(6, 1, 2.0))
    assert shortened((one, two), 3) == (one,)


def test_moments_are_the_same_whichever_process_renders_them(tmp_path):
    """More than a few are spread over all cores."""
    rig = Rig(four_cameras((24, 64)).cameras[:1])
    scenes = (Scene(1_000_000_003, 2, 5.0), Scene(1_000_000_292, 8, 1.0))
    folder = rig_clip(tmp_path, "test", rig, scenes)
    moments = [moment.frame.images["front"] for moment in FolderMoments(folder, rig_file(folder))]
    assert len(moments) == 10
    for index, scene, at in ((1, scenes[0], 1), (2, scenes[1], 0), (9, scenes[1], 7)):
        drive = RigDrive(scene.seed, rig, split_probability=0.0, traffic_probability=1.0)
        expected = drive.render(at * scene.metres).images["front"].astype(int)
        assert np.abs(moments[index] - expected).mean() < 4, "but for what JPEG loses"
        assert np.abs(moments[index - 1] - expected).mean() > 4


def rig_file(folder):
    """Return the rig of a clip."""
    return read_rig(folder / RIG_FILE)
