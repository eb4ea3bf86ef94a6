# SPDX-License-Identifier: Apache-2.0
"""CARLA's conventions: the table of poses, and every sign that could be wrong.

What is expected comes from CARLA's own formulas, in its left-handed frame: the matrix that
``carla.Transform`` documents, and the projection of its tutorial on bounding boxes.
"""

import numpy as np
import pytest

from shared_encoder_perception.ground.extrinsics import BODY_FROM_OPTICAL, Extrinsics
from shared_encoder_perception.ground.rigid import Rigid
from shared_encoder_perception.labels.adapters import carla_frame
from shared_encoder_perception.labels.adapters.carla_frame import Location, Rotation

SIZE = (600, 800)
# The vehicle in the world, the camera on it (both location, then pitch, yaw, roll), field of view,
# and a point in the world that the camera sees.
POSES = [
    ((0, 0, 0), (0, 0, 0), (1.5, 0, 1.6), (0, 0, 0), 90, (12, 3, 0.5)),
    ((0, 0, 0), (0, 0, 0), (1.5, 0, 1.6), (-15, 0, 0), 90, (8, -2, 0)),
    ((0, 0, 0), (0, 0, 0), (0, 0.9, 1.2), (0, 90, 0), 90, (1, 9, 0.2)),
    ((0, 0, 0), (0, 0, 0), (0, -0.9, 1.2), (0, -90, 0), 90, (-2, -9, 0.2)),
    ((0, 0, 0), (0, 0, 0), (-2, 0, 1.2), (0, 180, 0), 70, (-14, 4, 1)),
    ((0, 0, 0), (0, 0, 0), (1.5, 0, 1.6), (0, 0, 20), 90, (10, 2, 3)),
    ((100, -40, 2), (0, 35, 0), (1.5, 0.2, 1.6), (0, 0, 0), 110, (108, -33, 2)),
    ((100, -40, 2), (0, 120, 0), (0.5, -0.8, 1.4), (-8, -65, 0), 100, (104, -34, 3)),
    ((-7, 55, 1), (5, -150, 0), (1.0, 0.5, 1.8), (-12, 40, 0), 60, (-12, 46, 0)),
    ((-7, 55, 1), (0, 10, 4), (1.0, 0.5, 1.8), (3, -25, -7), 90, (6, 52, 2)),
    ((3, 4, 0), (-6, 200, 3), (-1.8, 0, 1.1), (-20, 165, 10), 120, (12, 9, 0)),
    ((3, 4, 0), (2, 77, -5), (0.3, 0.95, 1.3), (-30, 110, 15), 95, (-3, 5, -1)),
]


def carla_matrix(location, angles):
    """``carla.Transform.get_matrix``: left-handed, degrees."""
    (cp, cy, cr), (sp, sy, sr) = np.cos(np.deg2rad(angles)), np.sin(np.deg2rad(angles))
    return np.array(
        [
            [cp * cy, cy * sp * sr - sy * cr, -cy * sp * cr - sy * sr, location[0]],
            [cp * sy, sy * sp * sr + cy * cr, -sy * sp * cr + cy * sr, location[1]],
            [sp, -cp * sr, cp * cr, location[2]],
            [0, 0, 0, 1],
        ]
    )


def carla_pixel(row):
    """Return where CARLA sees a point, pixels from the corner of its picture."""
    at, angles, on, turned, fov, point = row
    world_from_sensor = carla_matrix(at, angles) @ carla_matrix(on, turned)
    x, y, z, _ = np.linalg.inv(world_from_sensor) @ (*point, 1)
    focal = SIZE[1] / (2 * np.tan(np.deg2rad(fov) / 2))
    assert x > 0
    return np.array([SIZE[1] / 2 + focal * y / x, SIZE[0] / 2 - focal * z / x])


def ours(row):
    """Return where we see it: the vehicle and the sensor in the world, as a recording has them."""
    at, angles, on, turned, fov, point = row
    vehicle = carla_frame.pose(Location(*at), Rotation(*angles))
    sensor = vehicle.after(carla_frame.pose(Location(*on), Rotation(*turned)))
    camera, placed = carla_frame.lens(SIZE, fov), carla_frame.extrinsics(vehicle, sensor)
    seen = vehicle.inverse().apply(carla_frame.vector(point)[:, None])[:, 0]
    return camera.pixels(((seen - placed.position) @ placed.rotation)[None])[0]


