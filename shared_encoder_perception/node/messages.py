# SPDX-License-Identifier: Apache-2.0
"""New messages of rclpy, by the name of their type, and whether one can be sent."""

from __future__ import annotations

import re
from array import array
from functools import cache
from importlib import import_module
from typing import Any, Final

import numpy as np

_LIST: Final = re.compile(
    r"sequence<(?P<many>[^,]+?)(, *(?P<most>\d+))?>|(?P<one>.+)\[(?P<count>\d+)\]"
)
_INT: Final = re.compile(r"(?P<unsigned>u?)int(?P<bits>8|16|32|64)")
_PLAIN: Final = {"boolean": bool, "float": float, "double": float}


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


def check_message(message: Any, where: str) -> None:
    """Refuse what rclpy cannot send: it would end the whole process, not raise.

    Args:
        message: Of rclpy.
        where: What to call it in the error.

    Raises:
        ValueError: A field, by its name, holds what does not fit.
    """
    for name, kind in message.get_fields_and_field_types().items():
        _check_value(getattr(message, name), kind, f"{where}.{name}")


def _check_value(value: Any, kind: str, where: str) -> None:
    """Hold a value against its type by ROS's name."""
    if several := _LIST.fullmatch(kind):
        wanted, most = several["count"], several["most"]
        fits = isinstance(value, (list, tuple, array, np.ndarray))
        fits = fits and (wanted is None or len(value) == int(wanted))
        if not fits or (most is not None and len(value) > int(most)):
            raise ValueError(f"{where} is a {type(value).__name__} that does not fit {kind}")
        if isinstance(value, (array, np.ndarray)):
            return  # of a type that its maker and rclpy's setter know
        for index, one in enumerate(value):
            _check_value(one, several["many"] or several["one"], f"{where}[{index}]")
    elif "/" in kind:
        package, *_, leaf = kind.split("/")
        if not isinstance(value, message_type(f"{package}/msg/{leaf}")):
            raise ValueError(f"{where} is a {type(value).__name__}, expected {kind}")
        check_message(value, where)
    elif not _fits(value, kind):
        raise ValueError(f"{where} is {repr(value)[:60]}, which no field of the type {kind} holds")


def _fits(value: Any, kind: str) -> bool:
    """Whether a single value is of a primitive type of ROS."""
    if whole := _INT.fullmatch(kind):
        bits, least = int(whole["bits"]), 0
        if not whole["unsigned"]:
            bits, least = bits - 1, -(2 ** (bits - 1))
        return type(value) is int and least <= value < 2**bits
    if kind.partition("<")[0] == "string":
        if not isinstance(value, str) or "\0" in value:
            return False
        return not any("\ud800" <= char <= "\udfff" for char in value)
    return isinstance(value, _PLAIN.get(kind, object))
