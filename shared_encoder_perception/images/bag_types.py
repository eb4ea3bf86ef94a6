# SPDX-License-Identifier: Apache-2.0
"""Messages of a bag as objects: their types as the bag defines them, else as ROS does.

Each type is learnt by itself, and when it is asked for: one that is broken, or that another topic
has, matters to nobody else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from rosbags.serde import SerdeError
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore

from shared_encoder_perception.files.installed import PACKAGE
from shared_encoder_perception.images.bag_parts import Channel, Tell
from shared_encoder_perception.images.bags import BagError, first_line, typestore

ADDED_BYTES: Final = {f"{PACKAGE}/msg/LaneLineArray": 16}
"""What was added to the end of messages of ours, where zeros stand for not known."""
IDL_PART: Final = "=" * 80 + "\n"


class BagTypes:
    """The types of one bag."""

    def __init__(self, channels: Sequence[Channel], digests: Mapping[str, str], tell: Tell) -> None:
        """Begin with no type known.

        Args:
            channels: Of all files, with the definitions that these have.
            digests: Type -> its hash, as the metadata say.
            tell: Takes what is wrong with a type.
        """
        self._channels, self._digests, self._tell = channels, digests, tell
        self._stores: dict[str, Any] = {}

    def deserialize(self, data: bytes, msgtype: str) -> Any:
        """Return a message as an object of rosbags.

        Raises:
            BagError: Its type is not known.
            Exception: It is damaged; rosbags raises many types.
        """
        if msgtype not in self._stores:
            self._stores[msgtype] = self._learn(msgtype)
        store = self._stores[msgtype]
        try:
            return store.deserialize_cdr(data, msgtype)
        except SerdeError:
            if store is not typestore() or msgtype not in ADDED_BYTES:
                raise
            # Not defined in the bag, and maybe older than our definition.
            return store.deserialize_cdr(data + bytes(ADDED_BYTES[msgtype]), msgtype)

    def _learn(self, msgtype: str) -> Any:
        """Return a type store that knows a type.

        Raises:
            BagError: There is none.
        """
        reason = "the bag does not define it"
        for channel in self._channels:
            if channel.msgtype == msgtype and channel.definition:
                try:
                    store = _store_of(msgtype, channel.dialect, channel.definition)
                except Exception as error:  # the parser's own types
                    reason = f"its definition cannot be used: {first_line(error)}"
                    continue
                self._compare(msgtype, store, channel)
                return store
        store = typestore()
        if msgtype not in store.types:
            raise BagError(f"the type {msgtype} is not known: {reason}")
        return store

    def _compare(self, msgtype: str, store: Any, channel: Channel) -> None:
        """Tell if a type is not the one of which the messages are said to be."""
        said = self._digests.get(msgtype) or channel.digest
        if said and said != (found := store.hash_rihs01(msgtype)):
            self._tell(f"the type {msgtype} may be another one: hash mismatch {found} != {said}")


@lru_cache(maxsize=64)
def _store_of(msgtype: str, dialect: str, definition: str) -> Any:
    """Return a type store of one definition, which has in it all that it needs.

    Raises:
        Exception: It has not, or is damaged.
    """
    types: dict[str, Any] = {}
    if dialect == "ros2msg":
        types.update(get_types_from_msg(definition, msgtype))
    else:
        for part in definition.split(IDL_PART):
            head, _, rest = part.partition("\n")
            text = rest if head.startswith("IDL: ") else part
            if text.strip():
                types.update(get_types_from_idl(text))
    store = get_typestore(Stores.EMPTY)
    store.register(types)
    store.hash_rihs01(msgtype)  # fails where a part is not defined
    return store
