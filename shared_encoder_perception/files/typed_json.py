# SPDX-License-Identifier: Apache-2.0
"""JSON objects as frozen dataclasses: one mechanism checks every field's type, range of ints aside.

A field's annotation decides what it may hold: ``str`` (that UTF-8 can carry, without NUL: no
message of ROS takes another), ``bool``, ``int``, ``float`` (finite), ``tuple[T, ...]``,
``tuple[T, T]``, ``list[T]``, ``dict[str, T]``, or another dataclass.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any, Final, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")

_MOST: Final = 60
"""Characters of a value that a message shows."""
_WORDS: Final = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}


class JsonError(ValueError):
    """A value that does not fit; the message says which key, what it is and what was expected."""


def parse_json(text: str | bytes, where: str) -> Any:
    """Parse JSON that somebody else wrote.

    Args:
        text: The JSON; bytes are UTF-8, with or without a mark at their start.
        where: What to call it in messages, e.g. its file and line.

    Raises:
        JsonError: It is none, is not text, or is nested deeper than any data of ours.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise JsonError(f"{where} is not valid JSON: {error}") from None
    except UnicodeDecodeError as error:
        raise JsonError(
            f"{where} is not UTF-8 text: {error.reason} at byte {error.start}"
        ) from None
    except RecursionError:
        raise JsonError(f"{where} is not valid JSON: lists or objects nested too deep") from None
    except ValueError as error:  # a number of thousands of digits
        raise JsonError(f"{where} is not valid JSON: {error}") from None


@cache  # asked for each line of a set, and each time half of the work
def _hints(kind: Any) -> dict[str, Any]:
    """Return the types of a dataclass's fields."""
    return get_type_hints(kind)


def from_json(kind: type[T], raw: Any, where: str, optional: Iterable[str] = ()) -> T:
    """Make a dataclass of a JSON object.

    Args:
        kind: The dataclass. Its own ``__post_init__`` judges ranges.
        raw: The parsed object.
        where: What to call it in messages.
        optional: Keys that may be missing; the dataclass's defaults stand for them.

    Raises:
        JsonError: No object, a key that is unknown or missing, or a value of another type.
    """
    if not isinstance(raw, Mapping):
        raise JsonError(f"{where} is {shown(raw)}, expected an object")
    hints = _hints(kind)  # type: ignore[arg-type]
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    if unknown := sorted(set(raw) - set(names), key=repr):
        hint = suggestion(unknown[0], names)
        raise JsonError(f"{where} has the unknown key {shown(unknown[0])}{hint}")
    if missing := [name for name in names if name not in raw and name not in set(optional)]:
        raise JsonError(f"{where} lacks the key {missing[0]!r}, expected {', '.join(names)}")
    values = {name: _value(hints[name], value, f"{where}, {name}") for name, value in raw.items()}
    return kind(**values)


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` where a known name is near, else what is known."""
    known = list(known)
    near = get_close_matches(str(name), known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f": expected some of {', '.join(known)}"


def _value(hint: Any, value: Any, where: str) -> Any:
    """Turn a JSON value into what ``hint`` says."""
    if is_dataclass(hint):
        assert isinstance(hint, type)
        return from_json(hint, value, where)
    origin, inner = get_origin(hint), get_args(hint)
    if origin is tuple:
        return _tuple(inner, value, where)
    if origin is list:
        return list(_tuple((inner[0], Ellipsis), value, where))
    if origin is dict:
        if not isinstance(value, Mapping):
            raise JsonError(f"{where} is {shown(value)}, expected an object")
        return {
            _value(inner[0], key, f"{where}, a key"): _value(
                inner[1], one, f"{where}, {cut(repr(key)[1:-1])}"
            )
            for key, one in value.items()
        }
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is float and number and _finite(value):
        return value
    if hint is str and isinstance(value, str) and not _is_sound(value):
        raise JsonError(f"{where} is {shown(value)}, expected text without NUL and half characters")
    if hint is not float and type(value) is hint:
        return value
    finite = "a finite number" if hint is float and number else _WORDS[hint]
    raise JsonError(f"{where} is {shown(value)}, expected {finite}")


def _finite(value: float) -> bool:
    """Whether a number is one that a float can hold."""
    try:
        return math.isfinite(value)
    except OverflowError:  # an int of hundreds of digits
        return False


def _is_sound(text: str) -> bool:
    """Whether text can be written in UTF-8 and ends where it ends in C."""
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def _tuple(inner: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    """Turn a JSON list into a tuple."""
    if not isinstance(value, (list, tuple)):
        raise JsonError(f"{where} is {shown(value)}, expected a list")
    if inner[-1] is not Ellipsis and len(inner) != len(value):
        raise JsonError(f"{where} has {len(value)} items, expected {len(inner)}")
    kinds = inner if inner[-1] is not Ellipsis else inner[:1] * len(value)
    return tuple(
        _value(kind, one, f"{where}[{index}]")
        for index, (kind, one) in enumerate(zip(kinds, value, strict=True))
    )


def shown(value: Any) -> str:
    """Name a value for a message, not all of a long one."""
    try:
        return cut(repr(value))
    except RecursionError:
        return "nested too deep"
    except ValueError:  # an int of thousands of digits
        return "a huge number"


def cut(text: str) -> str:
    """Return the beginning of a long text."""
    return text if len(text) <= _MOST else f"{text[: _MOST - 3]}..."
