# SPDX-License-Identifier: Apache-2.0
"""A task of which there are labels only, in one file: what the weather is, a word in the line.

It is put into the table by ``tasks.ROOMS["weather"] = "weather_task"``; see ``tasks/toy_task.py``
for a task that is complete.
"""

from dataclasses import dataclass

NAME = "weather"


class labels:  # noqa: N801 - stands for the file labels.py
    """labels.py."""

    KEYS = ("sky", "sky_source")

    @dataclass(frozen=True)
    class Label:
        """``word``: the weather; ``source``: who says so, or nothing."""

        word: str
        source: str = ""

        def check(self, image_size):
            pass

    @staticmethod
    def faults(record, size):
        if not isinstance(record.get("sky", ""), str):
            yield f"sky is {record['sky']!r}, expected a word"

    @staticmethod
    def read(record, folder, size):
        label = labels.Label(record.get("sky", ""), record.get("sky_source", ""))
        return (lambda: label) if label.word else None

    @staticmethod
    def write(label, folder, picture):
        keys = {"sky": label.word}
        return {**keys, "sky_source": label.source} if label.source else keys

    @staticmethod
    def merge(first, second):
        return first, [] if first.word == second.word else [("sky", second.word)]

    @staticmethod
    def of_world(rendered):
        return None
