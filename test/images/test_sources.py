# SPDX-License-Identifier: Apache-2.0
"""sources: every kind gives the same frames, reads as it goes, and says clearly what is wrong."""

import json
import tracemalloc

import av
import cv2
import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from shared_encoder_perception.images.bags import BagError, message_folder, open_bag, typestore
from shared_encoder_perception.images.preprocess import Crop
from shared_encoder_perception.images.sources import SourceError, open_source, read_image

SIZE = (64, 160)
STORE = get_typestore(Stores.ROS2_JAZZY)
IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"


def picture(seed):
    return np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), np.uint8)


def message(kind, image, sec):
    types = STORE.types
    stamp = types["builtin_interfaces/msg/Time"](sec=sec, nanosec=7)
    header = types["std_msgs/msg/Header"](stamp=stamp, frame_id="camera")
    if kind == COMPRESSED:
        data = cv2.imencode(".png", image)[1].reshape(-1)
        return types[kind](header=header, format="png", data=data)
    height, width = image.shape[:2]
    fields = {"encoding": "bgr8", "is_bigendian": 0, "step": width * 3, "data": image.reshape(-1)}
    return types[kind](header=header, height=height, width=width, **fields)


def write_bag(path, topics, plugin=StoragePlugin.MCAP, count=3):
    with Writer(path, version=9, storage_plugin=plugin) as writer:
        for topic, kind in topics.items():
            connection = writer.add_connection(topic, kind, typestore=STORE)
            for index in range(count):
                data = STORE.serialize_cdr(message(kind, picture(index), index), kind)
                writer.write(connection, index * 10**9, data)
    return path


def write_video(path, codec, count=20):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 10, SIZE[::-1])
    for index in range(count):
        writer.write(picture(index))
    writer.release()
    return path


def cut(path, share):
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    return path


def write_jsonl(folder, *lines):
    cv2.imwrite(str(folder / "a.png"), picture(0))
    path = folder / "frames.jsonl"
    path.write_bytes(b"".join(line if isinstance(line, bytes) else line.encode() for line in lines))
    return path


def test_folder_is_sorted_and_keeps_its_structure(tmp_path):
    for name in ("b/x.png", "a/y.png", "a/x.PNG", "a/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(cv2.imencode(".png", picture(1))[1].tobytes())
    source = open_source(tmp_path)
    frames = list(source)
    assert [frame.name for frame in frames] == ["a/x.PNG", "a/y.png", "b/x.png"]
    assert len(source) == 3
    assert all(np.array_equal(frame.image, picture(1)) for frame in frames)


def test_one_image_is_a_source(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), picture(0))
    cv2.imwrite(str(tmp_path / "b.png"), picture(1))
    assert [frame.name for frame in open_source(tmp_path / "b.png")] == ["b.png"]


def test_jsonl_gives_each_frame_its_crop(tmp_path):
    cv2.imwrite(str(tmp_path / "b.png"), picture(1))
    lines = ['{"image": "a.png", "crop": [1, 2, 100, 40.0]}\n', "\n", '{"image": "b.png"}\n']
    frames = list(open_source(write_jsonl(tmp_path, *lines)))
    assert [(frame.name, frame.crop) for frame in frames] == [
        ("a.png", Crop(1, 2, 100, 40)),
        ("b.png", None),
    ]
    assert all(isinstance(value, int) for value in frames[0].crop)


