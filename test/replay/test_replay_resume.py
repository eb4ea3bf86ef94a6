# SPDX-License-Identifier: Apache-2.0
"""replay that was killed, or is in the way: it goes on to the same bytes, and destroys nothing."""

import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import replay_bags
from patience import PATIENCE_S
from replay_bags import TOPIC, arguments, drive, replay, stamps
from tiny_model import write_models

from shared_encoder_perception.images.bags import open_bag
from shared_encoder_perception.images.sources import VideoSource
from shared_encoder_perception.labels.disk_index import DiskIndex
from shared_encoder_perception.replay import checkpoint as checkpoints
from shared_encoder_perception.replay import run

COUNT, EVERY = 120, 5


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return write_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    return replay_bags.write_bag(tmp_path_factory.mktemp("drive") / "bag", drive(COUNT))


def kill_midway(models, bag, out, *options):
    """Run the command in a process and kill it after a few checkpoints; say how far it was."""
    command = arguments(models, bag, out, "--checkpoint-every", EVERY, *options)
    process = subprocess.Popen(
        [sys.executable, "-m", "shared_encoder_perception", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        found = checkpoints.read(out) if out.is_dir() else None
        if found is not None and found.frames >= 2 * EVERY:
            break
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    left = checkpoints.read(out)
    assert left is not None and EVERY <= left.frames < COUNT and not left.done
    return left.frames


def without_times(out):
    told = replay_bags.summary(out)
    for name in ("throughput", "latency_ms"):
        del told[name]
    return told


@pytest.mark.parametrize("tracking", [[], ["--tracking"]], ids=["single", "tracked"])
def test_killed_and_resumed_gives_the_same_bytes(tmp_path, models, bag, tracking):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    kill_midway(models, bag, killed, *tracking)
    assert not (killed / "results.jsonl").exists()
    assert replay(models, bag, killed, "--resume", *tracking) == 0
    assert replay(models, bag, whole, *tracking) == 0
    assert (killed / "results.jsonl").read_bytes() == (whole / "results.jsonl").read_bytes()
    assert without_times(killed) == without_times(whole)
    assert len((killed / "timings.jsonl").read_text().splitlines()) == COUNT
    assert not list(killed.glob("*.part*"))


def test_killed_and_resumed_gives_the_whole_bag_and_video(tmp_path, models, bag):
    out = tmp_path / "out"
    kill_midway(models, bag, out, "+bag", "+video")
    assert replay(models, bag, out, "+bag", "+video", "--resume") == 0
    assert len(list(VideoSource(out / "overlay.mp4"))) == COUNT
    with open_bag(out / "bag") as reader:
        found = [
            message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
            for connection, _, data in reader.messages()
            if connection.topic == "/lane_lines"
            for message in [reader.deserialize(data, connection.msgtype)]
        ]
    assert found == stamps(COUNT)


def test_interrupted_while_drawing_only_the_drawing_is_done_again(
    tmp_path, models, bag, monkeypatch
):
    def fail(*_, **__):
        raise RuntimeError("the disk is full")

    out, options = tmp_path / "out", ("+bag", "--limit", 6)
    with monkeypatch.context() as patch:
        patch.setattr(run, "write_pictures", fail)
        assert replay(models, bag, out, *options) == 2
    before = (out / "timings.jsonl").read_bytes()
    assert not (out / "summary.json").exists()
    assert replay(models, bag, out, *options, "--resume") == 0
    assert (out / "timings.jsonl").read_bytes() == before
    assert (out / "bag" / "metadata.yaml").exists()
    assert replay_bags.summary(out)["perceived"] == 6


def test_several_bags_are_resumed_where_they_were(tmp_path, models, bag):
    second = replay_bags.write_bag(tmp_path / "second", drive(3))
    out = tmp_path / "out"
    assert replay(models, bag, out / "bag", "--limit", 3) == 0
    before = (out / "bag" / "summary.json").read_bytes()
    assert replay(models, bag, out, str(second), "--limit", 3, "--resume") == 0
    assert (out / "bag" / "summary.json").read_bytes() == before
    assert len(replay_bags.results(out / "second")[1]) == 3


def unfinished(models, bag, out):
    """Leave a replay as one that was killed after its last checkpoint."""
    kill_midway(models, bag, out)
    return out


def test_killed_before_the_first_checkpoint_starts_anew(tmp_path, models, bag):
    out = unfinished(models, bag, tmp_path / "out")
    (out / checkpoints.NAME).unlink()
    assert replay(models, bag, out, "--resume", "--limit", 3) == 0
    assert len(replay_bags.results(out)[1]) == 3


def test_an_unfinished_replay_is_in_the_way_until_told(tmp_path, models, bag, capsys):
    out = unfinished(models, bag, tmp_path / "out")
    assert replay(models, bag, out) == 2
    assert "holds an unfinished replay: go on with --resume" in capsys.readouterr().err
    assert replay(models, bag, out, "--resume", "--limit", 50) == 2
    assert "limit was None and is 50: start anew with --force" in capsys.readouterr().err
    assert replay(models, bag, out, "--force", "--limit", 3) == 0
    assert len(replay_bags.results(out)[1]) == 3


def test_a_finished_replay_is_replaced_only_when_told(tmp_path, models, bag, capsys):
    out = tmp_path / "out"
    assert replay(models, bag, out, "--limit", 3) == 0
    assert replay(models, bag, out, "--limit", 3) == 2
    assert "holds a finished replay" in capsys.readouterr().err
    assert replay(models, bag, out, "--limit", 2, "--resume") == 2
    assert "limit was 3 and is 2" in capsys.readouterr().err
    assert replay(models, bag, out, "--limit", 3, "--resume") == 0
    assert "is finished already" in capsys.readouterr().out
    assert len(replay_bags.results(out)[1]) == 3
    assert replay(models, bag, out, "--limit", 2, "--force") == 0
    assert len(replay_bags.results(out)[1]) == 2


def test_what_is_not_ours_is_never_removed(tmp_path, models, bag, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "results.jsonl").write_text("mine")
    assert replay(models, bag, out, "--force") == 2
    assert "was not written by this command" in capsys.readouterr().err
    assert (out / "results.jsonl").read_text() == "mine"


def test_a_bag_in_the_results_is_not_replaced_by_its_own_replay(tmp_path, models, capsys):
    source = replay_bags.write_bag(tmp_path / "first", drive(3))
    out = tmp_path / "out"
    assert replay(models, source, out, "+bag") == 0
    options = ("--force", "--topic", "/drivable_surface/mask")
    assert replay(models, out / "bag", out, *options) == 2
    assert "is a result in" in capsys.readouterr().err
    assert replay(models, out / "bag", tmp_path / "again", *options[1:]) == 0
    assert replay_bags.results(tmp_path / "again")[0]["topic"] != TOPIC


@pytest.mark.parametrize(
    "forged",
    [b"", b"text", pickle.dumps(os.getcwd), pickle.dumps(np.zeros(3)), b"\x80\x04K\x01."],
    ids=["empty", "text", "a function", "another class", "a number"],
)
def test_a_forged_checkpoint_is_refused_and_runs_nothing(tmp_path, forged):
    (tmp_path / checkpoints.NAME).write_bytes(forged)
    with pytest.raises(ValueError, match="start anew with --force"):
        checkpoints.read(tmp_path)


def reforge(out, **changes):
    """Change what a checkpoint says."""
    path = out / checkpoints.NAME
    path.write_bytes(pickle.dumps(replace(checkpoints.read(out), **changes)))


@pytest.fixture(scope="module")
def broken_off(tmp_path_factory, models, bag):
    return unfinished(models, bag, tmp_path_factory.mktemp("broken off") / "out")


@pytest.fixture
def left(tmp_path, broken_off):
    """A copy of what a killed replay left, beside a file that must survive."""
    shutil.copytree(broken_off, tmp_path / "out")
    (tmp_path / "victim").write_text("mine")
    yield tmp_path / "out"
    assert (tmp_path / "victim").read_text() == "mine"


@pytest.mark.parametrize("name", ["{}/victim", "../victim", "summary.json", "", 5, None])
@pytest.mark.parametrize("length", [0, 4])
def test_a_forged_checkpoint_names_no_other_file(left, models, bag, capsys, name, length):
    name = name.format(left.parent) if isinstance(name, str) else name
    reforge(left, lengths={name: length})
    assert replay(models, bag, left, "--resume") == 2
    assert "lengths names" in capsys.readouterr().err


@pytest.mark.parametrize("link", [os.symlink, os.link])
@pytest.mark.parametrize("name", sorted(checkpoints.GROWING))
def test_a_link_in_the_results_is_not_written_through(left, models, bag, capsys, link, name):
    (left / name).unlink(missing_ok=True)
    link(left.parent / "victim", left / name)
    assert replay(models, bag, left, "--resume") == 2
    assert "is a link to another file" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["results.jsonl.part", "overlay.mp4.part"])
def test_a_link_to_nothing_makes_no_file_there(tmp_path, models, bag, capsys, name):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).symlink_to(tmp_path / "new")
    assert replay(models, bag, tmp_path / "out", "--limit", 3) == 2
    assert "was not written by this command" in capsys.readouterr().err
    (tmp_path / "out/.shared_encoder_perception_replay").touch()
    assert replay(models, bag, tmp_path / "out", "--limit", 3, "--force") == 0
    assert not (tmp_path / "new").exists()


