# SPDX-License-Identifier: Apache-2.0
"""What can be asked of the node while it runs: switch, reload, reset, and parameters together."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import ros_harness as ros
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from local_node import local_node
from sensor_msgs.msg import CameraInfo
from specs import spec_of
from std_srvs.srv import SetBool, Trigger
from tiny_model import SPEC, random_image, write_tiny_model

from shared_encoder_perception.node import outputs


def set_enabled(active: SimpleNamespace, enabled: bool) -> str:
    answer = active.peer.call(SetBool, "set_enabled", SetBool.Request(data=enabled))
    assert answer.success
    return answer.message


def test_a_disabled_node_drops_and_counts_images_until_it_is_enabled(
    active: SimpleNamespace,
) -> None:
    peer = active.peer
    before = peer.ask(ros.image_message(random_image(1), 1))[ros.ARRAY_TOPIC]
    assert "disabled" in set_enabled(active, False)
    for number in range(2, 5):
        peer.images.publish(ros.image_message(random_image(1), number))
        peer.spin_for(0.1)
    assert peer.received[ros.ARRAY_TOPIC][-1].header == before.header
    set_enabled(active, True)
    after = peer.ask(ros.image_message(random_image(1), 5))[ros.ARRAY_TOPIC]
    assert after.sequence == before.sequence + 1
    assert after.frames_dropped == before.frames_dropped + 3
    assert after.frames_received == before.frames_received + 4


def test_it_stays_disabled_over_a_deactivation(active: SimpleNamespace) -> None:
    set_enabled(active, False)
    assert active.peer.change_state("deactivate") and active.peer.change_state("activate")
    active.peer.images.publish(ros.image_message(random_image(1), 1))
    active.peer.spin_for(0.2)
    assert not active.peer.received[ros.ARRAY_TOPIC]


def test_a_reload_takes_the_new_file_and_keeps_thresholds(active: SimpleNamespace) -> None:
    peer, local = active.peer, active.local
    assert peer.set_parameter("mask.threshold", 0.7).successful
    write_tiny_model(active.model, replace(SPEC, version="1.2.4"))
    first = peer.received[ros.INFO_TOPIC][-1]
    answer = peer.call(Trigger, "reload_model", Trigger.Request())
    assert answer.success and answer.message.startswith("reloaded: model tiny 1.2.4")
    assert peer.spin_until(lambda: peer.received[ros.INFO_TOPIC][-1].sha256 != first.sha256)
    old, new = local.backends
    assert old.closed and not new.closed
    new.entered.clear()
    answer = peer.ask(ros.image_message(random_image(1), 1))
    assert new.entered.is_set()
    assert answer[ros.ARRAY_TOPIC].lanes[0].model_version == "tiny 1.2.4"
    options = local.node._model.predictor.options["drivable_surface"]
    assert options.mask_threshold == 0.7


def test_a_reload_of_a_model_with_other_tasks_is_refused(active: SimpleNamespace) -> None:
    """Its topics would be others; the old model goes on, and loads of the right kind still may."""
    peer, local = active.peer, active.local
    other = spec_of("half", "1", tasks=("lanes",))
    write_tiny_model(active.model, other)
    answer = peer.call(Trigger, "reload_model", Trigger.Request())
    assert not answer.success
    assert f"the model {active.model} answers lanes, the one that runs lanes and " in answer.message
    assert "clean it up and configure it" in answer.message
    assert [backend.closed for backend in local.backends] == [False, True]
    peer.ask(ros.image_message(random_image(1), 1))
    assert len(peer.received[ros.INFO_TOPIC]) == 1
    write_tiny_model(active.model, replace(SPEC, version="1.2.4"))
    assert peer.call(Trigger, "reload_model", Trigger.Request()).success


def test_a_reload_whose_announcement_fails_changes_nothing(
    active: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that can fail is done before the old model goes."""
    peer, local = active.peer, active.local
    write_tiny_model(active.model, replace(SPEC, version="1.2.4"))
    monkeypatch.setattr(outputs, "fill_model_info", lambda *_: [][0])
    answer = peer.call(Trigger, "reload_model", Trigger.Request())
    assert not answer.success and "list index out of range" in answer.message
    assert [backend.closed for backend in local.backends] == [False, True]
    array = peer.ask(ros.image_message(random_image(1), 1))[ros.ARRAY_TOPIC]
    assert array.lanes[0].model_version == "tiny 1.2.3"


def test_a_reload_that_fails_changes_nothing(active: SimpleNamespace) -> None:
    peer, local = active.peer, active.local
    active.model.write_bytes(b"no model")
    answer = peer.call(Trigger, "reload_model", Trigger.Request())
    assert not answer.success and str(active.model) in answer.message
    assert peer.set_parameter("model.path", "/nowhere.onnx").successful
    answer = peer.call(Trigger, "reload_model", Trigger.Request())
    assert not answer.success and "/nowhere.onnx" in answer.message
    assert len(local.backends) == 1 and not local.backends[0].closed
    peer.ask(ros.image_message(random_image(1), 1))


