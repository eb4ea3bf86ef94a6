# SPDX-License-Identifier: Apache-2.0
"""One table of parameters: the YAML file and docs/parameters.md say what the node declares."""

from __future__ import annotations

import math
import sys
from itertools import groupby
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from decoder_options import decoder_options
from specs import spec_of

from shared_encoder_perception import tasks
from shared_encoder_perception.node import parameters
from shared_encoder_perception.node.parameters import all_parameters
from shared_encoder_perception.tasks.drivable.decode import Options as MaskOptions
from shared_encoder_perception.tasks.lanes.decode import Options
from shared_encoder_perception.tasks.options import own_options
from shared_encoder_perception.tasks.parameter import MODEL_OWN, Parameter

BY_NAME = all_parameters()

ROOT = Path(__file__).resolve().parents[2]
BEGIN, END = "<!-- parameters:begin -->", "<!-- parameters:end -->"


def flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Join nested keys with dots, as ROS does."""
    result: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        result.update(flat(value, f"{name}.") if isinstance(value, dict) else {name: value})
    return result


def test_yaml_file_is_the_table() -> None:
    """``config/perception.yaml`` is what the table prints, and ROS reads the defaults from it."""
    yaml = pytest.importorskip("yaml", reason="PyYAML comes with ROS 2")
    text = (ROOT / "config" / "perception.yaml").read_text()
    assert text == parameters.to_yaml(), (
        "run: python -m shared_encoder_perception.node.parameters yaml > config/perception.yaml"
    )
    read = flat(yaml.safe_load(text)["/**"]["ros__parameters"])
    assert list(read) == list(BY_NAME)
    for name, value in read.items():
        default = BY_NAME[name].default
        assert value == (list(default) if isinstance(default, tuple) else default)
        assert type(value) is (list if isinstance(default, tuple) else type(default)), name


def test_the_page_holds_the_table() -> None:
    """``docs/parameters.md`` shows the same table between its two marks."""
    text = (ROOT / "docs" / "parameters.md").read_text()
    assert BEGIN in text and END in text, f"docs/parameters.md lacks the marks {BEGIN} and {END}"
    shown = text.split(BEGIN)[1].split(END)[0].strip()
    assert shown == parameters.to_markdown().strip(), (
        "paste the output of: python -m shared_encoder_perception.node.parameters markdown"
    )


def test_defaults_are_allowed_and_described() -> None:
    """No default is refused; every description is a sentence that fits a table cell."""
    for parameter in BY_NAME.values():
        assert parameter.problem(parameter.default) == ""
        assert parameter.description.endswith(".") and "|" not in parameter.description


def test_what_needs_a_new_thread_or_engine_does_not_change_while_running() -> None:
    """The rest does: thresholds, limits, geometry, tracking, pictures, watchdogs."""
    fixed = {parameter.name for parameter in BY_NAME.values() if parameter.read_only}
    assert {"autostart", "input.transport", "input.crop", "backend.name"} <= fixed
    changing = set(BY_NAME) - fixed
    assert {"lanes.confidence_threshold", "mask.threshold", "input.max_age_s"} <= changing
    assert {"model.path", "tracking.enabled", "debug.overlay_width"} <= changing


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mask.threshold", 0.0),
        ("mask.threshold", 1.0),
        ("mask.threshold", MODEL_OWN),
        ("backend.threads", 0),
        ("backend.threads", 8),
        ("input.crop", [0, 0, 0, 0]),
        ("input.crop", [10, 20, 800, 320]),
        ("input.transport", "compressed"),
        ("model.path", "anything"),
    ],
)
def test_allowed(name: str, value: Any) -> None:
    """Bounds are inclusive."""
    assert BY_NAME[name].problem(value) == ""


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("mask.threshold", 1.5, "mask.threshold is 1.5, expected 0 to 1, or -1 = the model's own"),
        ("mask.threshold", -0.5, "mask.threshold is -0.5"),
        ("lanes.keypoint_threshold", math.nan, "is nan, expected 0 to 1"),
        ("lanes.confidence_threshold", math.inf, "is inf"),
        ("backend.threads", -1, "is -1, expected 1 to 256, or 0"),
        ("backend.name", "magic", "is 'magic', expected auto, onnxruntime"),
        ("input.transport", "h264", "is 'h264', expected raw, compressed"),
        ("input.crop", [0, 0, 800], "is [0, 0, 800], expected [x, y, width, height]"),
        ("input.crop", [0, 0, 1, 320], "is [0, 0, 1, 320]"),
        ("input.crop", [-1, 0, 800, 320], "is [-1, 0, 800, 320]"),
        ("input.crop", [], "is []"),
    ],
)
def test_refused(name: str, value: Any, reason: str) -> None:
    """The reason names the parameter, the value and what was expected."""
    assert reason in BY_NAME[name].problem(value)


def test_thresholds_of_decoders() -> None:
    """-1 keeps the model's own threshold, each parameter on its own."""
    spec = spec_of("m", "1", lane_thresholds=(0.1, 0.2, 0.3, 0.4, 0.5), mask_threshold=0.7)
    assert decoder_options(spec) == own_options(spec)
    assert decoder_options(
        spec, lanes__keypoint_threshold=0.25, lanes__confidence_threshold=0.6
    ) == {"lanes": Options(0.25, (0.6,) * 5), "drivable_surface": MaskOptions(0.7)}
    changed = decoder_options(spec, mask__threshold=0.0)
    assert changed["drivable_surface"].mask_threshold == 0.0
    tracked = decoder_options(spec, tracking__enabled=True)["lanes"].lane_thresholds
    assert tracked == (0.1, 0.2, 0.3, 0.3, 0.3), "what is rejected has no points to be followed by"


def test_a_tasks_parameters_stand_in_their_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the general ones of the same name in front, or in a group of their own."""
    own = (
        Parameter("ground.wetness", 0.0, "How wet."),
        Parameter("novel.threshold", MODEL_OWN, "Lowest."),
    )
    module = ModuleType("novel_room")
    module.content = SimpleNamespace(PARAMETERS=own)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "novel_room", module)
    monkeypatch.setitem(tasks.ROOMS, "novel", "novel_room")
    names = list(all_parameters())
    assert set(names) - set(BY_NAME) == {"ground.wetness", "novel.threshold"}
    assert names.index("ground.wetness") == names.index("debug.overlay_width") - 1
    heads = [name.partition(".")[0] for name in names]
    assert [*dict.fromkeys(heads)] == [head for head, _ in groupby(heads)], "one block a group"
    assert (
        "    novel:\n" in parameters.to_yaml() and "`novel.threshold`" in parameters.to_markdown()
    )


def test_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints both forms and refuses others."""
    assert parameters.main(["yaml"]) == 0
    assert capsys.readouterr().out == parameters.to_yaml()
    assert parameters.main(["markdown"]) == 0
    assert capsys.readouterr().out == parameters.to_markdown()
    assert parameters.main([]) == 2
    assert "usage" in capsys.readouterr().err
