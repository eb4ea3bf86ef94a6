# SPDX-License-Identifier: Apache-2.0
"""Typed configs: frozen dataclasses from a YAML file and ``key=value`` overrides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from shared_encoder_perception.files.plain_file import plain

T = TypeVar("T")


class ConfigError(ValueError):
    """A config that cannot be used; the message says what to change."""


def read_structured(
    kind: type[T], path: Path | None, overrides: Sequence[str] = (), under: Sequence[Any] = ()
) -> T:
    """Make a dataclass of a YAML file and overrides, both checked key by key.

    Args:
        kind: The dataclass; its defaults stand for what nobody gives.
        path: YAML file; ``None`` for the defaults.
        overrides: ``key=value``, where the key may have dots: ``stages.0.steps=100``.
        under: Values that the file may refer to, or replace.

    Raises:
        ConfigError: Unreadable, an unknown key (with a suggestion), or a value that cannot work.
    """
    for override in overrides:
        key, equals, _ = override.partition("=")
        if not (equals and key):
            raise ConfigError(f"{override!r} is no key=value")
    try:
        node: Any = OmegaConf.merge(OmegaConf.structured(kind), *under)
        if path is not None:
            node = OmegaConf.merge(node, read_yaml(path))
        # Not merged as a dotlist: that cannot reach into lists.
        for override in overrides:
            key, _, _ = override.partition("=")
            _thaw(node)
            OmegaConf.update(node, key, OmegaConf.select(OmegaConf.from_dotlist([override]), key))
        config = OmegaConf.to_object(node)
    except OmegaConfBaseException as error:
        reason = " ".join(str(error).splitlines()[0].split())
        where = f" (at {error.full_key})" if error.full_key else ""
        raise ConfigError(f"{path or 'config'}: {reason}{where}") from None
    except YAMLError as error:
        raise ConfigError(f"{path or 'config'}: {' '.join(str(error).split())}") from None
    assert isinstance(config, kind)
    return config


def save_config(config: Any, path: Path) -> None:
    """Write the whole config, defaults and overrides included."""
    path.write_text(OmegaConf.to_yaml(OmegaConf.structured(config)), encoding="utf-8")


def differences(before: Path, now: Path) -> list[str]:
    """Say by which keys two configs differ, such as ``seed: 4, was 0``.

    Args:
        before: A file of ``save_config``.
        now: Likewise.

    Raises:
        ConfigError: One of them cannot be read.
    """
    old, new = _flat(before), _flat(now)
    keys = [*new, *(key for key in old if key not in new)]
    return [
        f"{key}: {new.get(key, 'nothing')}, was {old.get(key, 'nothing')}"
        for key in keys
        if (key in old, old.get(key)) != (key in new, new.get(key))
    ]


def _flat(path: Path) -> dict[str, Any]:
    """Return the values of a config by their keys with dots; a list of numbers is a value."""
    content = read_values(path)
    found: dict[str, Any] = {}

    def put(key: str, value: Any) -> None:
        of_parts = isinstance(value, list) and any(isinstance(item, dict) for item in value)
        within = dict(enumerate(value)) if of_parts else value
        if not (isinstance(within, dict) and within):
            found[key] = value
            return
        for name, item in within.items():
            put(f"{key}.{name}" if key else str(name), item)

    put("", content)
    return found


def read_yaml(path: Path) -> Any:
    """Read a YAML file of a mapping."""
    if not path.exists():
        raise ConfigError(f"there is no config {path}: give a YAML file such as those in config/")
    content = OmegaConf.load(plain(path))
    if not OmegaConf.is_dict(content):
        raise ConfigError(f"{path}: expected keys and values at the top level")
    return content


def read_values(path: Path) -> dict[str, Any]:
    """Read a YAML file of a mapping, whatever its keys are, as Python's own values.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        found: Any = OmegaConf.to_container(read_yaml(path))
    except (OmegaConfBaseException, YAMLError) as error:
        raise ConfigError(f"{path}: {' '.join(str(error).split())}") from None
    return dict(found)


def _thaw(node: Any) -> None:
    """Make frozen dataclasses' nodes writable, all the way down."""
    OmegaConf.set_readonly(node, None)
    for key in list(node) if OmegaConf.is_dict(node) else range(len(node)):
        # What refers to other values is none itself, and those may still be overridden.
        if not OmegaConf.is_interpolation(node, key) and OmegaConf.is_config(node[key]):
            _thaw(node[key])
