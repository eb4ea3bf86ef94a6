# SPDX-License-Identifier: Apache-2.0
"""Which worlds are wanted: of some places, in some weathers, on some surfaces; by their names.

    Drive(seed, choice=Choice(places=("town",), weathers=("night", "dusk")))

Where nothing is asked for, worlds are as the dice fall, to the bit. What is asked for is thrown by
its odds among what is asked for, by the same throw: who asks for what would have come anyway gets
the same world.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields
from typing import Any, Final

from shared_encoder_perception.files.typed_json import suggestion
from shared_encoder_perception.world.bare_surfaces import SURFACES
from shared_encoder_perception.world.dice import PLACES, WEATHERS

KNOWN: Final[dict[str, Collection[str]]] = {
    "places": PLACES,
    "weathers": WEATHERS,
    "surfaces": SURFACES,
}
"""What can be asked for -> the names that there are."""
HELP: Final = {
    "places": "worlds: only of these kinds",
    "weathers": "worlds: only in these",
    "surfaces": "worlds: only on one of these carriageways, which are never seen unless asked for",
}


@dataclass(frozen=True)
class Choice:
    """What worlds are to be like; what is empty is as the dice fall.

    Attributes:
        places: Some of ``dice.PLACES``.
        weathers: Some of ``dice.WEATHERS``.
        surfaces: Some of ``bare_surfaces.SURFACES``.
    """

    places: tuple[str, ...] = ()
    weathers: tuple[str, ...] = ()
    surfaces: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse names that there are not.

        Raises:
            ValueError: There is one, or one stands there twice.
        """
        for told in faults(self):
            raise ValueError(told)

    def __bool__(self) -> bool:
        """Whether anything is asked for."""
        return bool(self.places or self.weathers or self.surfaces)

    def said(self) -> dict[str, str]:
        """Return what is asked for in words, by what it is; nothing of what is not."""
        return {what: ", ".join(getattr(self, what)) for what in KNOWN if getattr(self, what)}


def faults(asked: Any) -> Iterator[str]:
    """Say what cannot be asked for; ``asked`` has the attributes of ``Choice``."""
    for what, known in KNOWN.items():
        names = list(getattr(asked, what))
        for name in names:
            if name not in known:
                yield f"{what}: there is no {name!r}{suggestion(name, known)}"
        if len(set(names)) < len(names):
            yield f"{what} is {names}, expected each once"


ANY: Final = Choice()
"""As the dice fall."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare an option for each of what can be asked for."""
    for what, known in KNOWN.items():
        names = ", ".join(known)
        parser.add_argument(f"--{what}", nargs="+", metavar="NAME", help=f"{HELP[what]}: {names}")


def asked_by(args: argparse.Namespace) -> Choice:
    """Return what a command line asks for.

    Raises:
        ValueError: Names that there are not.
    """
    values = {one.name: tuple(getattr(args, one.name) or ()) for one in fields(Choice)}
    try:
        return Choice(**values)
    except ValueError as error:
        raise ValueError(f"--{error}") from None


def refuse(args: argparse.Namespace, for_whom: str) -> None:
    """Refuse what is asked for where it cannot be had.

    Raises:
        ValueError: Something is.
    """
    if asked := asked_by(args).said():
        raise ValueError(f"--{next(iter(asked))} is for worlds of single pictures, not {for_whom}")
