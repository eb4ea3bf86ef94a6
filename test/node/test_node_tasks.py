# SPDX-License-Identifier: Apache-2.0
"""A model publishes the topics of the tasks that it has, and those alone."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ros_harness as ros
from diagnostic_msgs.msg import DiagnosticArray
from local_node import local_node
from specs import spec_of
from tiny_model import random_image, write_tiny_model

from shared_encoder_perception import tasks
from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.node.diagnostics import TOPIC
from shared_encoder_perception.node.node_options import NodeOptions
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.tasks.drivable.content import MASK_TOPIC
from shared_encoder_perception.tasks.lanes.content import ARRAY_TOPIC, LANE_TOPICS

QUICK = {"diagnostics.period_s": 0.1}


def topics_of(names: Any) -> set[str]:
    """Return the topics that tasks publish."""
    return {topic.name for one in tasks.parts("content", names).values() for topic in one.TOPICS}


@contextmanager
def alone(task: str, folder: Path, **values: Any) -> Any:
    """Yield an active node whose model answers one task, a peer, and the node's statuses."""
    model = write_tiny_model(folder / "one.onnx", spec_of("one", "1", tasks=(task,)))
    namespace = ros.new_namespace()
    with (
        local_node(model, namespace, **{**QUICK, **values}) as local,
        ros.peer_in(namespace) as peer,
    ):
        statuses: dict[str, dict[str, str]] = {}

        def collect(array: DiagnosticArray) -> None:
            for status in array.status:
                name = status.name.rpartition(": ")[2]
                statuses[name] = {item.key: item.value for item in status.values}

        peer.node.create_subscription(DiagnosticArray, TOPIC, collect, 10)
        assert local.node.start()
        with ros.served(local.node):
            yield local, peer, statuses


def published(node: Any) -> set[str]:
    """Return the topics of a node's publishers, as rooms write them."""
    name = node.get_fully_qualified_name()
    namespace = node.get_namespace() + "/"
    found = {publisher.topic_name.replace(name + "/", "~/") for publisher in node.publishers}
    return {topic.removeprefix(namespace) for topic in found}


@pytest.mark.parametrize("task", tasks.DEFAULT)
def test_a_model_of_one_task_publishes_just_that(task: str, tmp_path: Path) -> None:
    """Answers as the predictor's; topics and diagnostics of another task do not even exist."""
    own, others = topics_of([task]), topics_of(set(tasks.DEFAULT) - {task})
    last = ARRAY_TOPIC if task == "lanes" else MASK_TOPIC
    with alone(task, tmp_path) as (local, peer, statuses):
        made = published(local.node)
        assert own <= made and not others & made
        image = ros.image_message(random_image(3), 3)
        answers = peer.received[last]

        def ask() -> bool:
            peer.images.publish(image)
            peer.spin_for(0.05)
            return bool(answers and statuses and peer.received[ros.INFO_TOPIC])

        assert peer.spin_until(ask)
        (info,) = peer.received[ros.INFO_TOPIC]
        assert list(info.tasks) == [task] and bool(info.mask_labels) == (task != "lanes")
        assert not any(peer.received[topic] for topic in others)
        things = tasks.part(task, "content").FOUND
        assert peer.spin_until(lambda: "rate_hz" in statuses.get("output", {}))
        ratios = [name for name in statuses["output"] if name.endswith("detected_ratio")]
        assert ratios == [f"{thing}_detected_ratio" for thing in things]
        assert peer.spin_until(lambda: statuses.clear() or peer.spin_for(0.3) or statuses)
        assert ("tracking" in statuses) == (task == "lanes") and "calibration" in statuses
        said = {topic: peer.received[topic][-1] for topic in own if peer.received[topic]}
    expected = Predictor(load_backend(tmp_path / "one.onnx", "auto"))(random_image(3))
    assert set(expected.answers) == {task}
    read = tasks.part(task, "content").read(said, expected.image_size)
    if task == "lanes":
        assert set(LANE_TOPICS) <= set(said)
        for one, other in zip(read, expected.answers[task], strict=True):
            np.testing.assert_array_equal(one.points_px, other.points_px)
    else:
        np.testing.assert_array_equal(read.binary(), expected.answers[task].binary())


def test_options_of_any_model_come_from_the_same_parameters(tmp_path: Path) -> None:
    """They are declared before it is known which tasks the model answers."""
    with alone("drivable_surface", tmp_path, **{"mask.threshold": 0.9}) as (local, peer, _):
        assert peer.set_parameter("lanes.confidence_threshold", 0.9).successful
        assert not peer.set_parameter("tracking.off_confidence", 0.9).successful
        assert list(local.node._model.predictor.options) == ["drivable_surface"]
        read = NodeOptions.read(lambda name: local.node.get_parameter(name).value)
        both = read.decode(spec_of("two", "1"))
        assert both["lanes"].lane_thresholds == (0.9,) * 5
        assert both["drivable_surface"].mask_threshold == 0.9
