# SPDX-License-Identifier: Apache-2.0
"""Rosbag2 files without ROS: open, check, and know our own message types."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from shared_encoder_perception.files.installed import PACKAGE, beside_the_code
from shared_encoder_perception.files.plain_file import plain
from shared_encoder_perception.files.safe_text import printable
from shared_encoder_perception.images.bag_parts import ROS_ENCODING, Connection
from shared_encoder_perception.images.listing import is_left_behind, pictures_in
from shared_encoder_perception.images.own_topics import IMAGE_TYPES, is_ours

if TYPE_CHECKING:
    from shared_encoder_perception.images.bag_reader import Bag

METADATA: Final = "metadata.yaml"
STORAGE_SUFFIXES: Final = (".mcap", ".db3")
COMPRESSED: Final = ".zstd"
ROS1_SUFFIX: Final = ".bag"


class BagError(ValueError):
    """A bag that cannot be used; the message says why and what to do."""

    def __init__(self, message: str) -> None:
        """Keep the message on one line, whatever names the bag holds."""
        super().__init__(printable(message))


def message_folder() -> Path:
    """Return the folder with our ``.msg`` files: in the source tree, or installed beside it.

    Raises:
        BagError: Neither is there, e.g. where the code alone was copied.
    """
    try:
        return beside_the_code("msg/LaneLine.msg").parent
    except FileNotFoundError as error:
        raise BagError(str(error)) from None


@lru_cache(maxsize=1)
def typestore() -> Any:
    """Return rosbags' type store of ROS 2 Jazzy with our messages added."""
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    store = get_typestore(Stores.ROS2_JAZZY)
    types: dict[str, Any] = {}
    for path in sorted(message_folder().glob("*.msg")):
        types.update(get_types_from_msg(path.read_text(), f"{PACKAGE}/msg/{path.stem}"))
    store.register(types)
    return store


def is_bag(path: Path) -> bool:
    """Tell a rosbag2 folder, or one of its storage files, from anything else."""
    if path.is_dir():
        return _is_ros2(path) or (_is_ros1(path) and not pictures_in(path, below=True))
    return path.suffix == ROS1_SUFFIX or _plain_suffix(path) in STORAGE_SUFFIXES


def _is_ros2(folder: Path) -> bool:
    """Whether a folder holds a rosbag2."""
    return (folder / METADATA).is_file() or bool(storage_files(folder))


def _is_ros1(folder: Path) -> bool:
    """Whether a folder holds bags of ROS 1."""
    return any(child.suffix == ROS1_SUFFIX for child in folder.iterdir())


def bag_name(path: Path) -> str:
    """Return a bag's name, the same wherever it lies."""
    path = path.resolve()
    return path.parent.name if is_part(path) else path.name


def is_part(path: Path) -> bool:
    """Whether a path is a file of a bag rather than a bag."""
    return path.is_file() and (path.parent / METADATA).is_file()


def storage_files(path: Path) -> list[Path]:
    """Return a bag's files in the order of their numbers."""
    if path.is_file():
        return [path]
    files = [
        child
        for child in path.iterdir()
        if _plain_suffix(child) in STORAGE_SUFFIXES
        and child.is_file()
        and not is_left_behind(Path(child.name))
    ]
    return sorted(files, key=lambda file: [int(n) for n in re.findall(r"\d+", file.name)])


def _plain_suffix(path: Path) -> str:
    """Return the suffix without that of compression."""
    return path.with_suffix("").suffix if path.suffix == COMPRESSED else path.suffix


@contextmanager
def open_bag(path: Path) -> Iterator[Bag]:
    """Open a bag for reading, as a context manager; what of it is lost, is in ``problems``.

    Raises:
        BagError: No bag, a ROS 1 bag, or nothing of it can be read.
    """
    from shared_encoder_perception.images.bag_reader import Bag  # needs rosbags

    path = path.parent if is_part(path) else plain(path)
    if not path.exists():
        raise BagError(f"there is no bag {path}: give the folder that holds metadata.yaml")
    if path.suffix == ROS1_SUFFIX or (path.is_dir() and not _is_ros2(path) and _is_ros1(path)):
        raise BagError(f"{path} is a ROS 1 bag: convert it with `rosbags-convert`")
    with ExitStack() as stack:
        yield Bag(path, stack)


