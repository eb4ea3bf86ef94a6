# SPDX-License-Identifier: Apache-2.0
"""replay on bags that are not in order: what can be read is replayed, what is wrong is told."""

import re
import shutil
from collections import Counter

import numpy as np
import pytest
import replay_bags
from replay_bags import IMAGE, START_NS, TOPIC, drive, replay, stamps
from rosbags.rosbag2 import CompressionMode, StoragePlugin, Writer
from tiny_model import write_models

from shared_encoder_perception.images.bags import storage_files, typestore
from shared_encoder_perception.images.unpacking import ZSTD_MAGIC

COUNT = 12


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return write_models(tmp_path_factory.mktemp("models"))


def cut(bag, share):
    """Cut the bag's only file off."""
    (path,) = storage_files(bag)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    return bag


def seen(out):
    return [line["stamp_ns"] for line in replay_bags.results(out)[1] if "lanes" in line]


@pytest.mark.parametrize("mode", [CompressionMode.NONE, CompressionMode.STORAGE])
def test_the_beginning_of_a_truncated_mcap_is_replayed(tmp_path, models, capsys, mode):
    bag = cut(replay_bags.write_bag(tmp_path / "bag", drive(COUNT), mode=mode), 0.6)
    out = tmp_path / "out"
    assert replay(models, bag, out) == 1
    found = seen(out)
    assert 2 <= len(found) < COUNT
    assert found == stamps(COUNT)[: len(found)]
    error = capsys.readouterr().err
    assert "warning: bag.mcap is damaged: its end is cut off or damaged" in error
    told = replay_bags.summary(out)
    assert told["status"] == 1
    assert "bag.mcap is damaged" in told["problems"][0]
    assert told["frames"] == told["perceived"] == len(found)


def test_a_truncated_bag_whose_file_is_compressed_is_replayed_too(tmp_path, models):
    bag = replay_bags.write_bag(tmp_path / "bag", drive(COUNT), mode=CompressionMode.FILE)
    assert replay(models, cut(bag, 0.6), tmp_path / "out") == 1
    assert seen(tmp_path / "out") == stamps(COUNT)[: len(seen(tmp_path / "out"))]
    assert len(seen(tmp_path / "out")) >= 2
    assert "bag.mcap.zstd is damaged" in replay_bags.summary(tmp_path / "out")["problems"][0]


