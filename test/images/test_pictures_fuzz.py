# SPDX-License-Identifier: Apache-2.0
"""Mutated picture files and messages: a good answer or one line, whatever comes."""

import re
from types import SimpleNamespace

import pytest
from fuzzing import fuzz
from hypothesis import strategies as st
from pictures import BOMBS, JPEGS, by_pillow, claiming, encoded, road, turned

from shared_encoder_perception.images import picture_header
from shared_encoder_perception.images.image_msg import ImageMsgError, to_bgr
from shared_encoder_perception.images.picture_bytes import PictureError
from shared_encoder_perception.images.picture_file import COLOUR, UNCHANGED, decode, picture_size

SIZE = {"height": 24, "width": 40}
IMAGE = road(**SIZE)


def valid_files():
    """Return a small file of every kind."""
    rgb = IMAGE[:, :, ::-1].copy()
    files = [encoded(IMAGE, ".jpg", options) for options in JPEGS.values()]
    files += [encoded(IMAGE, suffix) for suffix in (".png", ".bmp", ".webp", ".tif", ".ppm")]
    files += [encoded(IMAGE, ".ras"), by_pillow(rgb, "GIF"), by_pillow(rgb, "PNG", "P")]
    files += [turned(rgb, kind, 6) for kind in ("JPEG", "PNG", "WEBP", "TIFF")]
    files += [by_pillow(rgb, "TIFF", compression="tiff_lzw"), by_pillow(rgb, "JPEG", "CMYK")]
    files += [claiming(kind, 60000, 60000) for kind in BOMBS]
    return files + [claiming(kind, 300, 200) for kind in BOMBS]


FILES = valid_files()
FORMATS = (
    *("jpeg", "png", "rgb8; jpeg compressed bgr8", "rgb16; png compressed rgb16", "mono8; png"),
    *("bayer_rggb8; jpeg compressed mono8", "16UC1; compressedDepth png", "bgr8; tiff compressed "),
)
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(("set", "cut", "drop", "double", "insert", "end", "tail")),
        st.floats(0, 1, exclude_max=True),
        st.binary(min_size=1, max_size=9),
        st.integers(0, 60),
    ),
    max_size=4,
)


def changed(content, changes):
    """Return a file after some accidents; the first ones often hit the header."""
    for what, share, data, count in changes:
        at = int(share**2 * len(content))
        if what == "set":
            content = content[:at] + data + content[at + len(data) :]
        elif what == "cut":
            content = content[:at]
        elif what == "drop":
            content = content[:at] + content[at + count :]
        elif what == "double":
            content = content[:at] + content[max(at - count, 0) :]
        elif what == "insert":
            content = content[:at] + data + content[at:]
        elif what == "end":
            content = content[:at] + b"\xff\xd9"
        else:
            content = content + data * count + FILES[count % len(FILES)]
    return content


@pytest.fixture(scope="module", autouse=True)
def small_limit():
    """Lower the limit, so that a mutated header cannot ask for seconds of decoding."""
    patch = pytest.MonkeyPatch()
    patch.setattr(picture_header, "PIXELS_MAX", 1 << 18)
    yield
    patch.undo()


def outcome(error, call, *args):
    """Return what a call returns, or the text of its own error."""
    try:
        return call(*args)
    except error as found:
        return str(found)


def test_any_file_is_a_picture_or_one_line(tmp_path):
    path = tmp_path / "a.png"

    def check(content, changes):
        content = changed(content, changes)
        path.write_bytes(content)
        found = [outcome(PictureError, decode, content, flags) for flags in (COLOUR, UNCHANGED)]
        found = [one if isinstance(one, str) else one.shape for one in found]
        for one in (*found, outcome(PictureError, picture_size, path)):
            if isinstance(one, str):
                assert "\n" not in one
            else:
                assert 0 < one[0] * one[1] <= 1 << 18

    fuzz(300, check, content=st.sampled_from(FILES), changes=CHANGES)


def test_any_message_is_an_image_or_one_line():
    def check(form, content, changes):
        message = SimpleNamespace(format=form, data=changed(content, changes))
        image = outcome(ImageMsgError, to_bgr, message)
        if isinstance(image, str):
            assert not {"\n", "\r", "\x1b"} & set(image)
        else:
            assert image.ndim == 3 and image.shape[2] == 3 and image.flags.c_contiguous

    forms = (
        st.sampled_from(FORMATS) | st.text(max_size=40) | st.text(max_size=9).map("png;{}".format)
    )
    fuzz(300, check, form=forms, content=st.sampled_from(FILES), changes=CHANGES)


def test_a_sound_jpeg_with_any_tail_stays_itself():
    def check(content, tail, more):
        expected = decode(content)
        assert (decode(content + tail + FILES[more]) == expected).all()

    whole = st.sampled_from(FILES[: len(JPEGS)])
    last = st.integers(0, len(FILES) - 1)
    fuzz(200, check, content=whole, tail=st.binary(max_size=99), more=last)


def test_a_jpeg_that_lost_its_end_is_never_taken_for_a_whole_one():
    """At least a tenth of its data, so that more than the last block is missing."""
    contents = [encoded(road(64, 96, seed), ".jpg", o) for seed in (0, 1) for o in JPEGS.values()]

    def check(content, share, end):
        begin = content.index(b"\xff\xda")
        half = content[: begin + int(share * (len(content) - begin))].rstrip(b"\xff")
        if re.match(rb".{,8}\xff[\xc4\xda]", content[len(half) :], re.DOTALL):
            return  # between two scans: the picture is coarse, but all there, or nearly
        with pytest.raises(PictureError):
            decode(half + end)

    fuzz(
        150,
        check,
        content=st.sampled_from(contents),
        share=st.floats(0, 0.9),
        end=st.sampled_from((b"\xff\xd9", b"\xff\xd9" + contents[0], b"")),
    )
