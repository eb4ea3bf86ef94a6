# SPDX-License-Identifier: Apache-2.0
"""Loads that last, hang or crash: the node tells, ends when told to, and perceives meanwhile."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event
from time import sleep

import pytest
import ros_harness as ros  # before the others: it sets the environment
from bad_engine import CRASHES, HOLDS, use_engine, write_bad_model, write_endless_model
from fault_bench import QUICK, QUICK_ARGUMENTS, Watch, watched_process
from local_node import Local, local_node
from patience import PATIENCE_S
from std_srvs.srv import Trigger
from tiny_model import SPEC, random_image, write_tiny_model

from shared_encoder_perception.tasks.lanes.content import ARRAY_TOPIC
from shared_encoder_perception.tasks.status import Level

PAUSE_S = 0.05


def start(folder: Path, namespace: str, model: Path, *arguments: str) -> ros.NodeProcess:
    """Start the node with a model that ONNX Runtime is to run."""
    options = ("-p", f"model.path:={model}", "-p", "backend.name:=onnxruntime", "-p")
    return ros.NodeProcess(
        folder, namespace, *options, "backend.threads:=1", *QUICK_ARGUMENTS, *arguments
    )


def limit(seconds: float) -> tuple[str, str]:
    """Return the arguments that limit a load."""
    return ("-p", f"model.load_timeout_s:={seconds}")


def test_an_endless_load_at_start_is_told_and_a_signal_ends_it(tmp_path: Path) -> None:
    model, namespace = write_endless_model(tmp_path / "endless.onnx"), ros.new_namespace()
    process = start(tmp_path, namespace, model)
    with watched_process(process, namespace) as watch:
        watch.expect("model", Level.STALE, "loading for ")
        assert str(model) in watch.statuses["model"].message
        assert not watch.shows("output", Level.WARN), "it is not the user's turn"
        assert process.stop(signal.SIGTERM)[0] == 0, process.log
    assert "Traceback" not in process.log and "[WARN]" not in process.log


def test_a_load_that_keeps_the_interpreter_is_ended_by_a_signal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python itself can do nothing then."""
    use_engine(tmp_path, monkeypatch)
    model = write_bad_model(tmp_path / "holds.onnx", HOLDS)
    process = start(tmp_path, ros.new_namespace(), model)
    try:
        assert until(lambda: children_of(process)), "nobody minds it"
        assert until(lambda: HOLDS in process.log)
        assert process.stop(signal.SIGTERM)[0] == -signal.SIGKILL
        assert "a signal asked it to end" in process.log
    finally:
        process.kill()


def children_of(process: ros.NodeProcess) -> list[int]:
    """Return the process ids of what the node has started, those that ended left out."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # ended just now
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == process.process.pid and state != "Z":
                found.append(int(stat.parent.name))
    return found


def none_exists(paths: list[Path]) -> bool:
    """Whether none of these is there."""
    return not any(path.exists() for path in paths)


def until(condition: Callable[[], object]) -> bool:
    """Wait for what no message tells; return whether it came."""
    for _ in range(int(PATIENCE_S / PAUSE_S)):
        if condition():
            return True
        sleep(PAUSE_S)
    return False


def test_a_load_at_start_that_takes_too_long_ends_the_process(tmp_path: Path) -> None:
    model = write_endless_model(tmp_path / "endless.onnx")
    process = start(tmp_path, ros.new_namespace(), model, *limit(0.5))
    try:
        assert process.wait() == 1, process.log
    finally:
        process.kill()
    (line,) = [line for line in process.log.splitlines() if "[ERROR]" in line]
    assert f"cannot configure: loading {model} has not ended after 0.5 s" in line
    assert "model.load_timeout_s" in line and "Traceback" not in process.log


def test_a_load_at_start_that_keeps_the_interpreter_too_long_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_engine(tmp_path, monkeypatch)
    model = write_bad_model(tmp_path / "holds.onnx", HOLDS)
    process = start(tmp_path, ros.new_namespace(), model, *limit(0.5))
    try:
        assert process.wait() == -signal.SIGKILL, process.log
        assert "the limit of model.load_timeout_s is over" in process.log
    finally:
        process.kill()


def test_a_manager_hears_of_a_load_that_takes_too_long_and_may_take_another(tmp_path: Path) -> None:
    """And while one lasts, a signal ends the process."""
    model, namespace = write_endless_model(tmp_path / "endless.onnx"), ros.new_namespace()
    good = write_tiny_model(tmp_path / "tiny.onnx")
    process = start(tmp_path, namespace, model, "-p", "autostart:=false", *limit(1.0))
    with watched_process(process, namespace) as watch:
        peer = watch.peer
        assert peer.state() == "unconfigured"
        assert not peer.change_state("configure")
        assert peer.state() == "unconfigured"
        watch.expect("model", Level.ERROR, "has not ended after 1 s")
        assert peer.set_parameter("model.path", str(good)).successful
        assert peer.change_state("configure") and peer.change_state("activate")
        watch.all_well(ros.image_message(random_image(0), 0))
        assert peer.change_state("deactivate") and peer.change_state("cleanup")
        assert peer.set_parameter("model.path", str(model)).successful
        assert peer.set_parameter("model.load_timeout_s", 0.0).successful
        configuring = peer.node.create_client(ros.ChangeState, "perception/change_state")
        assert peer.spin_until(configuring.service_is_ready)
        request = ros.ChangeState.Request()
        request.transition.label = "configure"
        configuring.call_async(request)
        watch.expect("model", Level.STALE, "loading for ")
        assert process.stop(signal.SIGTERM)[0] == 0, process.log
    assert "Traceback" not in process.log


def reload(watch: Watch, model: Path) -> Trigger.Response:
    """Ask for another model, and see that images are answered until the answer comes."""
    peer, arrays = watch.peer, watch.peer.received[ARRAY_TOPIC]
    assert peer.set_parameter("model.path", str(model)).successful
    client = peer.node.create_client(Trigger, "perception/reload_model")
    assert peer.spin_until(client.service_is_ready)
    peer.spin_for(0.2)
    asked = client.call_async(Trigger.Request())
    send = partial(peer.images.publish, ros.image_message(random_image(1), 1))
    before, told = len(arrays), []

    def answered() -> bool:
        told.append(watch.shows("model", Level.OK, "; loading for "))
        return asked.done()

    watch.send_until(send, answered)
    assert any(told), "nobody learnt of it"
    assert len(arrays) > before, "perception starved"
    peer.node.destroy_client(client)
    return asked.result()


def test_a_reload_that_never_ends_or_crashes_costs_nothing_but_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old model goes on, no process stays behind, and a good model can be taken then."""
    use_engine(tmp_path, monkeypatch)
    namespace = ros.new_namespace()
    good = write_tiny_model(tmp_path / "tiny.onnx")
    process = start(tmp_path, namespace, good, *limit(3.0))
    with watched_process(process, namespace) as watch:
        watch.peer.settle(ros.image_message(random_image(0), 0))
        for model, reason in (
            (write_endless_model(tmp_path / "endless.onnx"), "has not ended after 3 s"),
            (write_bad_model(tmp_path / "holds.onnx", HOLDS), "has not ended after 3 s"),
            (write_bad_model(tmp_path / "dies.onnx", CRASHES), "ended the process that tried it"),
            (tmp_path / "nowhere.onnx", "cannot read the model"),
        ):
            answer = reload(watch, model)
            assert not answer.success and reason in answer.message, answer.message
            assert str(model) in answer.message
            assert f"cannot reload: {answer.message}" in process.log
            assert not children_of(process)
        assert watch.peer.set_parameter("model.load_timeout_s", 0.0).successful
        write_tiny_model(good, replace(SPEC, version="1.2.4"))
        answer = reload(watch, good)
        assert answer.success and answer.message.startswith("reloaded: model tiny 1.2.4")
        watch.all_well(ros.image_message(random_image(0), 2))
        assert process.stop()[0] == 0 and "Traceback" not in process.log


