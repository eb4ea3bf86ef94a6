# SPDX-License-Identifier: Apache-2.0
"""What was given for the node and has no effect is named, with the nearest name."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import ros_harness as ros
from local_node import local_node
from rclpy.lifecycle import TransitionCallbackReturn
from tiny_model import write_models

from shared_encoder_perception.node.given_parameters import (
    argument_lines,
    deaf_lines,
    idle_lines,
    matches,
    unknown_lines,
)
from shared_encoder_perception.node.parameters import all_parameters

SUCCESS = TransitionCallbackReturn.SUCCESS
KNOWN = ["use_sim_time", *all_parameters()]
NODE = "/front/perception"


@pytest.mark.parametrize(
    ("given", "near"),
    [
        ("mask.treshold", "did you mean mask.threshold?"),
        ("mask_threshold", "did you mean mask.threshold?"),
        ("model/path", "did you mean model.path?"),
        ("modle.path", "did you mean model.path?"),
        ("unseen_value", "did you mean mask.unseen_value?"),
        ("Autostart", "did you mean autostart?"),
        ("drivable_surface.unseen_value", "did you mean mask.unseen_value?"),
        ("zzz", "docs/parameters.md has them all"),
    ],
)
def test_a_name_that_is_none_is_named_with_the_nearest(given: str, near: str) -> None:
    """One line each, and nothing about those that there are."""
    (line,) = unknown_lines([given, "mask.threshold", "use_sim_time"], KNOWN, late=False)
    assert given in line and near in line and "no effect" in line


def test_overrides_of_a_subscription_are_judged_when_it_is_there() -> None:
    """ROS declares them then; those of its own topics may stay unused."""
    good, bad, clock = (
        f"qos_overrides./{name}.depth"
        for name in ("image.subscription", "imgae.subscription", "clock.subscription")
    )
    known = [*KNOWN, good]
    assert not unknown_lines([good, bad, clock], known, late=False)
    (line,) = unknown_lines([good, bad, clock], known, late=True)
    assert bad in line and good in line


def test_what_steers_a_terminal_is_written_out() -> None:
    """Names come from files."""
    (line,) = unknown_lines(["mask.\x1b[2Jthreshold\n"], KNOWN, late=False)
    assert line.isprintable()


def test_parameters_of_a_task_that_the_model_lacks_are_named() -> None:
    """But not as misspelt ones, and not where they are as by default, as in the file we ship."""
    defaults = {
        name: list(one.default) if isinstance(one.default, tuple) else one.default
        for name, one in all_parameters().items()
    }
    assert not idle_lines(defaults, ["lanes"])
    given = defaults | {"mask.unseen_value": 0, "tracking.enabled": True}
    (line,) = idle_lines(given, ["lanes"])
    assert "mask.unseen_value" in line and "drivable_surface" in line and "answers lanes" in line
    (line,) = idle_lines(given, ["drivable_surface"])
    assert "tracking.enabled" in line
    assert not idle_lines(given, ["lanes", "drivable_surface"])


@pytest.mark.parametrize(
    ("section", "fits"),
    [
        *(("/**", True), ("**", True), ("/front/perception", True), ("front/perception", True)),
        *(("/*/perception", True), ("/**/perception", True), ("/front/**", True), ("/*/*", True)),
        *(("perception", False), ("/perception", False), ("/rear/perception", False)),
        *(("/*", False), ("/front", False), ("/frontXperception", False)),
    ],
)
def test_sections_are_for_nodes_as_ros_has_it(section: str, fits: bool) -> None:
    """With the wildcards of parameter files."""
    assert matches(section, NODE) == fits


def test_a_file_for_other_nodes_only_is_named(tmp_path: Path) -> None:
    """A section without the namespace is the usual reason."""
    for text, complaint in (
        ("perception:\n  ros__parameters:\n    mask.threshold: 0.5\n", "only for /perception"),
        ("front:\n  perceptoin:\n    ros__parameters: {mask: {threshold: 0.5}}\n", "did you mean"),
        ("front:\n  perception:\n    ros__parameters: {mask: {threshold: 0.5}}\n", ""),
        ("/**:\n  ros__parameters: {}\n/rear/perception:\n  ros__parameters: {}\n", ""),
        ("", ""),
        ("[broken", ""),
    ):
        (tmp_path / "params.yaml").write_text(text)
        lines = deaf_lines(["node", "--params-file", str(tmp_path / "params.yaml")], NODE)
        assert bool(lines) == bool(complaint), text
        assert complaint in " ".join(lines)
    assert not deaf_lines(["node", "--params-file", str(tmp_path / "not_there.yaml")], NODE)


def test_a_parameter_for_another_node_is_named() -> None:
    """``-p node:name:=value`` is silent otherwise."""
    (line,) = deaf_lines(["-p", "perceptoin:mask.threshold:=0.5"], NODE)
    assert "mask.threshold" in line and "perceptoin" in line
    for right in ("perception:mask.threshold:=0.5", "mask.threshold:=0.5", "model.path:=s3://a/b"):
        assert not deaf_lines(["-p", right, "--param", right], NODE)


def test_launch_arguments_that_are_none_are_named() -> None:
    """``ros2 launch`` itself takes any name without a word."""
    known = ("image", "model", "cameras", "params_file")
    (line,) = argument_lines(["imgae:=/front/image_raw", "model:=a:=b.onnx", "--debug"], known)
    assert "imgae" in line and "did you mean image?" in line
    (line,) = argument_lines(["zzz:=1"], known)
    assert "see --show-args" in line


def test_the_node_says_it_and_runs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A warning, no refusal: a vehicle has to drive."""
    models: SimpleNamespace = write_models(tmp_path)
    values = {"mask.treshold": 0.4, "qos_overrides./imgae.subscription.depth": 3}
    with local_node(models.tiny, **values) as local:
        assert local.node.trigger_configure() == SUCCESS
        assert local.node.trigger_activate() == SUCCESS
    output = capfd.readouterr().err
    (line,) = [line for line in output.splitlines() if "treshold" in line]
    assert "[WARN]" in line and "did you mean mask.threshold?" in line
    (line,) = [line for line in output.splitlines() if "imgae" in line]
    assert "[WARN]" in line and "did you mean qos_overrides./" in line
    assert "no effect" not in output.replace(line, "", 1).partition("treshold")[0]


def test_a_file_reaches_the_real_node_by_wildcard_name_and_namespace(tmp_path: Path) -> None:
    """As users write them; nested keys are joined by dots."""
    model = write_models(tmp_path).tiny
    namespace = ros.new_namespace()
    sections = ("/**", f"{namespace}/perception", "other")
    lines = [
        f"{section}:\n  ros__parameters:\n    mask:\n      treshold{index}: 0.5"
        for index, section in enumerate(sections)
    ]
    (tmp_path / "params.yaml").write_text("\n".join([*lines, ""]))
    arguments = ("--params-file", str(tmp_path / "params.yaml"), "-p", f"model.path:={model}")
    with ros.node_process(tmp_path, namespace, *arguments, "-p", "modle.path:=x") as node:
        with ros.peer_in(namespace, node) as peer:
            assert peer.spin_until(lambda: "configured: " in node.log)
        for given in ("mask.treshold0", "mask.treshold1", "modle.path"):
            assert f"parameter {given} was given" in node.log, node.log
        assert "treshold2" not in node.log and "has nothing for" not in node.log
