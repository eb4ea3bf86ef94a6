# SPDX-License-Identifier: Apache-2.0
"""One table of the rig node's parameters: file, page and node say the same."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import yaml
from specs import spec_of

from shared_encoder_perception.node.parameters import to_markdown, to_yaml
from shared_encoder_perception.node.rig import parameters
from shared_encoder_perception.node.rig.moment import Timing
from shared_encoder_perception.node.rig.parameters import RigOptions, rig_parameters
from shared_encoder_perception.rig.grid import BevGrid

ROOT = Path(__file__).resolve().parents[3]
BEGIN, END = "<!-- parameters:begin -->", "<!-- parameters:end -->"
TABLE = rig_parameters()


def flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Join nested keys with dots, as ROS does."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        found |= flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return found


def read(**changes: Any) -> RigOptions:
    """Return what the parameters say, some of them set."""
    values = {name: row.default for name, row in TABLE.items()}
    values |= {name.replace("__", "."): value for name, value in changes.items()}
    return RigOptions.read(values.__getitem__)


def test_the_yaml_file_is_the_table() -> None:
    text = (ROOT / "config" / "surround.yaml").read_text()
    assert text == to_yaml(TABLE, "surround node", parameters.WRITTEN_BY), (
        "run: python -m shared_encoder_perception.node.rig.parameters yaml > config/surround.yaml"
    )
    found = flat(yaml.safe_load(text)["/**"]["ros__parameters"])
    assert found == {name: row.default for name, row in TABLE.items()}


def test_the_page_holds_the_table() -> None:
    text = (ROOT / "docs" / "surround_node.md").read_text()
    shown = text.split(BEGIN)[1].split(END)[0].strip()
    assert shown == to_markdown(TABLE).strip(), (
        "paste the output of: python -m shared_encoder_perception.node.rig.parameters markdown"
    )


def test_the_command_prints_both(capsys: pytest.CaptureFixture[str]) -> None:
    assert parameters.main(["yaml"]) == 0
    assert capsys.readouterr().out.startswith("# Parameters of the surround node")
    assert parameters.main(["markdown"]) == 0
    assert "| `rig.max_skew_s` | `0.05` |" in capsys.readouterr().out
    assert parameters.main([]) == 2


def test_groups_stand_together_and_defaults_are_allowed() -> None:
    heads = [name.rpartition(".")[0] for name in TABLE]
    assert [*dict.fromkeys(heads)] == [head for head, _ in groupby(heads)]
    for row in TABLE.values():
        assert row.problem(row.default) == "" and row.description.endswith(".")
        assert "reload_model" not in row.description, "there is no such service here"


def test_defaults_are_those_of_the_parts() -> None:
    options = read()
    assert options.timing == Timing() and options.grid is None
    assert read(grid__cells_x=50).grid == BevGrid(cells_x=50)
    assert read(rig__wait_s=0.1).timing == Timing(wait_s=0.1)


def test_thresholds_reach_the_decoders() -> None:
    """Also where a task asks for what this node does not offer, such as tracking."""
    spec = spec_of("m", "1", mask_threshold=0.7)
    assert read().decode(spec)["drivable_surface"].mask_threshold == 0.7
    assert read(mask__threshold=0.25).decode(spec)["drivable_surface"].mask_threshold == 0.25
    assert "tracking.enabled" not in TABLE and "ground.max_range_m" not in TABLE


def test_without_a_file_there_is_no_rig() -> None:
    with pytest.raises(ValueError, match=r"rig.file is not set: name the rig.yaml"):
        _ = read().path
    assert read(rig__file="rig.yaml").path == Path("rig.yaml")