def test_a_signal_ends_a_node_that_tries_a_model(tmp_path: Path) -> None:
    """Also what it started, and also without the trial: with the thread that never returns."""
    good = write_tiny_model(tmp_path / "tiny.onnx")
    endless = write_endless_model(tmp_path / "endless.onnx")
    for tries in ("true", "false"):
        namespace = ros.new_namespace()
        process = start(tmp_path, namespace, good, "-p", f"model.try_first:={tries}")
        with watched_process(process, namespace) as watch:
            watch.peer.settle(ros.image_message(random_image(0), 0))
            assert watch.peer.set_parameter("model.path", str(endless)).successful
            client = watch.peer.node.create_client(Trigger, "perception/reload_model")
            assert watch.peer.spin_until(client.service_is_ready)
            client.call_async(Trigger.Request())
            send = partial(watch.peer.images.publish, ros.image_message(random_image(1), 1))
            watch.expect("model", Level.OK, "; loading for ", send)
            children = children_of(process)
            assert len(children) == (tries == "true")
            assert process.stop()[0] == 0, process.log
            gone = [Path(f"/proc/{child}") for child in children]
            assert until(partial(none_exists, gone)), "it outlives the node"
        assert "Traceback" not in process.log


def test_a_reload_with_a_loader_that_hangs_is_given_up(tmp_path: Path) -> None:
    """What it yields after all is closed, and never used."""
    model, namespace = write_tiny_model(tmp_path / "tiny.onnx"), ros.new_namespace()
    with (
        local_node(model, namespace, **QUICK) as local,
        ros.peer_in(namespace) as peer,
    ):
        assert local.node.start()
        with ros.served(local.node):
            peer.settle(ros.image_message(random_image(0), 0))
            gate = hang(local)
            assert peer.set_parameter("model.load_timeout_s", 0.5).successful
            answer = peer.call(Trigger, "reload_model", Trigger.Request())
            assert not answer.success and "has not ended after 0.5 s" in answer.message
            peer.ask(ros.image_message(random_image(1), 1))
            gate.set()
            assert peer.spin_until(lambda: len(local.backends) == 2 and local.backends[1].closed)
            assert not local.backends[0].closed
            assert peer.set_parameter("model.load_timeout_s", 0.0).successful
            assert peer.call(Trigger, "reload_model", Trigger.Request()).success
            peer.ask(ros.image_message(random_image(1), 2))


def hang(local: Local) -> Event:
    """Let the next loads of a local node wait for what is returned to be set."""
    gate, load = Event(), local.node._model._load

    def waits(*arguments: object) -> object:
        gate.wait()
        return load(*arguments)

    local.node._model._load = waits
    return gate
