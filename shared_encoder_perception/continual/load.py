# SPDX-License-Identifier: Apache-2.0
"""A sequence's config from its file, overrides, and the folders of this machine."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from shared_encoder_perception.continual.config import ContinualConfig
from shared_encoder_perception.tasks.blocks import settled
from shared_encoder_perception.training.structured import (
    ConfigError,
    read_structured,
    read_yaml,
)

PATHS_VARIABLE: Final = "SHARED_ENCODER_PATHS"
"""Names a YAML file of this machine's folders: name -> folder."""
_NO_PATH: Final = re.compile(r"Interpolation key 'paths\.([^']*)' not found")
_NO_VARIABLE: Final = re.compile(r"[Ee]nvironment variable '([^']*)' not found")


def load_sequence(
    path: Path | None, overrides: Sequence[str] = (), paths: Path | None = None
) -> ContinualConfig:
    """Read a config.

    Args:
        path: YAML file; ``None`` for the defaults.
        overrides: ``key=value``, where the key may have dots: ``memory.size=32``. Strategies may be
            named as ``strategy=replay+lwf``.
        paths: YAML file of this machine's folders, under the config's own ``paths``; ``None`` for
            the one that ``SHARED_ENCODER_PATHS`` names, if it does.

    Raises:
        ConfigError: Unreadable, an unknown key (with a suggestion), a folder that nobody names, or
            a value that cannot work.
    """
    named = os.environ.get(PATHS_VARIABLE, "")
    paths = paths or (Path(named) if named else None)
    under = [] if paths is None else [{"paths": read_yaml(paths)}]
    try:
        config = read_structured(ContinualConfig, path, [_listed(one) for one in overrides], under)
    except ConfigError as error:
        raise ConfigError(f"{error}{_cure(str(error), paths)}") from None
    try:
        network = settled(config.train.network)
    except ValueError as error:
        raise ConfigError(f"train.network: {error}") from None
    return replace(config, paths={}, train=replace(config.train, network=network))


def _listed(override: str) -> str:
    """Return an override whose strategies are a list."""
    key, equals, value = override.partition("=")
    if key != "strategy" or value.startswith("["):
        return override
    return f"{key}{equals}[{value.replace('+', ',')}]"


def _cure(message: str, paths: Path | None) -> str:
    """Say where to write what is missing."""
    if found := _NO_PATH.search(message):
        place = paths or f"a YAML file that --paths or {PATHS_VARIABLE} names"
        return f": write `{found[1]}: FOLDER` into {place}, or into paths of the config"
    if found := _NO_VARIABLE.search(message):
        return f": set the environment variable {found[1]}"
    return ""
