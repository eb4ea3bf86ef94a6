"""Files that appear under their name only when they are complete."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8; an earlier one is replaced at once, or stays.

    Raises:
        OSError: It cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write JSON for people and programs; NaN, which JSON has not, as null.

    Raises:
        OSError: It cannot be written.
    """
    write_text(path, json.dumps(_nulls(value), indent=2, allow_nan=False) + "\n")


def _nulls(value: Any) -> Any:
    """Replace NaN by ``None``, all the way down."""
    if isinstance(value, Mapping):
        return {key: _nulls(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_nulls(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
