# SPDX-License-Identifier: Apache-2.0
"""What viewers are configured for, and what the page on messages explains, is what there is."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAYOUT = ROOT / "config" / "foxglove_layout.json"
RVIZ = ROOT / "config" / "perception.rviz"
PAGE = ROOT / "docs" / "messages.md"


def known_topics():
    """Every topic of a node `perception` without a namespace."""
    pytest.importorskip("rclpy", reason="ROS 2 is not installed")
    pytest.importorskip("shared_encoder_perception.msg", reason="our messages are not built")
    from shared_encoder_perception import tasks
    from shared_encoder_perception.artifact.model_info import INFO_TOPIC
    from shared_encoder_perception.node import debug_outputs, diagnostics

    contents = tasks.parts("content").values()
    names = [topic.name for content in contents for topic in content.TOPICS]
    names += [INFO_TOPIC, debug_outputs.OVERLAY_TOPIC, diagnostics.TOPIC]
    return {"/" + name.replace("~", "perception").lstrip("/") for name in names}


def fields(message):
    """Names of the fields in a .msg file."""
    text = (ROOT / "msg" / f"{message}.msg").read_text()
    return re.findall(r"^[\w/]+(?:\[\])? ([a-z]\w*)(?: |$)", text, re.MULTILINE)


def rviz_config():
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    return yaml.safe_load(RVIZ.read_text())["Visualization Manager"]


def test_rviz_shows_our_topics_in_the_vehicles_frame():
    from shared_encoder_perception.tasks.lanes.markers import BAND, LINE, TEXT

    manager = rviz_config()
    displays = {display["Class"].split("/")[1]: display for display in manager["Displays"]}
    assert set(displays) == {"Grid", "TF", "Image", "MarkerArray", "PointCloud2"}
    assert manager["Global Options"]["Fixed Frame"] == "base_link"
    topics = {d["Topic"]["Value"] for d in displays.values() if "Topic" in d}
    assert len(topics) == 3
    assert topics <= known_topics()
    assert set(displays["MarkerArray"]["Namespaces"]) == {LINE, BAND, TEXT}
    assert all(display["Enabled"] == display["Value"] for display in displays.values())


def layout():
    return json.loads(LAYOUT.read_text())


def panels_in(part):
    """Panels of a layout's tree."""
    if isinstance(part, str):
        return [part]
    assert part["direction"] in ("row", "column") and 0 < part["splitPercentage"] < 100
    return panels_in(part["first"]) + panels_in(part["second"])


def test_foxglove_layout_places_every_panel_once():
    content = layout()
    assert sorted(panels_in(content["layout"])) == sorted(content["configById"])
    kinds = {name.split("!")[0] for name in content["configById"]}
    assert kinds == {"Image", "3D", "Plot", "DiagnosticSummary"}


def test_foxglove_layout_names_our_topics_and_fields():
    panels, known = layout()["configById"], known_topics()
    named = {panels["Image!overlay"]["imageMode"]["imageTopic"]}
    named |= {panels["DiagnosticSummary!node"]["topicToRender"], *panels["3D!road"]["topics"]}
    assert named <= known
    plotted = [p["value"] for name in panels if "Plot" in name for p in panels[name]["paths"]]
    assert len(plotted) == 11
    for value in plotted:
        topic, _, name = value.rpartition(".")
        assert topic in known, value
        kind = "LaneLineArray" if topic == "/lane_lines" else "LaneLine"
        assert name in fields(kind), value


@pytest.mark.parametrize("message", ["LaneLine", "LaneLineArray", "ModelInfo"])
def test_the_page_explains_every_field(message):
    text = PAGE.read_text()
    section = text.split(f"## `{message}`")[1].split("\n## ")[0]
    explained = {
        name
        for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }
    assert explained == set(fields(message))


def test_the_page_explains_the_cloud_as_it_is():
    from shared_encoder_perception.tasks.lanes.point_cloud import POINT_DTYPE

    section = PAGE.read_text().split("## `lane_lines/points`")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.+?`) \| (\w+) \| ([\d, ]+) \|", section, re.MULTILINE)
    explained = [
        (name, kind, int(offset))
        for names, kind, offsets in rows
        for name, offset in zip(re.findall(r"`(\w+)`", names), offsets.split(","), strict=True)
    ]
    actual = [(n, POINT_DTYPE[n].name, POINT_DTYPE.fields[n][1]) for n in POINT_DTYPE.names]
    assert explained == actual


@pytest.mark.parametrize("page", [PAGE], ids=lambda path: path.name)
def test_links_of_the_page_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target
