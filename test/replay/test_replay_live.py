# SPDX-License-Identifier: Apache-2.0
"""Live replay: a bag through a real node gives what the offline replay says, image by image."""

import json
from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("shared_encoder_perception.msg", reason="our ROS messages are not built")

import replay_bags
from camera_info_bags import FOCALS, bag_with_infos
from replay_bags import COMPRESSED, IMAGE, drive, replay
from tiny_model import write_models

from shared_encoder_perception.replay.live_result import compare

COUNT = 12


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return write_models(tmp_path_factory.mktemp("models"))


@pytest.mark.parametrize("kind", [IMAGE, COMPRESSED])
def test_live_answers_equal_the_offline_ones(tmp_path, models, kind, capsys):
    bag = replay_bags.write_bag(tmp_path / "bag", drive(COUNT, kind))
    out = tmp_path / "out"
    assert replay(models, bag, out, "--live", "+report") == 0, capsys.readouterr().err
    summary = json.loads((out / "live" / "summary.json").read_text())
    assert summary["published"] == COUNT
    assert summary["perceived"] == summary["equal"] > 0
    assert summary["perceived"] + summary["dropped"] == COUNT
    assert summary["different"] == [] and summary["unaccounted"] == summary["unknown"] == 0
    assert summary["latency_ms"]["images"] == summary["perceived"]
    assert "Live replay of bag" in (out / "live" / "report.html").read_text()

    # The comparison can fail: another line for one image, or none. A busy machine may drop any
    # image but the last, which none is newer than.
    *lines, last = (out / "results.jsonl").read_text().splitlines()
    changed = json.loads(last)
    changed["lanes"]["ego"]["confidence"] += 0.01
    topic = "/image/compressed" if kind == COMPRESSED else "/image"
    for name, texts, different, unknown in (
        ("changed", [*lines, json.dumps(changed)], [["ego"]], 0),
        ("missing", lines, [], 1),
    ):
        other = tmp_path / f"{name}.jsonl"
        other.write_text("\n".join(texts) + "\n")
        result = compare(other, out / "live" / "bag", topic, COUNT)
        assert [one["what"] for one in result["different"]] == different
        assert result["unknown"] == unknown
        assert result["equal"] == summary["perceived"] - 1


def live(tmp_path, model, bag, capsys, *options):
    """Play a bag; return the lines offline and the summary of the live run."""
    out = tmp_path / "out"
    status = replay(SimpleNamespace(tiny=model), bag, out, "--live", *options)
    assert status == 0, capsys.readouterr().err
    summary = json.loads((out / "live" / "summary.json").read_text())
    assert summary["perceived"] == summary["equal"] > 0
    return replay_bags.results(out)[1], summary


def test_what_is_told_once_of_a_model_is_of_no_image(tmp_path, one_task_model, capsys):
    """The names of the classes come in a message without a header, and without a stamp."""
    bag = replay_bags.write_bag(tmp_path / "bag", drive(COUNT))
    _, summary = live(tmp_path, one_task_model("semantic"), bag, capsys)
    assert summary["perceived"] + summary["dropped"] == summary["published"] == COUNT


@pytest.mark.parametrize("options", [(), ("--focal-px", "250")], ids=["info", "option"])
def test_the_node_has_the_lens_of_the_offline_replay(tmp_path, one_task_model, options, capsys):
    """The bag's CameraInfo is played, too, unless the focal length was told."""
    bag = bag_with_infos(tmp_path / "bag", FOCALS)
    lines, _ = live(tmp_path, one_task_model("depth"), bag, capsys, *options)
    assert all(line["depth"]["median_m"] is not None for line in lines)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--live-rate", "0"], "--live-rate is 0"),
        (["--tracking"], "leave out --tracking"),
        (["--crop", "0,0,8,8"], "leave out --tracking and --crop"),
    ],
)
def test_what_cannot_be_live_is_refused_before_the_work(tmp_path, models, options, reason, capsys):
    bag = replay_bags.write_bag(tmp_path / "bag", drive(2))
    assert replay(models, bag, tmp_path / "out", "--live", *options) == 2
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
