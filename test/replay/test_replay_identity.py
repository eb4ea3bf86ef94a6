# SPDX-License-Identifier: Apache-2.0
"""replay goes on with the same drive only, whatever another one is called."""

import os
import shutil

import pytest
import replay_bags
from replay_bags import drive, replay, stamps
from rosbags.rosbag2 import StoragePlugin
from tiny_model import write_models

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.images import bag_identity as identities
from shared_encoder_perception.images.bag_identity import bag_identity
from shared_encoder_perception.replay import checkpoint as checkpoints
from shared_encoder_perception.replay import run


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return write_models(tmp_path_factory.mktemp("models"))


def two_drives(folder, count=4):
    """Return two bags of one name, with the same stamps and other images."""
    (folder / "a").mkdir()
    (folder / "b").mkdir()
    one = replay_bags.write_bag(folder / "a" / "bag", drive(count))
    other = replay_bags.write_bag(folder / "b" / "bag", drive(count, stamp_ns=stamps(count)))
    path = other / "bag.mcap"
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1  # a single pixel
    path.write_bytes(content)
    return one, other


def interrupt(models, bag, out, monkeypatch):
    """Leave a replay behind that was killed before its pictures were drawn."""

    def fail(*_, **__):
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(run, "write_pictures", fail)
        assert replay(models, bag, out, "+bag") == 2


def test_an_unfinished_replay_goes_on_with_the_same_drive_only(
    tmp_path, models, monkeypatch, capsys
):
    one, other = two_drives(tmp_path)
    out = tmp_path / "out"
    interrupt(models, one, out, monkeypatch)
    assert replay(models, other, out, "+bag", "--resume") == 2
    assert "bag_content was" in capsys.readouterr().err
    moved = shutil.copytree(one, tmp_path / "elsewhere" / "bag")
    for path in moved.iterdir():
        os.utime(path, (0, 0))
    assert replay(models, moved, out, "+bag", "--resume") == 0


def test_a_finished_replay_is_not_taken_for_that_of_another_drive(tmp_path, models, capsys):
    one, other = two_drives(tmp_path)
    out = tmp_path / "out"
    assert replay(models, one, out) == 0
    assert replay(models, one, out, "--resume") == 0
    assert replay(models, other, out, "--resume") == 2
    assert "start anew with --force" in capsys.readouterr().err


def test_of_several_bags_another_drive_is_refused_and_the_others_are_replayed(
    tmp_path, models, capsys
):
    one, other = two_drives(tmp_path)
    second = replay_bags.write_bag(tmp_path / "second", drive(3))
    out = tmp_path / "out"
    assert replay(models, one, out, second) == 0
    assert replay(models, other, out, second, "--resume") == 2
    assert "bag_content was" in capsys.readouterr().err
    assert replay_bags.summary(out)["status"] == 2


def test_a_checkpoint_that_does_not_know_its_drive_is_refused(
    tmp_path, models, monkeypatch, capsys
):
    one, _ = two_drives(tmp_path)
    out = tmp_path / "out"
    interrupt(models, one, out, monkeypatch)
    at = checkpoints.read(out)
    del at.conditions["bag_content"]
    checkpoints.write(out, at)
    assert replay(models, one, out, "+bag", "--resume") == 2
    assert "bag_content was None" in capsys.readouterr().err
    assert replay(models, one, out, "--force") == 0


def test_replays_of_two_drives_of_one_name_are_not_compared(tmp_path, models, capsys):
    bags = two_drives(tmp_path)
    for bag, name in zip(bags, "xy", strict=True):
        assert replay(models, bag, tmp_path / name) == 0
    arguments = ["diff", str(tmp_path / "x"), str(tmp_path / "y"), "--out", str(tmp_path / "diff")]
    assert main([*arguments, "--no-report"]) == 2
    assert "are not of the same input: bag_content is" in capsys.readouterr().err


@pytest.mark.parametrize("plugin", list(StoragePlugin))
def test_of_a_large_bag_only_parts_are_read(tmp_path, monkeypatch, plugin):
    bag = replay_bags.write_bag(tmp_path / "bag", drive(6), plugin)
    (path,) = (file for file in bag.iterdir() if file.suffix != ".yaml")
    whole = bag_identity(bag)
    assert whole == bag_identity(path)
    monkeypatch.setattr(identities, "WHOLE", 2**20)
    part = bag_identity(bag)
    assert part != whole and part == bag_identity(bag)
    later = replay_bags.write_bag(
        tmp_path / "later", [(topic, at_ns + 1, image) for topic, at_ns, image in drive(6)], plugin
    )
    assert bag_identity(later) != part
    (bag / "metadata.yaml").unlink()
    assert bag_identity(bag) == part