def test_the_folder_of_a_native_set_is_the_pictures_that_it_lists(tmp_path):
    """Its masks and depth maps are pictures, too, and none of a camera's."""
    (tmp_path / "masks").mkdir()
    cv2.imwrite(str(tmp_path / "masks/a.png"), np.zeros((8, 8), np.uint8))
    write_jsonl(tmp_path, '{"image": "a.png", "crop": [1, 2, 100, 40], "mask": "masks/a.png"}\n')
    source = open_source(tmp_path)
    assert [(frame.name, frame.crop) for frame in source] == [("a.png", Crop(1, 2, 100, 40))]
    assert len(source) == 1


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not valid JSON"),
        ("[1]", 'expected {"image"'),
        ('{"image": null}', 'expected {"image"'),
        ('{"image": "a.png", "crop": [1, 2, 3]}', 'expected {"image"'),
        ('{"image": "a.png", "crop": [0.5, 0, 100, 40]}', "whole pixels"),
        ('{"image": "a.png", "crop": [Infinity, 0, 100, 40]}', "whole pixels"),
        ('{"image": "a.png", "crop": ["1", 0, 100, 40]}', "whole pixels"),
        (b'{"image": "\xff\xfe"}', 'expected {"image"'),
        ('{"image": "./first.png"}', "is on line 1 already"),
    ],
)
def test_jsonl_faults_name_their_line(tmp_path, line, reason):
    cv2.imwrite(str(tmp_path / "first.png"), picture(1))
    source = open_source(write_jsonl(tmp_path, '{"image": "first.png"}\n', line))
    frames = iter(source)
    next(frames)
    with pytest.raises(SourceError, match="line 2: ") as error:
        next(frames)
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


def test_pictures_that_cannot_be_read_are_left_out_and_told(tmp_path):
    cv2.imwrite(str(tmp_path / "last.png"), picture(1))
    (tmp_path / "bad.png").write_bytes(b"no image")
    lines = ['{"image": "gone.png"}\n', '{"image": "a.png"}\n', '{"image": "bad.png"}\n']
    listed = open_source(write_jsonl(tmp_path, *lines))
    assert [frame.name for frame in listed] == ["a.png"]
    assert ["line 1: there is no image" in listed.problems[0], len(listed.problems)] == [True, 2]
    listed.path.unlink()
    folder = open_source(tmp_path)
    for _ in range(2):  # every reading tells once
        assert [frame.name for frame in folder] == ["a.png", "last.png"]
        (problem,) = folder.problems
        assert "bad.png" in problem


def test_a_folder_of_which_nothing_can_be_read_is_an_error(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(SourceError, match=r"no image of .* can be read: .*a\.png"):
        list(open_source(tmp_path))


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_an_image_cut_off_is_refused_not_filled_with_grey(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    cv2.imwrite(str(path), picture(0))
    assert read_image(path).shape == (*SIZE, 3)
    with pytest.raises(SourceError, match="is truncated"):
        read_image(cut(path, 0.6))


def test_what_is_no_image_is_refused(tmp_path):
    for content in (b"", b"text"):
        (tmp_path / "a.png").write_bytes(content)
        with pytest.raises(SourceError, match="not an image that OpenCV can read"):
            read_image(tmp_path / "a.png")


def test_other_formats_are_read_too(tmp_path):
    cv2.imwrite(str(tmp_path / "a.bmp"), picture(0))
    assert np.array_equal(read_image(tmp_path / "a.bmp"), picture(0))


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "mp4v"), (".avi", "MJPG")])
def test_video(tmp_path, suffix, codec):
    source = open_source(write_video(tmp_path / f"v{suffix}", codec))
    frames = list(source)
    assert len(frames) == len(source) == 20
    assert [frame.name for frame in frames[:2]] == ["frame_000000", "frame_000001"]


@pytest.mark.parametrize(("share", "told"), [(0.5, "broke off at frame"), (0.95, "is cut off: 1")])
def test_a_video_that_breaks_off_gives_what_it_has_and_tells(tmp_path, share, told):
    source = open_source(cut(write_video(tmp_path / "v.avi", "MJPG"), share))
    assert 0.4 * 20 <= len(list(source)) < 20
    (problem,) = source.problems
    assert told in problem and "of 20" in problem


def test_an_mp4_whose_pictures_are_cut_off_is_told(tmp_path):
    path = write_video(tmp_path / "v.mp4", "mp4v")
    fast = tmp_path / "fast.mp4"  # as cameras stream it: the index first
    with (
        av.open(str(path)) as given,
        av.open(str(fast), "w", options={"movflags": "faststart"}) as out,
    ):
        stream = out.add_stream_from_template(given.streams.video[0])
        for packet in given.demux():
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    assert len(list(open_source(fast))) == 20
    source = open_source(cut(fast, 0.97))
    assert len(list(source)) >= 18
    assert "is cut off" in source.problems[0] or "broke off" in source.problems[0]


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_video_that_does_not_open(tmp_path, share):
    path = cut(write_video(tmp_path / "v.mp4", "mp4v"), share)
    with pytest.raises(SourceError, match="not a video that OpenCV can open"):
        open_source(path)


