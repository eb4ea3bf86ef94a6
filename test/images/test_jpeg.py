# SPDX-License-Identifier: Apache-2.0
"""Where a JPEG ends, and whether its picture is all there."""

import re
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from pictures import JPEGS, by_pillow, encoded, road, segment

from shared_encoder_perception.images import jpeg
from shared_encoder_perception.images.image_msg import ImageMsgError, to_bgr
from shared_encoder_perception.images.picture_bytes import PictureError
from shared_encoder_perception.images.picture_file import decode

START, END, SCAN = b"\xff\xd8", b"\xff\xd9", b"\xff\xda"
KINDS = pytest.mark.parametrize("kind", JPEGS)


def message(content):
    return SimpleNamespace(format="bgr8; jpeg compressed bgr8", data=content)


def picture(kind, **size):
    return encoded(road(**size), ".jpg", JPEGS[kind])


def with_segment(content, *segments):
    """Put segments behind the start of a JPEG."""
    return START + b"".join(segments) + content[2:]


TAILS = {
    "zeros": bytes(999),
    "a stale frame": picture("baseline", seed=5),
    "the end of a stale frame": picture("baseline", seed=5)[-700:],
    "the start of a stale frame": picture("baseline", seed=5)[:700],
    "a scan": SCAN + bytes(range(256)),
    "a film": b"\0\0\0\x18ftypmp42" + np.random.default_rng(0).bytes(5000),
    "end marks": END * 9,
    "padding": b"\xff" * 9,
    "half a mark": b"\xff",
}
"""What cameras and phones leave behind the end mark."""


@KINDS
@pytest.mark.parametrize("tail", TAILS)
def test_bytes_behind_the_end_mark_do_not_matter(kind, tail):
    content = picture(kind)
    assert np.array_equal(to_bgr(message(content + TAILS[tail])), to_bgr(message(content)))


def test_a_preview_in_the_header_is_no_end():
    preview = picture("baseline", height=16, width=16)
    for marker in (0xE1, 0xE2, 0xFE):
        content = with_segment(picture("baseline"), segment(marker, b"Exif\0\0" + preview))
        assert to_bgr(message(content)).shape == road().shape
        end = content.rindex(SCAN) + 300
        with pytest.raises(ImageMsgError, match=r"is truncated: its .* bytes lack the end mark"):
            to_bgr(message(content[:end]))
        with pytest.raises(ImageMsgError, match="is truncated: its header is cut off"):
            to_bgr(message(content[: content.index(END) + 2]))


def test_padding_before_markers_is_no_fault():
    content = picture("restarts")
    padded = re.sub(rb"\xff(?=[\xc0\xc4\xda\xdb\xdd\xd9])", b"\xff\xff\xff", content)
    assert padded != content
    assert np.array_equal(to_bgr(message(padded)), to_bgr(message(content)))