@pytest.mark.parametrize(
    ("share", "reason"), [(0.0, "nothing of bag.mcap can be read"), (0.01, "has no topic")]
)
def test_a_bag_of_which_nothing_is_left_is_refused(tmp_path, models, capsys, share, reason):
    bag = cut(replay_bags.write_bag(tmp_path / "bag", drive(COUNT)), share)
    assert replay(models, bag, tmp_path / "out") == 2
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_one_damaged_chunk_costs_its_own_images_only(tmp_path, models):
    bag = replay_bags.write_bag(tmp_path / "bag", drive(COUNT), mode=CompressionMode.STORAGE)
    (path,) = storage_files(bag)
    data = path.read_bytes()
    at = data.index(ZSTD_MAGIC, len(data) // 2)  # the beginning of a chunk
    path.write_bytes(data[:at] + bytes(8) + data[at + 8 :])
    assert replay(models, bag, tmp_path / "out") == 1
    found = seen(tmp_path / "out")
    problems = replay_bags.summary(tmp_path / "out")["problems"]
    lost = int(re.search(r"with its (\d+) messages is lost: it cannot be unpacked", problems[0])[1])
    assert 0 < lost < 4 and len(found) == COUNT - lost
    assert found == sorted(found) and found[-1] == stamps(COUNT)[-1]
    assert problems[1] == f"{len(found)} of {COUNT} messages on {TOPIC} could be read"


@pytest.mark.parametrize("plugin", list(StoragePlugin))
@pytest.mark.parametrize("mode", [CompressionMode.NONE, CompressionMode.MESSAGE])
def test_without_metadata_the_files_are_read_directly(tmp_path, models, capsys, plugin, mode):
    bag = replay_bags.write_bag(tmp_path / "bag", drive(COUNT), plugin, mode)
    (bag / "metadata.yaml").unlink()
    assert replay(models, bag, tmp_path / "out") == 1
    assert seen(tmp_path / "out") == stamps(COUNT)
    assert "has no metadata.yaml" in capsys.readouterr().err


def test_without_metadata_files_come_in_the_order_of_their_numbers(tmp_path, models):
    bag = tmp_path / "bag"
    bag.mkdir()
    for part in range(11):
        other = replay_bags.write_bag(tmp_path / f"bag_{part}", [drive(11)[part]])
        shutil.copy(other / f"bag_{part}.mcap", bag)
    assert replay(models, bag, tmp_path / "out") == 1
    assert seen(tmp_path / "out") == stamps(11)


def test_a_missing_file_of_several_is_told_and_the_others_are_replayed(tmp_path, models):
    bag = replay_bags.write_bag(tmp_path / "bag", drive(COUNT))
    text = (bag / "metadata.yaml").read_text()
    listed = "relative_file_paths:\n  - bag.mcap\n"
    (bag / "metadata.yaml").write_text(text.replace(listed, f"{listed}  - bag_1.mcap\n"))
    assert replay(models, bag, tmp_path / "out") == 1
    assert seen(tmp_path / "out") == stamps(COUNT)
    assert "bag_1.mcap" in replay_bags.summary(tmp_path / "out")["problems"][0]


def write_foreign(path, definition, images):
    """Write a bag in which a topic beside the images has a type of somebody else's."""
    store = typestore()
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        foreign = writer.add_connection(
            "/foreign", "their_msgs/msg/Thing", msgdef=definition, rihs01="RIHS01_" + 64 * "0"
        )
        camera = images and writer.add_connection(TOPIC, IMAGE, typestore=store)
        for topic, at_ns, message in drive(3):
            writer.write(foreign, at_ns, bytes(8))
            if images:
                assert topic == TOPIC
                writer.write(camera, at_ns, store.serialize_cdr(message, IMAGE))
    return path


@pytest.mark.parametrize("definition", ["their_msgs/Part part\n", "]] no definition [[", "int32 x"])
def test_what_another_topic_has_does_not_matter(tmp_path, models, definition):
    """Neither a type that nobody defines, nor one whose hash in the metadata does not fit."""
    bag = write_foreign(tmp_path / "bag", definition, images=True)
    assert replay(models, bag, tmp_path / "out") == 0
    assert seen(tmp_path / "out") == stamps(3)
    assert replay_bags.summary(tmp_path / "out")["problems"] == []


def test_metadata_that_contradict_the_type_of_the_images_are_told(tmp_path, models):
    bag = replay_bags.write_bag(tmp_path / "bag", drive(3))
    text = (bag / "metadata.yaml").read_text()
    (said,) = set(re.findall(r"RIHS01_\w+", text))
    (bag / "metadata.yaml").write_text(text.replace(said, "RIHS01_" + 64 * "0"))
    assert replay(models, bag, tmp_path / "out") == 1
    assert seen(tmp_path / "out") == stamps(3)
    assert "hash mismatch" in replay_bags.summary(tmp_path / "out")["problems"][0]


def test_images_of_an_unknown_type_are_named(tmp_path, models, capsys):
    bag = write_foreign(tmp_path / "bag", "int32 x", images=False)
    assert replay(models, bag, tmp_path / "out") == 2
    assert "has no topic with images; it has /foreign (their_msgs/msg/Thing)" in (
        capsys.readouterr().err
    )
    assert replay(models, bag, tmp_path / "out", "--topic", "/foreign") == 2
    assert "which carries their_msgs/msg/Thing" in capsys.readouterr().err


def test_a_message_that_cannot_be_deserialised_costs_one_image(tmp_path, models):
    store = typestore()
    path = tmp_path / "bag"
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        camera = writer.add_connection(TOPIC, IMAGE, typestore=store)
        for index, (_, at_ns, message) in enumerate(drive(4)):
            data = bytes(store.serialize_cdr(message, IMAGE))
            writer.write(camera, at_ns, data[:30] if index == 1 else data)
    assert replay(models, path, tmp_path / "out") == 1
    _, lines = replay_bags.results(tmp_path / "out")
    assert [line.get("skipped") for line in lines] == [None, "rejected", None, None]
    assert "cannot be read" in lines[1]["why"]
    assert replay_bags.summary(tmp_path / "out")["problems"] == [
        f"1 images were skipped as rejected, the first: {lines[1]['why']}"
    ]


ODD = {
    "late": (3, [0, 1, 3, 2, 4, 5], "1 images are stamped before the one before them"),
    "jumps": (3, [20, 21, 22, 0, 1, 2], "1 times the stamps jump back"),
    "duplicate": (3, [0, 1, 1, 2, 3, 4], "1 images have the stamp of the one before them"),
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("tracking", [False, True])
def test_stamps_out_of_order_are_told_and_every_image_is_perceived(
    tmp_path, models, kind, tracking
):
    _, order, problem = ODD[kind]
    given = [START_NS + 50_000_000 * place for place in order]
    bag = replay_bags.write_bag(tmp_path / "bag", drive(len(order), stamp_ns=given))
    assert replay(models, bag, tmp_path / "out", *(["--tracking"] if tracking else [])) == 1
    _, lines = replay_bags.results(tmp_path / "out")
    assert [line["stamp_ns"] for line in lines] == given
    problems = replay_bags.summary(tmp_path / "out")["problems"]
    assert problem in problems
    # The node, too, drops late images, and a tracker cannot go back.
    skipped = Counter(line["skipped"] for line in lines if "skipped" in line)
    assert skipped == ({"late": 1} if (kind, tracking) == ("late", True) else {})
    assert np.isfinite(replay_bags.summary(tmp_path / "out")["temporal"]["ego/flicker_hz"])


def test_images_without_stamps_are_perceived_and_told(tmp_path, models):
    bag = replay_bags.write_bag(tmp_path / "bag", drive(3, stamp_ns=[0, 0, 0]))
    assert replay(models, bag, tmp_path / "out") == 1
    assert len(seen(tmp_path / "out")) == 3
    assert replay_bags.summary(tmp_path / "out")["problems"] == ["3 images have no stamp"]


def test_a_topic_without_messages_is_told_with_those_that_have_some(tmp_path, models, capsys):
    topics = [("/rear", IMAGE)]
    bag = replay_bags.write_bag(tmp_path / "bag", drive(2), topics=topics)
    assert replay(models, bag, tmp_path / "out", "--topic", "/rear") == 2
    error = capsys.readouterr().err
    assert f"has no messages on /rear; topics with messages: {TOPIC} (2)" in error


def test_two_topics_with_images_need_a_choice(tmp_path, models, capsys):
    messages = drive(2)
    messages += [("/rear", at_ns, message) for _, at_ns, message in drive(1)]
    bag = replay_bags.write_bag(tmp_path / "bag", messages)
    assert replay(models, bag, tmp_path / "out") == 2
    assert f"choose one with --topic: {TOPIC}, /rear" in capsys.readouterr().err
    assert replay(models, bag, tmp_path / "out", "--topic", "/rear") == 0
    assert len(seen(tmp_path / "out")) == 1
