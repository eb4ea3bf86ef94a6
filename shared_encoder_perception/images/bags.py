"""Rosbag2 files without ROS: open, check, and know our own message types."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any, Final

from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

PACKAGE: Final = "shared_encoder_perception"
IMAGE_TYPES: Final = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")


class BagError(ValueError):
    """A bag that cannot be used; the message says why and what to do."""


def message_folder() -> Path:
    """Return the folder with our ``.msg`` files: in the source tree, or installed beside it.

    Raises:
        BagError: Neither is there, e.g. in a ``pip install`` without the messages.
    """
    here = Path(__file__).resolve().parent
    candidates = [here.parent / "msg"]
    candidates += [parent / "share" / PACKAGE / "msg" for parent in Path(__file__).parents]
    candidates.append(Path(sys.prefix) / "share" / PACKAGE / "msg")
    for folder in candidates:
        if (folder / "LaneLine.msg").is_file():
            return folder
    raise BagError(
        f"the message files of {PACKAGE} were not found; looked in "
        f"{', '.join(str(folder) for folder in candidates)}: build the package"
    )


@lru_cache(maxsize=1)
def typestore() -> Any:
    """Return rosbags' type store of ROS 2 Jazzy with our messages added."""
    store = get_typestore(Stores.ROS2_JAZZY)
    types: dict[str, Any] = {}
    for path in sorted(message_folder().glob("*.msg")):
        types.update(get_types_from_msg(path.read_text(), f"{PACKAGE}/msg/{path.stem}"))
    store.register(types)
    return store


def is_bag(path: Path) -> bool:
    """Tell a rosbag2 folder, or one of its storage files, from anything else."""
    if path.is_dir():
        return (path / "metadata.yaml").is_file() or any(
            child.suffix in (".mcap", ".db3") for child in path.iterdir()
        )
    return path.suffix in (".mcap", ".db3", ".bag")


def bag_name(path: Path) -> str:
    """Return a bag's name, the same wherever it lies."""
    path = path.resolve()
    return path.parent.name if is_part(path) else path.name


def is_part(path: Path) -> bool:
    """Whether a path is a file of a bag rather than a bag."""
    return path.is_file() and (path.parent / "metadata.yaml").is_file()


@contextmanager
def open_bag(path: Path) -> Iterator[Any]:
    """Open a bag for reading, with rosbags' ``AnyReader``, as a context manager.

    Raises:
        BagError: No bag, no metadata, a damaged file, a ROS 1 bag.
    """
    if is_part(path):
        path = path.parent
    if not path.exists():
        raise BagError(f"there is no bag {path}: give the folder that holds metadata.yaml")
    if path.suffix == ".bag":
        raise BagError(f"{path} is a ROS 1 bag: convert it with `rosbags-convert`")
    if not (path / "metadata.yaml").is_file():
        raise BagError(
            f"{path} has no metadata.yaml, so it is not a complete rosbag2: "
            "`ros2 bag reindex` can restore it"
        )
    try:
        reader = AnyReader([path], default_typestore=get_typestore(Stores.ROS2_JAZZY))
        reader.open()
    except Exception as error:  # rosbags and its storage libraries raise many types
        raise BagError(f"cannot read the bag {path}: {first_line(error)}") from None
    try:
        yield reader
    finally:
        reader.close()


def read_messages(
    reader: Any, path: Path, connections: Sequence[Any] = ()
) -> Iterator[tuple[Any, int, Any]]:
    """Yield ``(connection, arrival in ns, deserialised message)`` in the order of the bag.

    Args:
        reader: From ``open_bag``.
        path: Of the bag, for messages.
        connections: Which to read; all when empty.

    Raises:
        BagError: The bag is damaged behind the point that ``open_bag`` looks at.
    """
    raw = read_raw(reader, path, connections)
    for number, (connection, arrived_ns, data) in enumerate(raw, start=1):
        try:
            message = reader.deserialize(data, connection.msgtype)
        except Exception as error:  # rosbags raises many types
            raise _damaged(path, number, error) from None
        yield connection, arrived_ns, message


def read_raw(
    reader: Any, path: Path, connections: Sequence[Any] = ()
) -> Iterator[tuple[Any, int, bytes]]:
    """Yield ``(connection, arrival in ns, serialised message)``; see ``read_messages``."""
    messages = iter(reader.messages(connections=connections))
    for number in count(1):
        try:
            connection, arrived_ns, data = next(messages)
        except StopIteration:
            return
        except Exception as error:  # rosbags and its storage libraries raise many types
            raise _damaged(path, number, error) from None
        yield connection, arrived_ns, data


def _damaged(path: Path, number: int, error: Exception) -> BagError:
    """Say which message of a bag cannot be read."""
    return BagError(f"the bag {path} is damaged: cannot read message {number}: {first_line(error)}")


def image_topic(reader: Any, path: Path, topic: str | None) -> str:
    """Choose the topic with the camera images.

    Args:
        reader: From ``open_bag``.
        path: Of the bag, for messages.
        topic: What the user asked for, or ``None``.

    Raises:
        BagError: No such topic, none with images, or several and none was chosen.
    """
    found = {item.topic: item.msgtype for item in reader.connections}
    images = sorted(name for name, kind in found.items() if kind in IMAGE_TYPES)
    if topic is not None:
        if topic not in images:
            other = f", which carries {found[topic]}" if topic in found else ""
            raise BagError(
                f"{path} has no images on {topic!r}{other}; topics with images: "
                f"{', '.join(images) or 'none'}"
            )
        return topic
    if not images:
        others = [f"{name} ({kind})" for name, kind in sorted(found.items())]
        raise BagError(
            f"{path} has no topic with images; it has {', '.join(others) or 'no topics'}"
        )
    if len(images) > 1:
        raise BagError(
            f"{path} has images on {len(images)} topics: choose one with --topic: "
            f"{', '.join(images)}"
        )
    return images[0]


def first_line(error: Exception) -> str:
    """Shorten an exception to one line."""
    return (str(error).splitlines() or [type(error).__name__])[0]