def worst():
    errors = np.array([np.abs(ours(row) - (carla_pixel(row) - 0.5)).max() for row in POSES])
    return np.nan_to_num(errors, nan=np.inf).max()  # NaN: it is not ahead at all


@pytest.mark.parametrize("row", POSES, ids=range(len(POSES)))
def test_a_point_is_seen_where_carla_sees_it(row):
    corner = carla_pixel(row)
    assert (corner > 0).all()
    assert (corner < SIZE[::-1]).all()
    # CARLA counts from the corner of the first pixel, we count from its centre.
    assert ours(row) == pytest.approx(corner - 0.5, abs=1e-6)


@pytest.mark.parametrize("row", POSES, ids=range(len(POSES)))
def test_carla_to_ours_to_carla_is_where_it_was(row):
    for location, angles in (row[:2], row[2:4]):
        place = carla_frame.pose(Location(*location), Rotation(*angles))
        back, turned = carla_frame.carla_pose(place)
        assert back == pytest.approx(location, abs=1e-9)
        apart = np.array((turned.pitch, turned.yaw, turned.roll)) - angles
        assert np.abs((apart + 180) % 360 - 180).max() < 1e-9
        again = carla_frame.pose(back, turned)
        assert again.rotation == pytest.approx(place.rotation, abs=1e-9)


def test_straight_up_is_a_rotation_again():
    for pitch in (90.0, -90.0):
        place = carla_frame.turn(Rotation(pitch, 30.0, 20.0))
        again = carla_frame.turn(carla_frame.rotation_of(place))
        assert again == pytest.approx(place, abs=1e-7)


def turned(signs, order="zyx", unit=np.deg2rad):
    """Return a ``turn`` that is wrong."""

    def turn(rotation):
        angles = (rotation.roll, rotation.pitch, rotation.yaw)
        roll, pitch, yaw = (unit(angle) * sign for angle, sign in zip(angles, signs, strict=True))
        parts = {
            "x": Extrinsics.from_angles((0, 0, 0), roll, 0, 0),
            "y": Extrinsics.from_angles((0, 0, 0), 0, pitch, 0),
            "z": Extrinsics.from_angles((0, 0, 0), 0, 0, yaw),
        }
        first, second, third = (parts[axis].rotation @ BODY_FROM_OPTICAL.T for axis in order)
        return first @ second @ third

    return turn


def halved(size, fov_deg):
    height, width = size
    focal = width / (2 * np.tan(np.deg2rad(fov_deg) / 2))
    return carla_frame.lens_of(size, np.array([focal, 0, width / 2, 0, focal, height / 2, 0, 0, 1]))


def vertical(size, fov_deg):
    height, width = size
    focal = height / (2 * np.tan(np.deg2rad(fov_deg) / 2))
    matrix = [focal, 0, width / 2 - 0.5, 0, focal, height / 2 - 0.5, 0, 0, 1]
    return carla_frame.lens_of(size, np.array(matrix))


WRONG = {
    "y is not mirrored": {"MIRROR": np.array([1.0, 1.0, 1.0])},
    "x is mirrored": {"MIRROR": np.array([-1.0, -1.0, 1.0])},
    "z is mirrored": {"MIRROR": np.array([1.0, -1.0, -1.0])},
    "the sign of roll": {"turn": turned((-1, -1, -1))},
    "the sign of pitch": {"turn": turned((1, 1, -1))},
    "the sign of yaw": {"turn": turned((1, -1, 1))},
    "no sign at all": {"turn": turned((1, 1, 1))},
    "the order of turns": {"turn": turned((1, -1, -1), "xyz")},
    "pitch before roll": {"turn": turned((1, -1, -1), "zxy")},
    "radians": {"turn": turned((1, -1, -1), unit=lambda angle: angle)},
    "the optical frame looks up": {
        "BODY_FROM_OPTICAL": np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])
    },
    "the optical frame is turned round": {"BODY_FROM_OPTICAL": BODY_FROM_OPTICAL * (-1, -1, 1)},
    "the middle is not half a pixel off": {"lens": halved},
    "the field of view is vertical": {"lens": vertical},
}


