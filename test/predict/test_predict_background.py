# SPDX-License-Identifier: Apache-2.0
"""predict compares images with pictures that a list or an option names, or says what lacks."""

import json

import cv2
import numpy as np
import pytest
from pair_model import noise, write_pair_model
from replay_bags import image_message, write_bag
from specs import spec_of
from tiny_model import write_tiny_model

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.images import sources
from shared_encoder_perception.images.variants import parse_variants
from shared_encoder_perception.predictor import Predictor

IMAGES, BACKGROUNDS = [noise(0), noise(1)], [noise(2), noise(3)]


@pytest.fixture
def model(tmp_path):
    return write_pair_model(tmp_path / "pair.onnx")


@pytest.fixture
def pictures(tmp_path):
    """A set of two images, each with a background of its own, and one more for all."""
    folder = tmp_path / "in"
    folder.mkdir()
    lines = []
    for index, (image, background) in enumerate(zip(IMAGES, BACKGROUNDS, strict=True)):
        cv2.imwrite(str(folder / f"{index}.png"), image)
        cv2.imwrite(str(folder / f"empty_{index}.png"), background)
        lines.append({"image": f"{index}.png", "background": f"empty_{index}.png"})
    write(folder, lines)
    cv2.imwrite(str(tmp_path / "given.png"), BACKGROUNDS[1])
    return folder


