# SPDX-License-Identifier: Apache-2.0
"""CameraInfo to rays: every lens model, regions, binning, rectified images, and bad messages."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from ground_world import LENSES, SIZE, camera_info, roi

from shared_encoder_perception.ground.camera_info import camera_model

RNG = np.random.default_rng(0)
PIXELS = RNG.uniform((0, 0), (SIZE[1] - 1, SIZE[0] - 1), (400, 2))


def directions(rays: np.ndarray) -> np.ndarray:
    """Return rays of length 1."""
    return rays / np.linalg.norm(rays, axis=1)[:, None]


@pytest.mark.parametrize("lens", LENSES)
def test_rays_lead_back_to_their_pixels(lens: str) -> None:
    """Both directions of one lens are inverse to each other all over the image."""
    camera = camera_model(camera_info(lens), SIZE)
    np.testing.assert_allclose(camera.pixels(camera.rays(PIXELS)), PIXELS, atol=2e-4)


@pytest.mark.parametrize("lens", LENSES)
def test_rays_agree_with_what_opencv_projects(lens: str) -> None:
    """A point in front of the camera is seen along the ray of its pixel."""
    points = RNG.uniform((-3, -1.5, 5), (3, 1.5, 9), (200, 3))
    info = camera_info(lens)
    project = cv2.fisheye.projectPoints if lens == "equidistant" else cv2.projectPoints
    zero, matrix = np.zeros(3), np.reshape(info.k, (3, 3))
    pixels, _ = project(points[:, None], zero, zero, matrix, np.array(info.d))
    rays = camera_model(info, SIZE).rays(pixels[:, 0])
    np.testing.assert_allclose(directions(rays), directions(points), atol=1e-6)


def test_a_fisheye_without_coefficients_is_still_a_fisheye() -> None:
    """The equidistant model bends even where all coefficients are zero."""
    info = camera_info(distortion_model="equidistant", d=[0.0] * 4)
    ray = camera_model(info, SIZE).rays(np.array([[info.k[2] + info.k[0], info.k[5]]]))[0]
    assert ray[0] / ray[2] == pytest.approx(np.tan(1.0))


@pytest.mark.parametrize("lens", LENSES)
def test_an_image_cropped_by_the_driver_sees_the_same(lens: str) -> None:
    """Pixels of the region are those of the whole image, moved."""
    whole = camera_model(camera_info(lens), SIZE)
    info = camera_info(lens, roi=roi(200, 300, 640, 400))
    cropped = camera_model(info, (400, 640))
    np.testing.assert_array_equal(cropped.rays(PIXELS), whole.rays(PIXELS + (200, 300)))


def test_a_whole_image_stays_whole_whatever_the_region() -> None:
    """A region may be advice to crop: the image's size tells whether it happened."""
    camera = camera_model(camera_info(roi=roi(200, 300, 640, 400)), SIZE)
    np.testing.assert_array_equal(
        camera.rays(PIXELS), camera_model(camera_info(), SIZE).rays(PIXELS)
    )


def test_binning_keeps_the_edges_of_the_image_where_they_are() -> None:
    """The outer edge of the first super-pixel is that of the first pixel."""
    info = camera_info(binning_x=4, binning_y=2, roi=roi(80, 40, 640, 320))
    binned = camera_model(info, (160, 160))
    whole = camera_model(camera_info(), SIZE)
    corners = np.array([[-0.5, -0.5], [159.5, 159.5]])
    expected = np.array([[79.5, 39.5], [719.5, 359.5]])
    np.testing.assert_allclose(binned.rays(corners), whole.rays(expected), atol=1e-12)


def undistorted(*args: Any, **options: Any) -> Any:
    """OpenCV's, by the name that it has where it takes criteria: another one in OpenCV 4."""
    undistort = getattr(cv2, "undistortPointsIter", None) or cv2.undistortPoints
    return undistort(*args, **options)


@pytest.mark.parametrize("lens", LENSES)
def test_raw_and_rectified_images_see_the_same(lens: str) -> None:
    """With ``r`` and ``p``: OpenCV rectifies the pixels, both models give the same rays."""
    turn = cv2.Rodrigues(np.array([0.01, -0.02, 0.015]))[0]
    info = camera_info(lens, r=turn.ravel())
    matrix, new = np.reshape(info.k, (3, 3)), np.reshape(info.p, (3, 4))[:, :3]
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-10)
    distortion = np.array(info.d) if info.d else np.zeros(4)
    undistort = cv2.fisheye.undistortPoints if lens == "equidistant" else undistorted
    rectified = undistort(PIXELS[:, None], matrix, distortion, R=turn, P=new, criteria=criteria)
    rays = camera_model(info, SIZE, rectified=True).rays(rectified[:, 0])
    np.testing.assert_allclose(
        directions(rays), directions(camera_model(info, SIZE).rays(PIXELS)), atol=1e-6
    )


