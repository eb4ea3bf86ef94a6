"""New messages of rclpy, by the name of their type."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any


@cache
def message_type(kind: str) -> Any:
    """Return the class of a type such as ``"std_msgs/msg/Header"``.

    Raises:
        ValueError: It is not installed.
    """
    package, _, name = kind.split("/")
    try:
        return getattr(import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"the message type {kind} is not installed: {error}") from None


def new_message(kind: str) -> Any:
    """Return a message with every field at ROS's default."""
    return message_type(kind)()