def read_messages(
    reader: Bag, path: Path, connections: Sequence[Connection] = ()
) -> Iterator[tuple[Connection, int, Any]]:
    """Yield ``(connection, arrival in ns, deserialised message)`` in the order of the bag.

    Args:
        reader: From ``open_bag``.
        path: Of the bag, for messages.
        connections: Which to read; all when empty.

    Raises:
        BagError: A message is damaged, or of a type that is not known.
    """
    for number, (connection, arrived_ns, data) in enumerate(reader.messages(connections), start=1):
        try:
            message = reader.deserialize(data, connection.msgtype)
        except Exception as error:  # rosbags raises many types
            raise BagError(
                f"the bag {path} is damaged: cannot read message {number}: {first_line(error)}"
            ) from None
        yield connection, arrived_ns, message


def images_of(reader: Bag, topic: str) -> list[Connection]:
    """Return what carries the images of a topic."""
    return [c for c in reader.connections if c.topic == topic and c.msgtype in IMAGE_TYPES]


def pictures_beside(reader: Bag, image: str, names: Sequence[str]) -> dict[str, str]:
    """Return the topics of pictures that belong to images, by their names, of those there are.

    Args:
        reader: From ``open_bag``.
        image: Topic of the images; they are looked for beside it, then at the root.
        names: Of the pictures, such as ``"background"``.
    """
    suffix, found = "/compressed", dict[str, str]()
    beside = image.removesuffix(suffix).rpartition("/")[0]
    for name in names:
        for topic in (
            f"{beside}/{name}",
            f"{beside}/{name}{suffix}",
            f"/{name}",
            f"/{name}{suffix}",
        ):
            if topic != image and images_of(reader, topic):
                found.setdefault(name, topic)
    return found


def image_topic(reader: Bag, path: Path, topic: str | None) -> str:
    """Choose the topic with the camera images: the only one, beside those of our own node.

    Args:
        reader: From ``open_bag``.
        path: Of the bag, for messages.
        topic: What the user asked for, or ``None``.

    Raises:
        BagError: No such topic, none with images, several and none was chosen, or images that are
            not serialised as ROS 2 does it.
    """
    found = {item.topic: item for item in reader.connections if item.msgtype not in IMAGE_TYPES}
    images = {item.topic: item for item in reader.connections if item.msgtype in IMAGE_TYPES}
    why = f" ({'; '.join(reader.problems)})" if reader.problems else ""
    if topic is not None:
        if topic not in images:
            other = f", which carries {found[topic].msgtype}" if topic in found else ""
            raise BagError(
                f"{path} has no images on {topic!r}{other}{_ros1_hint(found.get(topic))}; topics "
                f"with images: {', '.join(sorted(images)) or 'none'}{why}"
            )
    elif not images:
        others = [f"{name} ({item.msgtype or 'no type'})" for name, item in sorted(found.items())]
        hint = next(filter(None, map(_ros1_hint, found.values())), "")
        raise BagError(
            f"{path} has no topic with images{hint}; it has {', '.join(others) or 'no topics'}{why}"
        )
    else:
        cameras = [name for name in sorted(images) if not is_ours(name)]
        if len(images) > 1 and len(cameras) != 1:
            ours = "" if cameras else ", all of them of our own node, and none of a camera"
            raise BagError(
                f"{path} has images on {len(images)} topics{ours}: choose one with --topic: "
                f"{', '.join(sorted(images))}"
            )
        topic = (cameras or list(images))[0]
    if images[topic].encoding != ROS_ENCODING:
        raise BagError(
            f"{path}: the images on {topic} are serialised as {images[topic].encoding!r}, expected "
            f"{ROS_ENCODING!r}: convert the bag"
        )
    return topic


def check_not_empty(reader: Bag, path: Path, topic: str) -> None:
    """Refuse a topic without messages.

    Raises:
        BagError: It has none; the message names topics that have some.
    """
    images = images_of(reader, topic)
    if sum(item.msgcount for item in images) or next(reader.messages(images), None) is not None:
        return
    found = ", ".join(sorted(f"{c.topic} ({c.msgcount})" for c in reader.connections if c.msgcount))
    why = f" ({'; '.join(reader.problems)})" if reader.problems else ""
    raise BagError(
        f"{path} has no messages on {topic}{why}; topics with messages: {found or 'none'}"
    )


def _ros1_hint(connection: Connection | None) -> str:
    """Say so if a topic is one of ROS 1, of which mcap files are made too."""
    if connection is None or connection.encoding != "ros1":
        return ""
    return ": this is a ROS 1 recording, convert it to ROS 2 with `rosbags-convert`"


def first_line(error: Exception) -> str:
    """Shorten an exception to one line."""
    return (str(error).splitlines() or [type(error).__name__])[0]
