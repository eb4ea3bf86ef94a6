# SPDX-License-Identifier: Apache-2.0
"""The soak of a rig with real processes; no time is ever judged here."""

import argparse
import json
import signal
from dataclasses import replace

import numpy as np
import pytest
from rig_drive import RIG, write_place

pytest.importorskip("rclpy", reason="ROS 2 is not installed: make setup")
pytest.importorskip("shared_encoder_perception.msg", reason="the messages are not built")

from shared_encoder_perception.images.picture_file import read_picture
from shared_encoder_perception.rig.rig import Rig
from shared_encoder_perception.rig.rig_file import RigFile, read_rig, write_rig
from shared_encoder_perception.soak import run
from shared_encoder_perception.soak.records import ANSWER, ANSWER_FILE, SENT_BY, SENT_FILE, read
from shared_encoder_perception.soak.rigs import analysis
from shared_encoder_perception.soak.rigs.records import STATES_FILE
from shared_encoder_perception.soak.rigs.source import check_rig, rig_source

LIFTED = ("late-percent", "dropped", "named-s", "active-s")
"""Limits that depend on what else the machine does."""
FAST = "/**:\n  ros__parameters:\n    diagnostics.period_s: 0.2\n    diagnostics.window_s: 1.0\n"
OUTPUTS = 3
"""Messages of a map."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a folder with the model, a rig.yaml, and pictures of each camera."""
    return write_place(tmp_path_factory.mktemp("rig"))


@pytest.fixture
def soak(tmp_path, place):
    """Return the command, with a few pictures and the tiny model; signals are put back."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    (tmp_path / "params.yaml").write_text(FAST)

    def call(*options, rig=place / "rig.yaml"):
        parser = argparse.ArgumentParser()
        run.add_arguments(parser)
        fixed = ["--rig", str(rig), "--images", str(place / "in")]
        fixed += ["--model", str(place / "tiny.onnx"), "--backend", "onnxruntime"]
        fixed += ["--params", str(tmp_path / "params.yaml")]
        free = [*(f"--max-{name}=inf" for name in LIFTED), "--max-memory-percent=20"]
        files = ["--log", str(tmp_path / "log"), "--json", str(tmp_path / "out.json")]
        return run.run(parser.parse_args([*fixed, *free, *files, *options]))

    yield call
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_every_image_is_in_one_number_though_the_first_camera_is_unplugged(soak, tmp_path, capsys):
    assert soak("--seconds", "10", "--unplug", "front") == 0
    assert "every limit was kept" in capsys.readouterr().out
    result = json.loads((tmp_path / "out.json").read_text())
    cameras, maps, (outage,) = result["cameras"], result["maps"], result["outages"]
    assert set(cameras) == set(RIG.names)
    for one in cameras.values():
        assert one["published"] == one["received"] > 0 and one["unaccounted"] == 0
    assert cameras["front"]["published"] < cameras["rear"]["published"]
    assert maps["whole"] == maps["made"] > maps["partial"] > 0
    assert (maps["lost_messages"], maps["foreign"]) == (0, 0)
    assert outage["camera"] == "front" and 0 < outage["named_s"] < outage["out_s"]
    assert (result["resources"]["new_threads"], result["resources"]["new_files"]) == (0, 0)
    # One image more, or one map less, must not be able to pass.
    log, told = tmp_path / "log", json.loads((tmp_path / "log" / "counts.json").read_text())
    sent, answers = read(log / SENT_FILE, SENT_BY), read(log / ANSWER_FILE, ANSWER)
    lines = [json.loads(line) for line in (log / STATES_FILE).read_text().splitlines()]
    meanwhile = [line["cameras"] for line in lines if line["at_ns"] <= sent["sent_ns"].max()]
    dead = {name for said in meanwhile for name, state in said.items() if state == "dead"}
    assert dead == {"front"}
    more = np.append(sent, np.zeros(1, SENT_BY))
    assert analysis.fates(more, RIG.names, told["cameras"])["front"]["unaccounted"] == 1
    assert analysis.maps(sent, answers[1:], told, OUTPUTS)["lost_messages"] == OUTPUTS


def test_a_rig_that_the_node_cannot_use_is_told(soak, tmp_path):
    with (tmp_path / "params.yaml").open("a") as file:
        file.write("    rig.min_cameras: 9\n")
    with pytest.raises(RuntimeError, match=r"no use for the rig: rig.min_cameras is 9, the rig"):
        soak("--seconds", "5")
    assert not (tmp_path / "out.json").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seconds", "3"], "3 s at 10 Hz: expected at least 5 s"),
        (["--rate", "0"], "a rate above 0"),
        (["--overload"], "--overload is for one camera: raise --rate"),
        (["--size", "100x200"], "--size is for one camera: the rig.yaml and --images"),
        (["--transport", "compressed"], "--transport is for one camera"),
        (["--images", "gone"], "--images gone is no folder"),
        (["--unplug", "top"], "--unplug top: the rig has no such camera, but front, left"),
        (["--plot", "gone/out.png"], "there is no folder gone"),
    ],
)
def test_mistakes_cost_no_process(soak, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        soak(*options)
    assert not (tmp_path / "log" / "node.log").exists()


def test_what_is_for_rigs_needs_one(tmp_path):
    parser = argparse.ArgumentParser()
    run.add_arguments(parser)
    with pytest.raises(ValueError, match="--unplug is for --rig, which is not given"):
        run.run(parser.parse_args(["--unplug", "front"]))


def test_a_rig_whose_calibration_comes_on_topics_is_refused(tmp_path):
    entries = [
        replace(one, intrinsics=None, info_topic="/info") if one.name == "left" else one
        for one in RigFile.of(RIG).entries
    ]
    write_rig(tmp_path / "rig.yaml", RigFile(tuple(entries)))
    with pytest.raises(
        ValueError, match=r"camera left has no calibration yet.*intrinsics and pose"
    ):
        check_rig(str(tmp_path / "rig.yaml"))


def test_a_rig_without_pictures_drives_through_the_town(tmp_path):
    two = Rig(RIG.cameras[:2])
    write_rig(tmp_path / "rig.yaml", RigFile.of(two))
    source = rig_source(str(tmp_path / "rig.yaml"), None, tmp_path / "log", tmp_path / "cache")
    assert source.sizes == {one.name: one.view.camera.image_size for one in two.cameras}
    assert [one.topic for one in read_rig(source.file).entries] == ["front/image", "left/image"]
    for name, size in source.sizes.items():
        first, second, *_ = sorted((source.pictures / name).iterdir())
        assert read_picture(first).shape == (*size, 3)
        assert not np.array_equal(read_picture(first), read_picture(second)), "it drives"
