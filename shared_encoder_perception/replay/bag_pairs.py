# SPDX-License-Identifier: Apache-2.0
"""The clouds of a bag, each with what was made of the image nearest to it in time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from shared_encoder_perception.images.bags import first_line, open_bag
from shared_encoder_perception.images.own_topics import IMAGE_TYPES
from shared_encoder_perception.replay.bag_index import BagIndex
from shared_encoder_perception.tasks.cloud_msg import CLOUD
from shared_encoder_perception.tasks.painting import BAD_CLOUD, NO_IMAGE, UnpaintedError

BAD_IMAGE: Final = "bad_image"
"""One more reason why a cloud is not painted: its image cannot be used."""


class Match(NamedTuple):
    """A cloud and its image.

    Attributes:
        number: Of the cloud, in the order of the bag.
        arrived_ns: When it was recorded.
        cloud: The message.
        image: What was made of the image.
        skew_s: How much later that was taken.
    """

    number: int
    arrived_ns: int
    cloud: Any
    image: Any
    skew_s: float


@dataclass
class Pairs:
    """Reads a bag a second time; no more of it is kept than is still needed.

    Attributes:
        index: Of the bag.
        max_skew_s: Largest distance in time.
        look: Makes something of an image message, or raises ``UnpaintedError``; called once for
            each image that is nearest to a cloud, and for no other.
    """

    index: BagIndex
    max_skew_s: float
    look: Callable[[Any], Any]
    _seen: dict[int, Any] = field(default_factory=dict)
    _left: Counter[int] = field(default_factory=Counter)

    def __iter__(self) -> Iterator[Match | UnpaintedError]:
        """Yield every cloud with its image, or why it has none."""
        near = [
            self._near(number, image) for number, image in enumerate(self.index.nearest_images())
        ]
        self._left = Counter(image for image in near if isinstance(image, int))
        waiting: dict[int, list[tuple[int, int, bytes]]] = defaultdict(list)
        topics, clouds, images = self.index.topics, 0, 0
        with open_bag(self.index.path) as reader:
            wanted = {(topics.points, CLOUD), *((topics.images, kind) for kind in IMAGE_TYPES)}
            used = [one for one in reader.connections if (one.topic, one.msgtype) in wanted]
            for connection, arrived_ns, data in reader.messages(used):
                if connection.msgtype != CLOUD:
                    if self._left[images]:
                        self._seen[images] = self._looked(reader, connection.msgtype, data)
                        for cloud in waiting.pop(images, []):
                            yield self._match(reader, images, *cloud)
                    images += 1
                    continue
                image = near[clouds]
                if isinstance(image, UnpaintedError):
                    yield image
                elif image in self._seen:
                    yield self._match(reader, image, clouds, arrived_ns, data)
                else:
                    waiting[image].append((clouds, arrived_ns, data))
                clouds += 1
        for number in range(clouds, len(near)):
            yield UnpaintedError(BAD_CLOUD, f"cloud {number}: it could not be read again")

    def _near(self, cloud: int, image: int | None) -> int | UnpaintedError:
        """Return the image of a cloud, if one is near enough in time."""
        if image is None:
            what = "no image has a stamp" if self.index.cloud_ns[cloud] else "it has no stamp"
            return UnpaintedError(NO_IMAGE, f"cloud {cloud}: {what}")
        skew_s = self._skew_s(cloud, image)
        if abs(skew_s) <= self.max_skew_s:
            return image
        side = "after" if skew_s > 0 else "before"
        return UnpaintedError(
            NO_IMAGE,
            f"cloud {cloud}: the nearest image was taken {abs(skew_s):.3f} s {side} it, "
            f"--max-skew is {self.max_skew_s:g}",
        )

    def _skew_s(self, cloud: int, image: int) -> float:
        """Return how much later an image was taken than a cloud."""
        return (self.index.image_ns[image] - self.index.cloud_ns[cloud]) / 1e9

    def _looked(self, reader: Any, kind: str, data: bytes) -> Any:
        """Return what was made of an image, or why nothing was."""
        try:
            return self.look(reader.deserialize(data, kind))
        except UnpaintedError as error:
            return error
        except Exception as error:  # rosbags raises many types
            return UnpaintedError(BAD_IMAGE, f"the image cannot be read: {first_line(error)}")

    def _match(
        self, reader: Any, image: int, cloud: int, arrived_ns: int, data: bytes
    ) -> Match | UnpaintedError:
        """Return a cloud with its image, which goes when no other cloud needs it."""
        self._left[image] -= 1
        seen = self._seen[image] if self._left[image] else self._seen.pop(image)
        if isinstance(seen, UnpaintedError):
            return UnpaintedError(seen.reason, f"cloud {cloud}: {seen}")
        try:
            message = reader.deserialize(data, CLOUD)
        except Exception as error:  # rosbags raises many types
            return UnpaintedError(BAD_CLOUD, f"cloud {cloud} cannot be read: {first_line(error)}")
        return Match(cloud, arrived_ns, message, seen, self._skew_s(cloud, image))