@pytest.mark.parametrize("kind", [IMAGE, COMPRESSED])
@pytest.mark.parametrize("plugin", list(StoragePlugin))
def test_bag(tmp_path, kind, plugin):
    path = write_bag(tmp_path / "bag", {"/camera": kind}, plugin)
    source = open_source(path)
    frames = list(source)
    assert len(frames) == len(source) == 3
    assert [frame.stamp_ns for frame in frames] == [7, 10**9 + 7, 2 * 10**9 + 7]
    assert all(np.array_equal(frame.image, picture(i)) for i, frame in enumerate(frames))
    storage = next(file for file in path.iterdir() if file.suffix in (".mcap", ".db3"))
    assert len(list(open_source(storage))) == 3


def test_bag_with_several_cameras_asks_for_the_topic(tmp_path):
    path = write_bag(tmp_path / "bag", {"/front": IMAGE, "/rear": COMPRESSED})
    with pytest.raises(BagError, match="choose one with --topic: /front, /rear"):
        open_source(path)
    assert len(list(open_source(path, "/rear"))) == 3
    with pytest.raises(BagError, match="no images on '/side'; topics with images: /front, /rear"):
        open_source(path, "/side")


def test_bag_without_images(tmp_path):
    with Writer(tmp_path / "bag", version=9) as writer:
        writer.add_connection("/text", "std_msgs/msg/String", typestore=STORE)
    with pytest.raises(BagError, match="no topic with images; it has /text"):
        open_source(tmp_path / "bag")
    with pytest.raises(BagError, match="has no messages on /camera"):
        open_source(write_bag(tmp_path / "empty", {"/camera": IMAGE}, count=0))


def test_a_wrong_image_in_a_bag_says_which(tmp_path):
    wrong = message(IMAGE, picture(0), 0)
    wrong.encoding = "telepathy"
    with Writer(tmp_path / "bag", version=9) as writer:
        connection = writer.add_connection("/camera", IMAGE, typestore=STORE)
        writer.write(connection, 0, STORE.serialize_cdr(wrong, IMAGE))
    with pytest.raises(SourceError, match="message 0 on /camera: image encoding 'telepathy'"):
        list(open_source(tmp_path / "bag"))


def test_a_ros1_bag_is_named(tmp_path):
    (tmp_path / "old.bag").write_bytes(b"#ROSBAG V2.0")
    with pytest.raises(BagError, match="ROS 1 bag"):
        open_source(tmp_path / "old.bag")


def test_memory_does_not_grow_with_length(tmp_path):
    peaks = []
    for count in (30, 300):
        path = write_bag(
            tmp_path / str(count), {"/camera": IMAGE}, StoragePlugin.SQLITE3, count=count
        )
        tracemalloc.start()
        assert sum(1 for _ in open_source(path)) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 10 * SIZE[0] * SIZE[1] * 3


def test_our_messages_survive_a_bag(tmp_path):
    """A recording can be read by whoever has the package, or even only the bag."""
    store, kind = typestore(), "shared_encoder_perception/msg/ModelInfo"
    assert (message_folder() / "ModelInfo.msg").is_file()
    fields = store.types[kind].__dataclass_fields__
    assert {"name", "sha256", "mask_values"} <= set(fields)
    with Writer(tmp_path / "bag", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        writer.add_connection("/model_info", kind, typestore=store)
    with open_bag(tmp_path / "bag") as reader:
        assert [c.msgtype for c in reader.connections] == [kind]


def test_jsonl_of_the_shared_data_is_understood(tmp_path):
    """The documented format in full: keys that predict does not need do not disturb."""
    record = {
        "image": "a.png",
        "size": [64, 160],
        "crop": [0, 0, 160, 64],
        "lanes": {"ego": [[80, 63], [80, 20]], "left_ego": None},
        "mask": "masks/a.png",
        "pseudo": ["mask"],
    }
    frames = list(open_source(write_jsonl(tmp_path, json.dumps(record))))
    assert frames[0].crop == Crop(0, 0, 160, 64)
