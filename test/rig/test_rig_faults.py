# SPDX-License-Identifier: Apache-2.0
"""What the calibration of a rig, and its labels, give away of mistakes."""

from dataclasses import replace

import numpy as np
import pytest
from patterned_ground import entry, photographs, reposed, rig_file

from shared_encoder_perception.rig.boxes import Box
from shared_encoder_perception.rig.check import Check
from shared_encoder_perception.rig.faults import object_faults, rig_faults
from shared_encoder_perception.rig.frame import RigFrame
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.rig.ground_map import GroundLabel
from shared_encoder_perception.rig.rig_file import RigFile

GRID = BevGrid(-10.0, -10.0, 100, 100, 0.2, heights_m=(0.0,))


def rig():
    return rig_file().rig()


def told(rig):
    """Return the graves and the warnings of a rig."""
    faults = rig_faults(rig, GRID)
    return [[one.text for one in faults if one.grave is grave] for grave in (True, False)]


def lone(*places_and_angles, **more):
    """Return a rig of cameras that are not the ones of the pictures."""
    entries = (entry(f"c{n}", *one, **more) for n, one in enumerate(places_and_angles))
    return RigFile(tuple(entries)).rig()


def test_a_right_rig_has_no_faults():
    assert told(rig()) == [[], []]


@pytest.mark.parametrize(
    ("camera", "why"),
    [
        (((1.0, 0.0, 1.5), 0.0, -60.0, 0.0), "camera c0 sees only the sky"),
        (((1.0, 0.0, 1.5), 0.0, 90.0, 0.0), "camera c0 sees only the ground below it, up to"),
        (((1.0, 0.0, -1.5), 0.0, 10.0, 0.0), "camera c0 is 1.50 m below the ground"),
        (((1.0, 0.0, 1.5), 180.0, 0.0, 0.0), "camera c0 gives pictures that stand on their heads"),
        (((90.0, 0.0, 1.5), 0.0, 10.0, 0.0), "camera c0 sees nothing of the ground from x -10"),
    ],
)
def test_a_camera_that_cannot_be_right_is_named(camera, why):
    graves, _ = told(lone(camera))
    assert any(text.startswith(why) for text in graves), graves


def test_the_pose_of_a_body_instead_of_the_optical_frame_looks_at_the_sky():
    """Whoever forgets the turn between the two frames gets an optical axis that points up."""
    body = reposed(rig(), "front", lambda _: np.eye(3), lambda place: place)
    assert any("camera front sees only the sky" in text for text in told(body)[0])


@pytest.mark.parametrize("height_m", [0.05, 6.0])
def test_heights_that_are_unusual_are_a_warning(height_m):
    graves, warnings = told(lone(((1.0, 0.0, height_m), 0.0, 10.0, 0.0)))
    assert f"camera c0 is {height_m:.2f} m above the ground" in warnings[0]
    assert not graves


def test_a_mask_that_hides_everything_is_told():
    cameras = rig().cameras
    hidden = replace(cameras[0], own=np.ones(cameras[0].image_size, bool))
    graves, _ = told(replace(rig(), cameras=(hidden, *cameras[1:])))
    assert graves == [
        "camera front sees nothing: its mask of the own vehicle hides the whole picture, or it has "
        "no rays"
    ]


def test_a_calibration_that_was_copied_is_told():
    first, second, *others = rig_file().entries
    copied = RigFile((first, replace(first, name=second.name), *others)).rig()
    (text,) = told(copied)[0]
    assert text.startswith("cameras front and left have the same view")
    apart = reposed(copied, "left", lambda turn: turn, lambda place: place + (0.0, 0.2, 0.0))
    assert not told(apart)[0]  # a pair for stereo


def test_angles_in_radians_are_told():
    places = ((1.9, 0.0, 1.5), (0.6, 0.9, 1.9), (-1.2, -0.1, 1.3), (0.4, -0.8, 2.0))
    yaws = np.deg2rad((0.0, 90.0, 180.0, -90.0))
    found = lone(*[(place, 0.0, 0.2, yaw) for place, yaw in zip(places, yaws, strict=True)])
    (text,) = told(found)[0]
    assert text == (
        "cameras c0, c1, c2, c3 all look the same way, within 10 degrees: are their angles in "
        "degrees, not radians?"
    )


def boxes_of(rig, objects):
    """Return where a rig's pictures show objects, px, by camera."""
    found = {name: [] for name in rig.names}
    for camera in rig.cameras:
        for box in objects:
            seen = camera.see(box.corners())
            if np.isfinite(seen).all():
                found[camera.name].append(np.r_[seen.min(axis=0), seen.max(axis=0)])
    return {name: boxes for name, boxes in found.items() if boxes}


def test_boxes_in_pictures_tell_a_mirrored_rig():
    rng = np.random.default_rng(3)
    objects = [
        Box("vehicle", *place, 0.8, 4.0, 1.8, 1.6, yaw)
        for place, yaw in zip(rng.uniform(-18, 18, (30, 2)), rng.uniform(-3, 3, 30), strict=True)
    ]
    marked = boxes_of(rig(), objects)
    assert sum(map(len, marked.values())) > 5
    graves = [fault for fault in object_faults(rig(), objects, marked) if fault.grave]
    assert not graves
    mirrored = [box.mirrored() for box in objects]
    graves = [fault.text for fault in object_faults(rig(), mirrored, marked) if fault.grave]
    assert graves
    assert all("fit the objects mirrored left to right" in text for text in graves)


def test_objects_that_no_picture_shows_are_told():
    def seen(*objects):
        label = GroundLabel(tuple(objects))
        return Check(RigFrame("x", rig_file().rig(), photographs(), {}, label), GRID).faults

    def car(x, y, **more):
        return Box("vehicle", x, y, 0.8, 4.0, 1.8, 1.6, 0.0, **more)

    assert seen(car(8.0, 0.0)) == []
    below = Box("person", 0.2, 0.0, 0.1, 0.3, 0.3, 0.2, 0.0)
    (one,) = seen(car(8.0, 0.0), below)
    assert not one.grave
    assert "a person at x 0.2 m, y 0.0 m is in no picture of front, left" in one.text
    assert seen(car(8.0, 0.0), replace(below, visible=0.0)) == []
    many = seen(car(8.0, 0.0), *[replace(below, x_m=0.1 * n) for n in range(5)])
    assert [fault.text.startswith("5 of 6 objects") for fault in many] == [True]
    (none,) = seen(below)
    assert none.grave