def test_a_picture_that_breaks_off_into_another_one_is_refused():
    first = picture("baseline")
    with pytest.raises(ImageMsgError, match="another picture begins before its end mark"):
        to_bgr(message(first[: len(first) // 2] + picture("baseline", seed=1)))


@KINDS
@pytest.mark.parametrize("kept", [0.02, 0.3, 0.6, 0.9, 0.99])
def test_a_cut_jpeg_is_refused(kind, kept):
    content = picture(kind)
    with pytest.raises(ImageMsgError, match="is truncated"):
        to_bgr(message(content[: int(kept * len(content))]))


@KINDS
@pytest.mark.parametrize("kept", [0.3, 0.5, 0.7, 0.9])
@pytest.mark.parametrize("size", [(96, 160), (97, 161), (95, 159), (480, 640)])
def test_half_a_jpeg_with_an_end_mark_is_refused(kind, kept, size):
    content = picture(kind, height=size[0], width=size[1])
    begin = content.index(SCAN)
    half = content[: begin + int(kept * (len(content) - begin))].rstrip(b"\xff")
    with pytest.raises(ImageMsgError, match="is truncated"):
        to_bgr(message(half + END))
    with pytest.raises(PictureError, match=r"is truncated|is damaged"):  # cut amid a table
        decode(half + END + TAILS["a stale frame"])


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_half_a_jpeg_of_one_colour_or_of_four_inks_is_refused(mode):
    content = by_pillow(road()[:, :, ::-1], "JPEG", mode, quality=90)
    assert decode(content).shape == road().shape
    with pytest.raises(PictureError, match="is truncated"):
        decode(content[: len(content) * 2 // 3].rstrip(b"\xff") + END)


def test_a_part_that_is_lost_between_restart_markers_is_noticed():
    content = picture("restarts")
    parts = re.split(rb"(?=\xff[\xd0-\xd7])", content)
    assert len(parts) == 12
    lost = b"".join(parts[:4] + parts[5:])
    with pytest.raises(ImageMsgError, match="is truncated: of the 12 parts of a scan it has 11"):
        to_bgr(message(lost))


def test_a_whole_jpeg_with_a_grey_corner_is_read_without_a_word(capfd):
    """What is missing looks like this, and so does the rim of a padded picture."""
    for kind, options in JPEGS.items():
        image = road(height=480, width=640)
        image[200:] = 128
        content = encoded(image, ".jpg", options)
        assert jpeg.has_grey_corner(decode(content)), kind
        assert np.abs(to_bgr(message(content)).astype(int) - image).mean() < 6
    assert not capfd.readouterr().err


def test_without_ffmpeg_the_answer_is_the_same(monkeypatch):
    monkeypatch.setattr(jpeg, "ffmpeg_is_content", lambda content: False)
    grey = np.full((96, 160, 3), 128, np.uint8)
    for kind, options in JPEGS.items():
        content = encoded(road(), ".jpg", options)
        assert decode(content).shape == road().shape, kind
        assert (decode(encoded(grey, ".jpg", options)) == 128).all()
        with pytest.raises(PictureError, match="is truncated"):
            decode(content[: len(content) * 2 // 3].rstrip(b"\xff") + END)


def test_more_scans_than_any_picture_needs_are_not_decoded():
    content = picture("progressive", height=2000, width=2000)
    last = content.rindex(SCAN)
    with pytest.raises(PictureError, match="takes 269 scans or more: that many are not decoded"):
        decode(content[:-2] + content[last:-2] * 300 + END)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (START + END, "ends before a picture begins"),
        (START, "its header is cut off"),
        (START + b"\xff", "its header is cut off"),
        (START + b"\xff\xe0\0\1", "a segment is shorter than its own length"),
        (START + segment(0xDA, bytes(10)) + END, "does not say how large it is"),
        (START + b"no marker" * 99, "its header is cut off"),
        (START + b"\xff\x01" * 70000, "consists of more than 65536 parts"),
        (START + b"\xff\0" * 70000, "consists of more than 65536 parts"),
    ],
)
def test_what_is_no_jpeg_at_all(content, reason):
    with pytest.raises(PictureError, match=reason):
        decode(content)


def test_a_file_of_nothing_but_segments_is_left_early():
    content = picture("progressive")
    with pytest.raises(PictureError, match="consists of more than 65536 parts"):
        decode(content[:-2] + segment(0xFE, b"") * 70000 + END)
    png = encoded(road(), ".png")
    with pytest.raises(PictureError, match="consists of more than 65536 parts"):
        decode(png[:33] + (bytes(4) + b"tEXt" + bytes(4)) * 70000 + png[33:])


def test_marks_that_cannot_stand_in_picture_data_are_named():
    content = picture("baseline")
    at = content.index(SCAN) + 200
    with pytest.raises(PictureError, match="is damaged: it has ff 52 amid its picture data"):
        decode(content[:at] + b"\xff\x52" + content[at:])


def test_opencv_alone_takes_half_a_jpeg_for_a_whole_one():
    """Why all this is needed; if this fails one day, ``jpeg`` may be much shorter."""
    content = picture("baseline")
    half = np.frombuffer(content[: len(content) * 2 // 3] + END, np.uint8)
    assert cv2.imdecode(half, cv2.IMREAD_COLOR) is not None
