# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with one line of a ``frames.jsonl``: docs/dataset_format.md as code.

Each task says what is wrong with its own keys. Keys of nobody are no fault of the labels that are
there: ``unknown`` names them, for people.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final

from shared_encoder_perception import tasks as table
from shared_encoder_perception.files.data_paths import path_fault, shown
from shared_encoder_perception.structures import Size
from shared_encoder_perception.tasks.label_files import path_faults

IMAGE: Final = "image"
IMAGES: Final = "images"
"""Folder of a set's pictures, in which each source has its own; the source of those that name none.
"""
PICTURE_KEYS: Final = (IMAGE, "size", "crop")
ORIGIN_KEYS: Final = ("pseudo", "source", "licence", "attributes", "notes")


def load_record(text: str | bytes) -> tuple[dict[str, Any], list[str]]:
    """Parse a line; return the record and everything that is wrong with it."""
    try:
        record = json.loads(text)
    except json.JSONDecodeError as error:
        return {}, [f"not JSON: {error.msg} at column {error.colno}"]
    except UnicodeDecodeError:
        return {}, ["the text is not UTF-8"]
    except RecursionError:
        return {}, ["not JSON: lists or objects nested too deep"]
    except ValueError as error:  # a number of thousands of digits
        return {}, [f"not JSON: {error}"]
    if not isinstance(record, dict):
        return {}, [f"a {type(record).__name__}, expected a JSON object"]
    faults = [*path_faults(record, IMAGE), *_origin_faults(record)]
    size = record.get("size")
    if size is None or not (_are_ints(size, 2) and min(size) > 0):
        return record, [*faults, f"size is {size!r}, expected [height, width] in pixels"]
    faults += _crop_faults(record.get("crop"), (size[0], size[1]))
    for room in table.parts("labels").values():
        faults += room.faults(record, (size[0], size[1]))
    return record, faults


def unknown(record: Mapping[str, Any]) -> Iterator[str]:
    """Say which keys of a line, and which of the names in its ``pseudo``, are nobody's.

    They are ignored: a later version may know them.
    """
    keys = known_keys()
    for key in record:
        if key not in keys:
            near = get_close_matches(key, keys, 1)
            hint = f", did you mean {near[0]!r}?" if near else f", expected one of {list(keys)}"
            yield f"unknown key {key!r}{hint}"
    words, pseudo = list(pseudo_words()), record.get("pseudo", [])
    for word in pseudo if isinstance(pseudo, list) else ():
        if word not in words:
            yield f"pseudo names {word!r}, expected some of {words}"


def known_keys() -> tuple[str, ...]:
    """Return the keys that a line may have."""
    own = (key for room in table.parts("labels").values() for key in room.KEYS)
    return (*PICTURE_KEYS, *own, *ORIGIN_KEYS)


def pseudo_words() -> dict[str, str]:
    """Return what the key ``pseudo`` calls the labels of each task -> the task."""
    return {room.KEYS[0]: task for task, room in table.parts("labels").items()}


def _origin_faults(record: Mapping[str, Any]) -> Iterator[str]:
    """Faults of the keys that say where picture and labels come from."""
    for key in ("source", "licence"):
        if not isinstance(record.get(key, ""), str):
            yield f"{key} is {record[key]!r}, expected text"
    source = record.get("source")
    # Writers make a folder of it.
    if isinstance(source, str) and (fault := path_fault(f"{IMAGES}/{source}")):
        yield f"source is {shown(source)}, {fault}"
    pseudo = record.get("pseudo", [])
    if not (isinstance(pseudo, list) and all(isinstance(word, str) for word in pseudo)):
        words = " and ".join(map(repr, pseudo_words()))
        yield f"pseudo is {pseudo!r}, expected a list of {words}"
    for key, kind in (("attributes", dict), ("notes", list)):
        if not isinstance(record.get(key, kind()), kind):
            yield f"{key} is {record[key]!r}, expected a {kind.__name__}"


def _crop_faults(crop: Any, size: Size) -> Iterator[str]:
    """Faults of the suggested crop."""
    height, width = size
    if crop is None:
        return
    inside = _are_ints(crop, 4) and min(crop[:2]) >= 0 and min(crop[2:]) >= 2
    if not (inside and crop[0] + crop[2] <= width and crop[1] + crop[3] <= height):
        yield f"crop is {crop!r}, expected [x, y, width, height] inside {width}x{height} pixels"


def _are_ints(value: Any, count: int) -> bool:
    """Whether ``value`` is a list of ``count`` integers."""
    return (
        isinstance(value, list)
        and len(value) == count
        and all(isinstance(item, int) and not isinstance(item, bool) for item in value)
    )