def test_a_reload_behind_a_hung_engine_gives_up_and_says_so(
    active: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parameters are served meanwhile, and the old engine goes on when it returns."""
    peer, (backend,) = active.peer, active.local.backends
    worker = active.local.node._pipeline.worker
    monkeypatch.setattr(worker, "swap", partial(worker.swap, timeout_s=0.3))
    backend.entered.clear()
    backend.gate.clear()
    peer.images.publish(ros.image_message(random_image(1), 1))
    assert peer.spin_until(backend.entered.is_set)
    answer = peer.call(Trigger, "reload_model", Trigger.Request())
    assert not answer.success and "not finished after" in answer.message
    backend.gate.set()
    peer.ask(ros.image_message(random_image(1), 2))
    assert active.local.backends[1].closed and not backend.closed


@pytest.mark.parametrize("asked", ["configure", Transition.TRANSITION_CONFIGURE])
def test_a_transition_that_the_state_does_not_have_is_refused(
    active: SimpleNamespace, asked: str | int
) -> None:
    """A manager that waits for a long load may ask again: that is no reason to end."""
    request = ChangeState.Request()
    if isinstance(asked, str):
        request.transition.label = asked
    else:
        request.transition.id = asked
    assert not active.peer.call(ChangeState, "change_state", request).success
    assert active.peer.state() == "active"
    active.peer.ask(ros.image_message(random_image(1), 1))


def test_a_reload_without_a_model_says_what_to_do(tmp_path: Path) -> None:
    model, namespace = write_tiny_model(tmp_path / "tiny.onnx"), ros.new_namespace()
    with (
        local_node(model, namespace) as local,
        ros.peer_in(namespace) as peer,
        ros.served(local.node),
    ):
        answer = peer.call(Trigger, "reload_model", Trigger.Request())
    assert not answer.success and "configure the node" in answer.message


def test_parameters_that_contradict_each_other_are_refused_together(
    active: SimpleNamespace,
) -> None:
    result = active.peer.set_parameter("tracking.off_confidence", 0.9)
    assert not result.successful and "tracking.on_confidence" in result.reason
    assert active.peer.set_parameter("tracking.off_confidence", 0.2).successful


def test_tracks_are_numbered_while_tracking_is_on_and_can_be_forgotten(
    active: SimpleNamespace,
) -> None:
    peer = active.peer
    assert peer.set_parameter("tracking.enabled", True).successful
    assert peer.set_parameter("tracking.on_confidence", 0.0).successful is False
    assert peer.set_parameter("tracking.off_confidence", 0.0).successful
    assert peer.set_parameter("tracking.on_confidence", 0.0).successful

    def ids(number: int) -> list[int]:
        array = peer.ask(ros.image_message(random_image(1), number))[ros.ARRAY_TOPIC]
        return [lane.track_id for lane in array.lanes if lane.status]

    first = ids(1)
    assert first and all(first)
    assert peer.call(Trigger, "reset_tracker", Trigger.Request()).success
    assert min(ids(2)) > max(first)


def test_lanes_lie_on_the_road_with_a_camera_info(tmp_path: Path) -> None:
    model, namespace = write_tiny_model(tmp_path / "tiny.onnx"), ros.new_namespace()
    values = {"ground.source": "parameters", "ground.height_m": 1.5, "ground.pitch_deg": 5.0}
    with (
        local_node(model, namespace, **values) as local,
        ros.peer_in(namespace) as peer,
    ):
        infos = peer.node.create_publisher(CameraInfo, "camera_info", 5)
        assert local.node.start()
        with ros.served(local.node):
            peer.settle(ros.image_message(random_image(0), 0))
            array = peer.ask(ros.image_message(random_image(1), 1))[ros.ARRAY_TOPIC]
            assert not any(lane.ground_valid for lane in array.lanes)
            info = CameraInfo(height=320, width=800, distortion_model="plumb_bob", d=[0.0] * 5)
            info.k = [700.0, 0.0, 400.0, 0.0, 700.0, 160.0, 0.0, 0.0, 1.0]
            info.r, info.p = np.eye(3).ravel(), np.zeros(12)
            assert peer.spin_until(infos.get_subscription_count)
            infos.publish(info)
            peer.spin_for(0.3)
            array = peer.ask(ros.image_message(random_image(1), 2))[ros.ARRAY_TOPIC]
    seen = [lane for lane in array.lanes if lane.status]
    assert seen
    for lane in seen:
        assert lane.ground_valid and lane.ground_frame_id == "base_link"
        assert len(lane.ground_x) == len(lane.image_x)
        assert not all(map(math.isnan, lane.ground_x))