def write(folder, lines):
    (folder / "frames.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def command(model, source, out, *options):
    engine = ["--model", str(model), "--backend", "onnxruntime"]
    return main(["predict", "--input", str(source), "--out", str(out), *engine, *map(str, options)])


def masks(out):
    lines = map(json.loads, (out / "predictions.jsonl").read_text().splitlines())
    return [cv2.imread(str(out / line["foreground"]), cv2.IMREAD_UNCHANGED) for line in lines]


def expected(model, backgrounds, tta=None):
    predictor = Predictor(
        load_backend(model, "onnxruntime"), variants=parse_variants(tta) if tta else ()
    )
    return [
        predictor(image, companions={"background": background}).answers["foreground"].values()
        for image, background in zip(IMAGES, backgrounds, strict=True)
    ]


def test_a_list_names_a_background_for_each_image(pictures, tmp_path, model):
    assert command(model, pictures / "frames.jsonl", tmp_path / "out") == 0
    right, swapped = (expected(model, pair) for pair in (BACKGROUNDS, BACKGROUNDS[::-1]))
    for one, other in zip(right, swapped, strict=True):
        assert (one != other).any()
    np.testing.assert_array_equal(masks(tmp_path / "out"), right)


@pytest.mark.parametrize("listed", [False, True], ids=["folder", "list"])
def test_the_option_is_for_all_images_and_wins(listed, pictures, tmp_path, model):
    source = pictures / "frames.jsonl"
    if not listed:
        for path in pictures.glob("empty_*"):
            path.unlink()
        source = pictures
    options = ["--background", tmp_path / "given.png", "--video", tmp_path / "seen.mp4"]
    options += ["--overlay", "--tta", "flip"]
    assert command(model, source, tmp_path / "out", *options) == 0
    right = expected(model, [BACKGROUNDS[1]] * 2, "flip")
    np.testing.assert_array_equal(masks(tmp_path / "out"), right)
    assert (tmp_path / "seen.mp4").exists() and (tmp_path / "out" / "overlays").exists()


def test_without_any_background_both_ways_are_named_and_nothing_is_left(
    pictures, tmp_path, model, capsys
):
    write(pictures, [{"image": "0.png"}, {"image": "1.png", "background": None}])
    listing = pictures / "frames.jsonl"
    for source, where in (
        (listing, "line 1: 0.png has no picture 'background'"),
        (pictures, "line 1: 0.png has no picture 'background'"),
        (pictures, "/in has none"),
    ):
        if where == "/in has none":
            listing.unlink()  # without it the folder is no set
        assert command(model, source, tmp_path / "out") == 2
        said = capsys.readouterr().err
        assert where in said and "--background FILE" in said and 'by the key "background"' in said
        assert not list(tmp_path.glob("out/predictions*"))


@pytest.mark.parametrize("line", [{"image": "0.png"}, {"image": "0.png", "background": None}])
def test_a_line_without_a_background_is_left_out_and_told(line, pictures, tmp_path, model, capsys):
    write(pictures, [line, {"image": "1.png", "background": "empty_1.png"}])
    assert command(model, pictures / "frames.jsonl", tmp_path / "out") == 1
    said = capsys.readouterr().err
    assert "problem: " in said and "line 1: 0.png has no picture 'background'" in said
    assert "--background FILE for all images" in said
    np.testing.assert_array_equal(masks(tmp_path / "out"), expected(model, BACKGROUNDS)[1:])


@pytest.mark.parametrize("listed", [False, True], ids=["folder", "list"])
def test_an_image_of_another_size_is_left_out_and_told(listed, pictures, tmp_path, model, capsys):
    for path in pictures.glob("empty_0.png" if listed else "empty_*"):
        path.unlink()
    small = "empty_0.png" if listed else "0.png"
    cv2.imwrite(str(pictures / small), IMAGES[0][:32, :80])
    source, options = pictures / "frames.jsonl", []
    if not listed:
        source, options = pictures, ["--background", tmp_path / "given.png"]
    assert command(model, source, tmp_path / "out", *options) == 1
    said = capsys.readouterr().err
    assert "problem: 0.png: background is" in said and "of the same size" in said
    np.testing.assert_array_equal(masks(tmp_path / "out"), expected(model, BACKGROUNDS)[1:])
    assert not (tmp_path / "out" / "predictions.jsonl.part").exists()


def test_the_option_says_that_the_pictures_of_a_list_are_not_used(
    pictures, tmp_path, model, capsys
):
    options = ["--background", tmp_path / "given.png", "--force"]
    assert command(model, pictures / "frames.jsonl", tmp_path / "out", *options) == 0
    assert "note: --background is for all images" in capsys.readouterr().out
    write(pictures, [{"image": f"{index}.png"} for index in (0, 1)])
    assert command(model, pictures / "frames.jsonl", tmp_path / "out", *options) == 0
    assert "note:" not in capsys.readouterr().out


def test_of_a_bag_only_replay_reads_the_background(tmp_path, model, capsys):
    stamp = 10**18
    topics = (("/camera/image", IMAGES[0]), ("/camera/background", BACKGROUNDS[0]))
    messages = [(topic, stamp, image_message(image, stamp)) for topic, image in topics]
    bag = write_bag(tmp_path / "bag", messages)
    assert command(model, bag, tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert "only `replay` reads" in said and "give --background FILE" in said
    given = ["--background", tmp_path / "empty.png"]
    cv2.imwrite(str(given[1]), BACKGROUNDS[0])
    assert command(model, bag, tmp_path / "out", *given) == 0
    np.testing.assert_array_equal(masks(tmp_path / "out"), expected(model, BACKGROUNDS)[:1])


def test_a_background_that_is_of_no_use_is_named(pictures, tmp_path, model, capsys):
    small, text = tmp_path / "small.png", tmp_path / "text.png"
    cv2.imwrite(str(small), IMAGES[0][:32, :80])
    text.write_text("no picture")
    other = write_tiny_model(tmp_path / "mask.onnx", spec_of("m", "1", tasks=("drivable_surface",)))
    cases = [
        (model, small, "expected two pictures of one camera, of the same size"),
        (model, text, "text.png"),
        (model, tmp_path / "gone.png", "gone.png is missing"),
        (other, small, "compares images with nothing"),
    ]
    for which, file, words in cases:
        assert command(which, pictures, tmp_path / "out", "--background", file) == 2, words
        assert words in capsys.readouterr().err


def test_an_image_whose_background_cannot_be_read_is_left_out_and_told(
    pictures, tmp_path, model, capsys
):
    (pictures / "empty_0.png").write_text("damaged")
    assert command(model, pictures / "frames.jsonl", tmp_path / "out") == 1
    assert "line 1: " in (said := capsys.readouterr().err) and "empty_0.png" in said
    np.testing.assert_array_equal(masks(tmp_path / "out"), expected(model, BACKGROUNDS)[1:])
    write(pictures, [{"image": "0.png", "background": "../given.png"}])
    assert command(model, pictures / "frames.jsonl", tmp_path / "other") == 2
    assert "leaves the folder" in capsys.readouterr().err


def test_one_background_for_many_images_is_read_once(pictures, monkeypatch):
    names = []
    monkeypatch.setattr(
        sources,
        "read_image",
        lambda path, read=sources.read_image: names.append(path) or read(path),
    )
    sources._read_once.cache_clear()
    write(pictures, [{"image": f"{i}.png", "background": "empty_0.png"} for i in (0, 1)])
    source = sources.open_source(pictures / "frames.jsonl")
    assert [dict(frame.beside) for frame in source] == [{}, {}], "nobody asked for it"
    assert [path.name for path in names] == ["0.png", "1.png"]
    names.clear()
    source.beside = ("background",)
    assert all((frame.beside["background"] == BACKGROUNDS[0]).all() for frame in source)
    assert [path.name for path in names] == ["0.png", "empty_0.png", "1.png"]
