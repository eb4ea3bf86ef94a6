# SPDX-License-Identifier: Apache-2.0
"""Which picture to compare with is in use, of all that came by topic, file and camera."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from shared_encoder_perception.images.taken import Taken
from shared_encoder_perception.tasks.companions import AHEAD_S


class Newest:
    """Holds the picture in use, and the topic's last one; for any thread.

    What somebody asked for is used at once. What comes on the topic is used unless it was taken
    before the one in use, by stamps that can be compared: known, and of the images' clock.
    """

    def __init__(self, name: str, tell: Callable[[str], None]) -> None:
        """Have none yet.

        Args:
            name: What the picture is, for people.
            tell: Takes what to log.
        """
        self._name, self._tell = name, tell
        self._lock = Lock()
        self._in_use: Taken | None = None
        self._topic: Taken | Callable[[], Taken] | None = None
        self._contends = False  # whether the topic's last one is still to be compared
        self._note = ""
        self._told_ns = 0

    @property
    def any(self) -> bool:
        """Whether there is one, of use or not."""
        return self._in_use is not None or self._topic is not None

    @property
    def note(self) -> str:
        """What was said of a file that could not be read while another picture is in use."""
        return self._note

    @property
    def in_use(self) -> Taken | None:
        """The one in use at the last image, or asked for since."""
        return self._in_use

    def arrived(self, make: Callable[[], Taken]) -> None:
        """Learn of one on the topic; ``make`` is called when the next image comes."""
        with self._lock:
            self._topic, self._contends = make, True

    def use(self, taken: Taken) -> None:
        """Use this one, which somebody asked for."""
        with self._lock:
            self._in_use, self._contends, self._note = taken, False, ""

    def use_file(self, taken: Taken, note: str) -> str:
        """Use what a file holds; if it cannot be read, only where there is nothing better.

        Args:
            taken: What it holds.
            note: What to say while it cannot be read and another one stays in use.

        Returns:
            Where the one comes from that stays instead; empty where none does.
        """
        with self._lock:
            one = self._in_use
            good = one is not None and one.picture is not None
            if not taken.fault or not (good or self._contends):
                self._in_use, self._contends, self._note = taken, False, ""
                return ""
            self._note = note
            return one.source if one is not None and good else "the topic"

    def drop(self, source: str) -> None:
        """Have done with a file; the topic's last one counts again if the file's was in use."""
        with self._lock:
            self._note = ""
            if self._in_use is not None and self._in_use.source == source:
                self._in_use, self._contends = None, self._topic is not None

    def __call__(self, image: Taken) -> Taken | None:
        """Return the one to compare an image with; ``None`` where there is none yet."""
        with self._lock:
            topic, contends = self._topic, self._contends
        if contends and topic is not None:
            made = topic if isinstance(topic, Taken) else topic()
            with self._lock:
                if self._topic is topic:  # else a newer one came, for the next image
                    self._topic = made
                    if self._contends:  # else somebody asked for another meanwhile
                        self._contends = False
                        self._compare(made, image)
        return self._in_use

    def _compare(self, made: Taken, image: Taken) -> None:
        """Use the topic's one if it is the newer."""
        one = self._in_use
        # One stamped after the image has another clock than the camera, or time has jumped back.
        known = one is not None and one.picture is not None and not one.lead_s(image) < -AHEAD_S
        if one is None or not known or not made.lead_s(one) > 0:  # NaN is not
            self._in_use, self._note = made, ""
        elif self._told_ns != made.stamp_ns:
            self._told_ns = made.stamp_ns
            self._tell(
                f"the {self._name} from {made.source} was taken {made.lead_s(one):.0f} s before "
                f"the one in use, from {one.source}, and is left aside: stamp it later, or with 0, "
                "to have it used"
            )