def test_a_rectified_region_lies_where_the_raw_one_is_rectified_to() -> None:
    """With ``do_rectify`` an image may have the size of the rectified corners' box."""
    region = roi(300, 300, 640, 300, do_rectify=True)
    info = camera_info("plumb_bob", roi=region)
    x, y, width, height = 300, 300, 640, 300
    corners = np.array([(a, b) for a in (x, x + width) for b in (y, y + height)], np.float64)
    seen = undistorted(
        corners[:, None],
        np.reshape(info.k, (3, 3)),
        np.array(info.d),
        R=np.eye(3),
        P=np.reshape(info.p, (3, 4))[:, :3],
        criteria=(cv2.TERM_CRITERIA_COUNT, 50, 0),
    )[:, 0]
    low, high = np.ceil(seen.min(axis=0)), np.floor(seen.max(axis=0))
    size = (int(high[1] - low[1]), int(high[0] - low[0]))
    assert size != (height, width)
    whole = camera_model(info, SIZE, rectified=True)
    part = camera_model(info, size, rectified=True)
    np.testing.assert_allclose(part.rays(PIXELS), whole.rays(PIXELS + low), atol=1e-12)
    # ROS's own rectification keeps the raw region.
    kept = camera_model(info, (height, width), rectified=True)
    np.testing.assert_allclose(kept.rays(PIXELS), whole.rays(PIXELS + (x, y)), atol=1e-12)


def test_pixels_beyond_the_lens_have_no_ray() -> None:
    """Where the polynomial has no inverse, a wrong ray would be worse than none."""
    info = camera_info(distortion_model="plumb_bob", d=[-0.6, 0.0, 0.0, 0.0])
    rays = camera_model(info, SIZE).rays(np.array([[640.0, 360.0], [4000.0, 360.0]]))
    assert np.isfinite(rays[0]).all()
    assert np.isnan(rays[1]).all()


def test_what_the_camera_cannot_see_has_no_pixel() -> None:
    """Behind the camera, and where the distortion folds back into the image."""
    camera = camera_model(camera_info("plumb_bob"), SIZE)
    pixels = camera.pixels(np.array([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0], [9.0, 0.0, 1.0]]))
    assert np.isfinite(pixels).all(axis=1).tolist() == [True, False, False]


NAN = float("nan")
BAD: list[tuple[dict[str, Any], str]] = [
    ({"width": 0, "height": 0}, "not calibrated"),
    ({"k": [0.0] * 9}, "k is zero: the camera is not calibrated"),
    ({"k": [NAN, 0, 640, 0, 1000, 360, 0, 0, 1]}, "k holds NaN or infinity"),
    ({"k": [1000, 0, 640, 0, -1000, 360, 0, 0, 1]}, "focal lengths in k are 1000, -1000"),
    ({"k": [1e155, 0, 640, 0, 1e3, 360, 0, 0, 1]}, r"lengths in k are 1e\+155, 1000, expected"),
    ({"k": [1000, 5, 640, 0, 1000, 360, 0, 0, 1]}, r"expected \[\[fx, 0, cx\]"),
    ({"k": [1000, 0, 640]}, "k has 3 numbers, expected 9"),
    ({"d": [0.1, NAN, 0, 0, 0]}, "d holds NaN"),
    ({"d": [0.1, 0.2, 0.0]}, "d has 3 coefficients, expected 0 or 4 or 5 for plumb_bob"),
    ({"distortion_model": "", "d": [0.1]}, "expected 0 for no distortion model"),
    ({"distortion_model": "magic"}, "is 'magic', expected none, plumb_bob"),
    ({"r": [1.0] * 9}, "expected a rotation matrix"),
    ({"r": [NAN] * 9}, "r holds NaN"),
    ({"width": 640, "height": 480}, "the image is 1280x720 pixels, its CameraInfo is for 640x480"),
    ({"binning_x": 2, "binning_y": 2}, "is for 640x360"),
    ({"roi": roi(1000, 0, 640, 400)}, r"\[1000, 0, 640, 400\] does not fit its 1280x720"),
    ({"roi": roi(0, 0, 640, 0)}, "does not fit"),
]


