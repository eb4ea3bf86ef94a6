# SPDX-License-Identifier: Apache-2.0
"""Draw the pictures of the pages again, but for overlay.jpg: ``python docs/draw_pictures.py``.

``node_view.jpg`` is what the node publishes on ~/debug/overlay/compressed, on rendered
roads that it was not trained on. Its ground lines come from the world's own geometry.
``frames.png`` explains frames and signs. ``classes.jpg`` and ``depth.jpg`` hold what the default
model says of the classes and the depth of rendered roads beside what is there. ``rig_check.jpg`` is
what ``rig check`` draws of a rendered town, seen by four cameras.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Final

import cv2
import matplotlib
import numpy as np
from numpy.typing import NDArray

from shared_encoder_perception import tasks
from shared_encoder_perception.backends import DEFAULT_MODEL, load_backend
from shared_encoder_perception.drawing.overlay import draw, draw_labels
from shared_encoder_perception.drawing.pictures import write_picture
from shared_encoder_perception.evaluation.informed import informed, perceive
from shared_encoder_perception.node.debug_overlay import DebugOptions, notes_of, render
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.rig.check import Check
from shared_encoder_perception.rig.check_picture import draw_check
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.structures import Perception
from shared_encoder_perception.tasks.lanes.answer import GroundLine, LaneLine, Lanes
from shared_encoder_perception.world.camera import Ground, see_ground
from shared_encoder_perception.world.rigs.dice_rig import four_cameras
from shared_encoder_perception.world.rigs.drive import RigDrive
from shared_encoder_perception.world.synthetic import Drive, render_sample

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.patches import Rectangle

HERE: Final = Path(__file__).resolve().parent
SCENES: Final = ((1_000_000_029, 0.25, 12.0), (1_000_000_047, 1.0, 20.0))
"""(seed, split probability, metres driven) of what the node's view shows: a motorway, and an exit
that is found (one in three is missed, see results.md)."""
CLASSES: Final = (1_000_000_003, 1_000_000_012)
"""Seeds of the worlds whose classes are shown."""
FRAME_ID: Final = "base_link"
ORDER: Final = 3
SEMANTIC, DEPTH, FOREGROUND = "semantic", "depth", "foreground"
DEPTHS: Final = (1_000_000_002, 1_000_000_003, 1_000_000_016)
"""Seeds of the worlds whose depth is shown."""
PAIRS: Final = (1_000_000_004, 1_000_000_005, 1_000_000_011)
"""Seeds of the worlds whose foreground is shown."""
TOWN: Final = 1_000_000_284
"""Seed of the world that four cameras see, without traffic."""


def draw_node_view(path: Path) -> None:
    """Draw what the node sees of some rendered roads."""
    backend = load_backend(DEFAULT_MODEL, "onnxruntime")
    predictor = Predictor(backend)
    predictor.warm_up()
    pictures = []
    for seed, split, distance_m in SCENES:
        drive = Drive(seed, split_probability=split)
        image = drive.render(distance_m).image
        perception = _on_ground(predictor(image), drive, distance_m)
        model = f"{backend.spec.name} {backend.spec.version}"
        notes = notes_of(model, perception.stage_ms, 0)
        pictures.append(render(image, perception, notes, DebugOptions()))
    rule = np.full((4, pictures[0].shape[1], 3), 255, np.uint8)
    write_picture(path, np.vstack([pictures[0], rule, *pictures[1:]]))


def _on_ground(perception: Perception, drive: Drive, distance_m: float) -> Perception:
    """Add ground geometry, exact for the rendered world."""
    profile = drive.world.road.alignment.ahead(distance_m)
    ground = see_ground(drive.world.camera, profile)
    lateral, _ = profile.at(ground.z)
    across = ground.offset + lateral  # metres to the right of the vehicle
    _, height = profile.at(ground.z)
    maps = [ground.z, -across, height.astype(np.float32)]
    focal = drive.world.camera.focal_px
    lanes = perception.answers["lanes"]
    lines = tuple(_line_on_ground(line, ground, maps, focal) for line in lanes)
    return replace(perception, answers={**perception.answers, "lanes": Lanes(lines)})


def _line_on_ground(
    line: LaneLine, ground: Ground, maps: list[NDArray], focal_px: float
) -> LaneLine:
    """Look up where the pixels of a line are on the road."""
    if not line.detected:
        return line
    x, y = line.points_px.T
    at = (x[None], (y - ground.first)[None].astype(np.float32))
    # Rays far to the side or near the horizon mix ground with sky.
    flat = [
        cv2.remap(m.astype(np.float32), *at, cv2.INTER_LINEAR, borderValue=np.nan)[0] for m in maps
    ]
    points = np.stack(flat, axis=-1)
    seen = cv2.remap(ground.hit.astype(np.float32), *at, cv2.INTER_LINEAR)[0] > 0.99
    points[~seen] = np.nan
    std = line.x_std_px * points[:, 0] / focal_px
    known = np.isfinite(points).all(axis=1) & (std > 0)
    polynomial, covariance, range_m = np.zeros(0), np.zeros((0, 0)), (np.nan, np.nan)
    if known.sum() > ORDER + 1:
        ahead, left = points[known, 0].astype(float), points[known, 1].astype(float)
        fit, cov = np.polyfit(ahead, left, ORDER, w=1 / std[known], cov="unscaled")
        polynomial, covariance = fit[::-1], cov[::-1, ::-1]
        range_m = (float(ahead.min()), float(ahead.max()))
    return replace(line, ground=GroundLine(FRAME_ID, points, std, polynomial, covariance, range_m))


def draw_classes(path: Path) -> None:
    """Draw the classes of some worlds: answered on the left, true on the right."""
    predictor = Predictor(load_backend(DEFAULT_MODEL, "onnxruntime"))
    rows = []
    for seed in CLASSES:
        sample = render_sample(seed, (320, 832), tasks=(SEMANTIC,))  # all of it is seen
        perception = predictor(sample.image)
        answers = {SEMANTIC: perception.answers[SEMANTIC]}
        answered = draw(sample.image, replace(perception, answers=answers))
        rows.append(np.hstack((answered, draw_labels(sample.image, sample.labels))))
    write_picture(path, np.vstack(rows))


def draw_depth(path: Path) -> None:
    """Draw some worlds: lines of equal depth, depth as answered, as it is, and the error."""
    predictor = Predictor(load_backend(DEFAULT_MODEL, "onnxruntime"))
    rows = []
    for seed in DEPTHS:
        sample = render_sample(seed, (320, 832), tasks=(DEPTH,))
        answers = {DEPTH: predictor(sample.image).answers[DEPTH]}
        perception = informed(Perception(sample.image.shape[:2], answers), sample.labels)
        shown = tasks.part(DEPTH, "draw").panels(perception.answers[DEPTH], sample.labels[DEPTH])
        row = np.hstack([draw(sample.image, perception), *shown])
        rows.append(cv2.resize(row, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    write_picture(path, np.vstack(rows))


def draw_foreground(path: Path) -> None:
    """Draw some pairs: what is new, the background, what is new as it is, and the error."""
    predictor = Predictor(load_backend("shipped:pair", "onnxruntime"))
    room, rows = tasks.part(FOREGROUND, "draw"), []
    for seed in PAIRS:
        sample = render_sample(seed, tasks=(FOREGROUND,), traffic_probability=1.0)
        perception = perceive(predictor, sample)
        before, _, truth, error = room.panels(
            perception.answers[FOREGROUND], sample.labels[FOREGROUND]
        )
        row = np.hstack([draw(sample.image, perception), before, truth, error])
        rows.append(cv2.resize(row, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    write_picture(path, np.vstack(rows))


def draw_rig_check(path: Path) -> None:
    """Draw what ``rig check`` shows of a rig that is right."""
    size, grid = (320, 800), BevGrid(-15.0, -15.0, 120, 120, 0.25, heights_m=(0.0,))
    drive = RigDrive(TOWN, four_cameras(size), size, traffic_probability=0.0)
    first, *more = [drive.render(20.0 + 15.0 * index) for index in range(8)]
    sheet = draw_check(Check(first, grid, more=more))
    write_picture(path, cv2.resize(sheet, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA))


def draw_frames(path: Path) -> None:
    """Draw which way the axes point and what the fields of LaneLine mean."""
    figure, (image, road) = plt.subplots(1, 2, figsize=(13.4, 6.2), width_ratios=(1.75, 1))
    _draw_image_frame(image)
    _draw_vehicle_frame(road)
    figure.tight_layout(w_pad=3)
    figure.savefig(path, dpi=100, facecolor="white")
    plt.close(figure)


EGO, SPLIT, AXIS = "#b8860b", "#009e73", "#c22"


def _path_m(ahead: NDArray) -> NDArray:
    """The ego line of the drawing: metres to the left."""
    return 0.8 - 0.02 * ahead + 0.0028 * ahead**2


def _exit_m(ahead: NDArray) -> NDArray:
    """The split lane of the drawing: it leaves to the right 16 m ahead."""
    return _path_m(ahead) - 0.008 * np.maximum(ahead - 16, 0) ** 2


def _arrow(axes: plt.Axes, start: tuple, end: tuple, text: str, at: tuple, **style: str) -> None:
    """Draw an arrow and name it."""
    colour = style.pop("color", AXIS)
    axes.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": colour, "lw": 2})
    axes.text(*at, text, color=colour, fontsize=11, **style)


def _draw_image_frame(axes: plt.Axes) -> None:
    """The picture: pixels, the order of the points, and where a split leaves."""
    width, height, horizon, scale = 800, 500, 170, 950
    axes.add_patch(Rectangle((-0.5, -0.5), width, height, fill=False, lw=1.5))

    def project(ahead: NDArray, left: NDArray) -> tuple[NDArray, NDArray]:
        return 400 - scale * left / ahead, horizon + 2.15 * scale / ahead

    def label(text: str, point: tuple, at: tuple, colour: str) -> None:
        arrow = {"arrowstyle": "->", "color": colour, "lw": 1.5}
        axes.annotate(text, point, at, color=colour, fontsize=11, arrowprops=arrow)

    near, far = 6.2, 60.0
    ahead = 1 / np.linspace(1 / near, 1 / far, 400)
    for side in (1.75, -1.75):
        axes.plot(*project(ahead, _path_m(ahead) + side), color="0.8", lw=2, zorder=0)
    points = 1 / np.linspace(1 / near, 1 / far, 18)
    x, y = project(points, _path_m(points))
    axes.errorbar(x, y, xerr=4 + 12 * points / far, fmt="none", ecolor=EGO, alpha=0.6, capsize=3)
    axes.plot(x, y, "o-", color=EGO, ms=6)
    x_split, y_split = project(points, _exit_m(points))
    axes.plot(x_split, y_split, "s-", color=SPLIT, ms=5, zorder=1)
    away = int(np.argmax(_path_m(points) - _exit_m(points) > 3.5 / 4))
    leaves = (
        f"right split:\nbranch_index = {away}, the first point\nmore than 1/4 lane off the ego line"
    )
    label(leaves, (x_split[away], y_split[away]), (485, 330), SPLIT)
    label("image_x[0], image_y[0]:\nthe nearest point", (x[0], y[0]), (330, 465), EGO)
    label("the last point:\nthe farthest", (x[-1], y[-1]), (60, 175), EGO)
    label("bars: image_x\n± 2 image_x_std", (x[12] - 8, y[12]), (100, 270), EGO)
    _arrow(axes, (0, 0), (110, 0), "x, image_x: columns", (12, 72))
    _arrow(axes, (0, 0), (0, 110), "y, image_y: rows", (12, 100))
    axes.text(12, 40, "(0, 0) = centre of the top-left pixel", color=AXIS, fontsize=11)
    axes.text(width - 10, 30, "image_width x image_height", ha="right", fontsize=11)
    axes.set(xlim=(-15, width + 5), ylim=(height + 8, -12), aspect="equal")
    axes.set_title("In the image: pixels, header.frame_id (optical frame)", fontsize=13)
    axes.axis("off")


def _draw_vehicle_frame(axes: plt.Axes) -> None:
    """The road from above: axes, polynomial, band, and the signs of what it gives."""
    ahead = np.linspace(6, 42, 100)
    std = 0.1 + 0.00035 * ahead**2
    left = _path_m(ahead)
    axes.fill_betweenx(ahead, left - 2 * std, left + 2 * std, color=EGO, alpha=0.25, lw=0)
    axes.plot(left, ahead, color=EGO, lw=2.5)
    rest = np.linspace(0, 6, 20)
    axes.plot(_path_m(rest), rest, "--", color=EGO, lw=1.2)
    seen = np.linspace(6, 42, 13)
    axes.plot(_path_m(seen), seen, "o", color=EGO, ms=5)
    axes.add_patch(Rectangle((-0.95, -1), 1.9, 4.6, fc="0.85", ec="0.4"))
    _arrow(axes, (0, 0), (0, 12), "x: forward", (-0.25, 11.2))
    _arrow(axes, (0, 0), (3.2, 0), "y: left", (4.6, -0.5))
    axes.plot(0, 0, "o", color=AXIS, ms=8)
    axes.text(-0.4, 1.1, "z: up", color=AXIS, fontsize=11)
    for at, name in ((6, "polynomial_x_min"), (42, "polynomial_x_max")):
        axes.axhline(at, color="0.6", lw=1, ls=":")
        axes.text(-6.9, at + 0.5, name, fontsize=11, ha="right", color="0.35")
    axes.text(0.1, 31, "y(x) = Σ polynomial[i] · xⁱ\npoints: ground_x, ground_y\n"
              "band: ± 2 ground_y_std", color=EGO, fontsize=11)  # fmt: skip
    axes.annotate(
        "y > 0: the line is to the left\nheading > 0: it turns to the left\n"
        "curvature > 0: a left bend",
        (_path_m(np.array(22.0)), 22), (0.1, 21), fontsize=11,
        arrowprops={"arrowstyle": "->", "color": "0.3"},
    )  # fmt: skip
    axes.annotate("", (0.8, -3.2), (0, -3.2), arrowprops={"arrowstyle": "<->", "color": "0.2"})
    axes.plot([0.8, 0.8], [0, -3.6], color="0.6", lw=1, ls=":")
    axes.plot([0, 0], [0, -3.6], color="0.6", lw=1, ls=":")
    axes.text(-0.3, -3.7, "offset < 0: the vehicle is\nto the right of the line", fontsize=11,
              va="center")  # fmt: skip
    axes.set(xlim=(6.6, -7), ylim=(-6, 46))
    axes.set_title("On the road: metres, ground_frame_id, seen from above", fontsize=13)
    axes.axis("off")


def main() -> None:
    """Draw them all, into this folder unless told otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE, help="folder for the pictures")
    folder = parser.parse_args().out
    draw_node_view(folder / "node_view.jpg")
    draw_frames(folder / "frames.png")
    draw_classes(folder / "classes.jpg")
    draw_depth(folder / "depth.jpg")
    draw_foreground(folder / "foreground.jpg")
    draw_rig_check(folder / "rig_check.jpg")


if __name__ == "__main__":
    main()