def test_the_table_itself_is_right():
    assert worst() < 1e-6
    assert (
        np.abs(turned((1, -1, -1))(Rotation(3, 5, 7)) - carla_frame.turn(Rotation(3, 5, 7))).max()
        < 1e-12
    )


@pytest.mark.parametrize("wrong", WRONG)
def test_every_mistake_fails_a_row(monkeypatch, wrong):
    for name, value in WRONG[wrong].items():
        monkeypatch.setattr(carla_frame, name, value)
    assert worst() > 0.4


def test_a_box_has_twice_its_extent_and_turns_to_the_left():
    vehicle = carla_frame.pose(Location(10, 20, 1), Rotation(0, 90, 0))  # looks along CARLA's y
    actor = carla_frame.pose(Location(7, 32, 1), Rotation(0, 60, 0))
    drawn = carla_frame.pose(Location(0.5, 0.25, 0.8), Rotation())
    box = carla_frame.box("vehicle", actor.after(drawn), (2.2, 0.9, 0.8), vehicle, 0.5)
    assert (box.length_m, box.width_m, box.height_m, box.visible) == (4.4, 1.8, 1.6, 0.5)
    # Who looks along CARLA's y has CARLA's x to the left, and 3 m less of it to the right.
    ahead, right = np.array([0.5, np.sqrt(0.75)]), np.array([-np.sqrt(0.75), 0.5])
    dx, dy = np.array([-3.0, 12.0]) + 0.5 * ahead + 0.25 * right
    assert (box.x_m, box.y_m, box.z_m) == pytest.approx((dy, dx, 0.8))
    assert box.yaw_rad == pytest.approx(np.deg2rad(30))


def test_a_front_camera_alone_does_not_tell_a_mirrored_frame():
    """Why the table has cameras to the sides, and points that are not straight ahead."""
    row = ((0, 0, 0), (0, 0, 0), (1.5, 0, 1.6), (0, 0, 0), 90, (12, 0, 0.5))
    mirrored = (*row[:5], (12, -0.0, 0.5))
    assert carla_pixel(row) == pytest.approx(carla_pixel(mirrored))


@pytest.mark.parametrize("fov", [0, -90, 180, float("nan")])
def test_a_field_of_view_that_is_none_is_refused(fov):
    with pytest.raises(ValueError, match="fov is"):
        carla_frame.lens(SIZE, fov)


def test_pictures_are_bgra():
    bgra = np.array([[[1, 2, 3, 255]]], np.uint8)
    assert carla_frame.picture(bgra).tolist() == [[[1, 2, 3]]]
    with pytest.raises(ValueError, match=r"expected uint8 \(H, W, 4\)"):
        carla_frame.picture(bgra[..., :3])


@pytest.mark.parametrize("metres", [0.5, 12.25, 300.0, 999.0])
def test_depth_is_coded_from_red_to_blue(metres):
    code = round(metres / 1000 * (256**3 - 1))
    red, green, blue = code % 256, code // 256 % 256, code // 256**2
    found = carla_frame.depth(np.array([[[blue, green, red, 255]]], np.uint8))
    assert found == pytest.approx(metres, abs=1e-3)
    swapped = carla_frame.depth(np.array([[[red, green, blue, 255]]], np.uint8))
    assert abs(swapped[0, 0] - metres) > 0.1
    assert np.isinf(carla_frame.depth(np.full((1, 1, 4), 255, np.uint8))).all()


def test_depth_is_along_the_optical_axis():
    """A wall ahead has one depth in the whole picture; the length of rays would not be one."""
    vehicle = Rigid(np.eye(3), np.zeros(3))
    placed = carla_frame.extrinsics(vehicle, carla_frame.pose(Location(0, 0, 1), Rotation()))
    rays = carla_frame.lens(SIZE, 90).rays(np.array([[0.0, 0], [399.5, 299.5], [799, 599]]))
    wall = 10.0 * rays @ placed.rotation.T + placed.position  # rays have 1 along the optical axis
    assert wall[:, 0] == pytest.approx(10.0)