@pytest.mark.parametrize(("changes", "reason"), BAD, ids=[reason for _, reason in BAD])
def test_bad_camera_info_is_refused_with_the_reason(changes: dict[str, Any], reason: str) -> None:
    """The reason says what was wrong."""
    with pytest.raises(ValueError, match=reason):
        camera_model(camera_info("plumb_bob", **changes), SIZE)


@pytest.mark.parametrize("lens", [lens for lens in LENSES if lens != "none"])
@pytest.mark.parametrize("zeros", [1, 3, 4, 9, 10])
def test_zeros_behind_the_coefficients_of_a_model_change_nothing(lens: str, zeros: int) -> None:
    """Common drivers send eight or fourteen of them, whatever the lens."""
    info = camera_info(lens)
    filled = camera_info(lens, d=[*info.d, *[0.0] * zeros])
    rays = [camera_model(one, SIZE).rays(PIXELS) for one in (info, filled)]
    np.testing.assert_allclose(rays[1], rays[0], atol=1e-9)


@pytest.mark.parametrize(
    ("model", "d", "reason"),
    [
        (
            "plumb_bob",
            [0.1, 0, 0, 0, 0, 0.2, 0, 0],
            "d has 8 .*plumb_bob.*behind those are 0.2, 0, 0: is .* rational",
        ),
        ("rational_polynomial", [0.1] * 14 + [0.0, 0.3], "d has 16 .*behind those are 0, 0.3"),
        (
            "rational_polynomial",
            [0.1] * 9,
            "d has 9 coefficients, expected 4 or 5 or 8 or 12 or 14",
        ),
        ("equidistant", [0.1, 0, 0, 0, 0.5], "d has 5 .*equidistant.*behind those are 0.5"),
        ("", [0.0, 0.1], "d has 2 .*no distortion model.*behind those are 0, 0.1"),
    ],
)
def test_coefficients_that_a_model_has_not_are_refused(
    model: str, d: list[float], reason: str
) -> None:
    """They mean another model; to leave them out would bend all lanes."""
    with pytest.raises(ValueError, match=reason):
        camera_model(camera_info(distortion_model=model, d=d), SIZE)


def test_a_fisheye_of_zeros_only_is_a_fisheye_however_many_they_are() -> None:
    """It bends even then."""
    plain, filled = (
        camera_model(camera_info(distortion_model="equidistant", d=[0.0] * count), SIZE)
        for count in (4, 8)
    )
    assert filled.fisheye
    np.testing.assert_array_equal(filled.rays(PIXELS), plain.rays(PIXELS))


def test_rectified_images_need_p() -> None:
    """Drivers that do not rectify leave it zero; raw images do not mind."""
    info = camera_info(p=[0.0] * 12)
    camera_model(info, SIZE)
    with pytest.raises(ValueError, match="p is zero"):
        camera_model(info, SIZE, rectified=True)


def test_rectified_images_do_not_need_k() -> None:
    """What is not used may be of no use."""
    camera_model(camera_info(k=[0.0] * 9, d=[NAN]), SIZE, rectified=True)


def test_no_camera_info_does_worse_than_be_refused() -> None:
    """Random fields: a camera or a ``ValueError``, and rays that are finite or NaN as a whole."""
    rng = np.random.default_rng(1)
    odd = [0.0, -1.0, 1.0, NAN, np.inf, 1e-300, 1e300, 640.0, 1000.0]
    used = 0
    for _ in range(1000):
        info = camera_info(str(rng.choice(list(LENSES))))
        for name in rng.choice(["k", "d", "r", "p"], 2):
            values = np.array(getattr(info, name), np.float64)
            if len(values) and rng.random() < 0.5:
                values[rng.integers(len(values))] = rng.choice(odd)
            setattr(info, name, values)
        info.binning_x = info.binning_y = int(rng.integers(0, 3))
        if rng.random() < 0.3:
            info.roi = roi(*(int(n) for n in rng.choice([0, 1, 200, 640, 2**31], 4)), True)
        size = SIZE if info.binning_x < 2 else (360, 640)
        try:
            camera = camera_model(info, size, bool(rng.integers(2)))
        except ValueError:
            continue
        used += 1
        with np.errstate(all="ignore"):
            rays = camera.rays(PIXELS[:20])
        assert (np.isnan(rays).all(axis=1) | np.isfinite(rays).all(axis=1)).all()
    assert used > 50
