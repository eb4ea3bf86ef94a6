# SPDX-License-Identifier: Apache-2.0
"""The topics of several tasks, in the order in which their messages are sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from shared_encoder_perception import tasks
from shared_encoder_perception.structures import Crop
from shared_encoder_perception.tasks.contract.records import Progress
from shared_encoder_perception.tasks.contract.runtime import Topic


class TaskTopic(NamedTuple):
    """A topic, and the task that it is of."""

    task: str
    topic: Topic


def for_every_image(names: Iterable[str]) -> list[TaskTopic]:
    """Return the topics on which there is a message for every image, whoever listens."""
    found = [
        TaskTopic(name, topic)
        for name, content in tasks.parts("content", names).items()
        for topic in content.TOPICS
        if not (topic.lazy or topic.grounded or topic.latched)
    ]
    return sorted(found, key=lambda one: one.topic.last)


def lazy(names: Iterable[str]) -> list[TaskTopic]:
    """Return the topics on which there is a message for every image while somebody listens."""
    return [
        TaskTopic(name, topic)
        for name, content in tasks.parts("content", names).items()
        for topic in content.TOPICS
        if topic.lazy and not (topic.grounded or topic.latched or topic.pictures)
    ]


def pictures(names: Iterable[str]) -> list[Topic]:
    """Return the topics of pictures for people, which have a rate of their own."""
    contents = tasks.parts("content", names).values()
    return [
        topic
        for content in contents
        for topic in content.TOPICS
        if topic.pictures and not topic.grounded
    ]


def latched(names: Iterable[str]) -> list[TaskTopic]:
    """Return the topics that are sent once for each model, of types that are always there."""
    return [
        TaskTopic(name, topic)
        for name, content in tasks.parts("content", names).items()
        for topic in content.TOPICS
        if topic.latched and not topic.optional
    ]


def crop_of(names: Iterable[str], messages: Mapping[str, Any]) -> Crop | None:
    """Return what the network saw of an image, as far as its messages say, by their topics."""
    for room in tasks.parts("progress", names).values():
        if room.TOPIC in messages and hasattr(room, "crop"):
            crop: Crop | None = room.crop(messages[room.TOPIC])
            return crop
    return None


class Telling(NamedTuple):
    """The topic by which to follow the node's work.

    Attributes:
        topic: With one message for every image.
        progress: Reads what a message tells of the node's work; ``None`` where none does.
    """

    topic: Topic
    progress: Callable[[Any], Progress] | None


def telling(names: Iterable[str]) -> Telling:
    """Return a topic that tells of the node's work, else the one that is sent last.

    Raises:
        LookupError: The tasks have no topic with a message for every image.
    """
    names = tuple(names)
    topics = {one.topic.name: one.topic for one in for_every_image(names)}
    for room in tasks.parts("progress", names).values():
        return Telling(topics[room.TOPIC], room.progress)
    if not topics:
        raise LookupError(f"no message is sent for every image by {', '.join(names) or 'no task'}")
    return Telling(list(topics.values())[-1], None)