def test_a_planted_link_is_replaced_and_not_followed(left, models, bag):
    for name in ("checkpoint.part.new", "overlay.mp4.part", "summary.json.part", "bag.part"):
        os.link(left.parent / "victim", left / name)
    assert replay(models, bag, left, "--resume") == 0


FIELDS = [
    *({"lengths": {"results.jsonl.part": size}} for size in (-1, 1.5, "9", None)),
    *({"frames": value} for value in (-1, None, "3", True)),
    *({name: 5} for name in ("conditions", "lengths", "alone", "drive", "tallies", "problems")),
    *({name: None} for name in ("done", "complete", "elapsed_s")),
]


@pytest.mark.parametrize("changes", FIELDS, ids=str)
def test_a_field_of_another_kind_is_no_checkpoint(left, changes):
    reforge(left, **changes)
    with pytest.raises(ValueError, match=r"cannot be used: .*start anew with --force"):
        checkpoints.read(left)


def test_a_checkpoint_makes_no_object_that_writes_files(tmp_path):
    forged = pickle.dumps(DiskIndex)
    (tmp_path / checkpoints.NAME).write_bytes(forged)
    with pytest.raises(ValueError, match="does not belong into it"):
        checkpoints.read(tmp_path)


@pytest.mark.parametrize("text", ["", "5", "{}", '{"conditions": 5, "status": 0}', "[]"])
def test_a_file_that_is_no_summary_is_told(left, models, bag, capsys, text):
    (left / "summary.json").write_text(text)
    assert replay(models, bag, left, "--resume") == 2
    assert "is no summary" in capsys.readouterr().err


def test_files_that_lost_their_end_are_not_gone_on_with(tmp_path, models, bag, capsys):
    out = unfinished(models, bag, tmp_path / "out")
    (out / "results.jsonl.part").write_bytes(b"")
    assert replay(models, bag, out, "--resume") == 2
    assert "is not what it was at the checkpoint" in capsys.readouterr().err
