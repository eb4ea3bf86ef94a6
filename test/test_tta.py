# SPDX-License-Identifier: Apache-2.0
"""Test-time augmentation: the predictor, `predict --tta` and `evaluate --tta`."""

import json

import changes_task
import cv2
import grey_task
import numpy as np
import pytest
from changes_task import changes_spec
from labelled_set import write_set
from specs import spec_of
from tiny_model import random_image, write_tiny_model

from shared_encoder_perception import tasks
from shared_encoder_perception.__main__ import main
from shared_encoder_perception.backends import BackendInfo, load_backend
from shared_encoder_perception.images.preprocess import LETTERBOX, Crop
from shared_encoder_perception.images.variants import PLAIN, parse_variants
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.world.synthetic import render_sample

ALL = parse_variants("flip,scale:0.75,scale:1.25")
LISTS = ("flip", "flip,scale:0.75", "flip,scale:0.75,scale:1.25")


class Noise:
    """A network that says anything of a picture, but always the same."""

    info = BackendInfo("noise", "1", "cpu", "fp32", 1, "nowhere", "0" * 64)

    def __init__(self, *names):
        self.spec = spec_of("noise", "1", tasks=names, input_size=(64, 160))
        self.seen = []

    def infer(self, inputs):
        self.seen.append(inputs["image"])
        each = [self._of(image) for image in inputs["image"]]
        return {key: np.stack([one[key] for one in each]) for key in each[0]}

    def _of(self, image):
        rng = np.random.default_rng(np.frombuffer(image.tobytes()[:4096], np.uint32))
        found = {}
        for key, tensor in self.spec.output_tensors().items():
            values = rng.random(tensor.shape)
            whole = tensor.dtype == "uint8"
            found[key] = (values * (12 if key == "semantic" else 255) if whole else values).astype(
                tensor.dtype
            )
        return found


class Outputs:
    """A predictor's outputs, as its decoder gets them."""

    def __init__(self, predictor):
        self._predictor, self._decoder = predictor, predictor._decoder
        predictor._decoder = self

    def __call__(self, outputs, transform, options, image):
        self.last = outputs
        return self._decoder(outputs, transform, options, image)

    def of(self, image, **more):
        self._predictor(image, companions=beside(self._predictor, image), **more)
        return self.last


@pytest.fixture(scope="module")
def shipped():
    return load_backend()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny.onnx")


def beside(predictor, image):
    """What the model compares an image with: here the image."""
    return dict.fromkeys(predictor.companions, image)


def mirrored(image):
    return np.ascontiguousarray(image[:, ::-1])


def in_the_mirror(outputs, stride):
    """What the mirrored picture's outputs are, written down once more."""
    found = {key: value[..., ::-1].copy() for key, value in outputs.items()}
    if "lanes" in found:
        maps = found["lanes"] = found["lanes"][[0, 2, 1, 4, 3]]
        maps[:, 1] *= -1
        maps[:, 3] = 1 - 1 / stride - maps[:, 3]
    return found


def same(a, b):
    """Whether two perceptions say the same, bit for bit."""
    lanes = zip(a.answers["lanes"], b.answers["lanes"], strict=True)
    return all(
        one.confidence == other.confidence
        and np.array_equal(one.points_px, other.points_px)
        and np.array_equal(one.x_std_px, other.x_std_px)
        for one, other in lanes
    ) and np.array_equal(
        a.answers["drivable_surface"].probability, b.answers["drivable_surface"].probability
    )


def test_the_identity_alone_is_the_plain_answer_bit_for_bit(shipped):
    plain, alone = Predictor(shipped), Predictor(shipped, variants=(PLAIN,))
    for seed, crop in enumerate((None, Crop(40, 100, 900, 400))):
        image = cv2.resize(render_sample(seed).image, (1280, 720))
        assert same(plain(image, crop), alone(image, crop))
        assert not same(plain(image, crop), Predictor(shipped, variants=ALL)(image, crop))


@pytest.mark.parametrize("text", LISTS)
@pytest.mark.parametrize("size", [(720, 1280), (1080, 1920), (320, 800)])
def test_a_mirrored_image_gets_the_mirrored_answer(shipped, text, size):
    """To 1e-6 what was averaged, and every pixel of the mask."""
    predictor = Predictor(shipped, variants=parse_variants(text))
    image = cv2.resize(render_sample(7).image, size[::-1])
    outputs = Outputs(predictor)
    expected = in_the_mirror(outputs.of(image), shipped.spec.tasks["lanes"].stride)
    found = outputs.of(mirrored(image))
    np.testing.assert_array_equal(found["mask"], expected["mask"])
    np.testing.assert_allclose(found["lanes"][:, 0], expected["lanes"][:, 0], rtol=0, atol=1e-6)
    np.testing.assert_allclose(found["lanes"], expected["lanes"], rtol=1e-6, atol=1e-5)
    np.testing.assert_array_equal(
        predictor(mirrored(image)).answers["drivable_surface"].probability,
        mirrored(predictor(image).answers["drivable_surface"].probability),
    )


def test_without_augmentation_a_mirrored_image_does_not(shipped):
    outputs, image = Outputs(Predictor(shipped)), render_sample(7).image
    expected = in_the_mirror(outputs.of(image), shipped.spec.tasks["lanes"].stride)
    found = outputs.of(mirrored(image))
    assert np.abs(found["mask"].astype(int) - expected["mask"]).max() > 10
    assert np.abs(found["lanes"][:, 0] - expected["lanes"][:, 0]).max() > 0.01


@pytest.mark.parametrize("more", [{}, {"resize": LETTERBOX, "crop": Crop(10, 20, 300, 100)}])
def test_so_do_all_tasks_whatever_the_network_says(more):
    predictor = Predictor(Noise(*tasks.parts("ensemble")), variants=ALL)
    image = random_image(1, (128, 320))
    outputs = Outputs(predictor)
    expected = in_the_mirror(outputs.of(image, **more), 8)
    found = outputs.of(mirrored(image), **more)
    assert set(found) == {
        *("lanes", "mask", "semantic", "semantic_confidence"),
        *("depth", "depth_sigma", "foreground"),
    }
    for key, value in expected.items():
        atol = 1e-6 if value.dtype == np.float32 else 0
        np.testing.assert_allclose(found[key], value, rtol=1e-6, atol=atol)


def test_lines_of_a_mirrored_image_are_mirrored_too(shipped):
    """Left lanes become right ones, as far as the decoder takes both sides alike.

    Its least squares has a ridge, which draws lines to the left by a tenth of a pixel.
    """
    predictor, image = Predictor(shipped, variants=ALL), render_sample(3).image
    found, expected = predictor(mirrored(image)), predictor(image)
    lines = (found.answers["lanes"].lines, expected.answers["lanes"].lines)
    assert sum(line.detected for line in lines[0]) == 3
    for left, right in enumerate((0, 2, 1, 4, 3)):
        line, other = lines[0][left], lines[1][right]
        assert line.detected == other.detected
        there = other.points_px * (-1, 1) + (image.shape[1] - 1, 0)
        np.testing.assert_allclose(line.points_px, there, rtol=0, atol=0.3)


def test_each_picture_is_perceived_alone_and_found_again(tiny):
    """The tiny model's mask is the picture's green: averaged, it must be the green of the image."""
    backend = load_backend(tiny)
    image = cv2.GaussianBlur(random_image(9, (720, 1280)), (0, 0), 40) * 2
    crop = Crop(100, 120, 1000, 400)
    plain = Predictor(backend)(image, crop).answers["drivable_surface"].probability
    found = Predictor(backend, variants=ALL)(image, crop).answers["drivable_surface"].probability
    assert plain.std() > 10
    assert np.abs(found.astype(int) - plain).max() <= 3


def test_several_images_at_once_are_answered_as_if_each_were_alone():
    backend = Noise(*tasks.parts("ensemble"))
    predictor, outputs = Predictor(backend, variants=ALL), None
    images = [random_image(number, size) for number, size in enumerate([(128, 320), (200, 300)])]
    outputs = Outputs(predictor)
    alone = [outputs.of(image) for image in images]
    assert len(backend.seen) == 2 * len(ALL)
    for image, expected in zip(images, alone, strict=True):
        for batch in ([images[0], image, images[1]], [images[1], image]):
            pairs = [beside(predictor, one) for one in batch]
            predictor.perceive_batch(batch, companions=pairs)
        for key, value in expected.items():
            np.testing.assert_array_equal(outputs.last[key], value)
    assert {len(seen) for seen in backend.seen} == {1, 2, 3}


def test_a_task_that_cannot_is_named(monkeypatch):
    monkeypatch.setitem(tasks.ROOMS, grey_task.NAME, grey_task.__name__)
    backend = Noise("lanes", "drivable_surface", grey_task.NAME)
    with pytest.raises(ValueError, match=r"task 'grey' cannot be averaged .* without --tta"):
        Predictor(backend, variants=(PLAIN,))
    Predictor(backend)


def test_a_model_that_takes_more_than_pictures_is_refused(monkeypatch):
    monkeypatch.setitem(tasks.ROOMS, changes_task.NAME, changes_task.__name__)
    backend = Noise("lanes")
    backend.spec = changes_spec()
    with pytest.raises(ValueError, match=r"takes gain beside the image.*without --tta"):
        Predictor(backend, variants=ALL)


# ---- the commands --------------------------------------------------------------------------------


@pytest.fixture
def pictures(tmp_path):
    """Two pictures that are each other's mirror images."""
    folder, image = tmp_path / "in", random_image(2)
    folder.mkdir()
    for name, one in (("a", image), ("b", image[:, ::-1])):
        cv2.imwrite(str(folder / f"{name}.png"), one)
    return folder


def test_predict_says_what_was_perceived(tiny, pictures, tmp_path):
    out = tmp_path / "out"
    command = ["predict", "--input", str(pictures), "--model", str(tiny), "--out", str(out)]
    assert main([*command, "--tta", "flip,scale:0.75"]) == 0
    lines = [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]
    assert [line["tta"] for line in lines] == ["flip,scale:0.75: 4 pictures of each image"] * 2
    masks = [cv2.imread(str(out / line["mask"]), cv2.IMREAD_GRAYSCALE) for line in lines]
    np.testing.assert_array_equal(masks[0], masks[1][:, ::-1])
    assert main([*command, "--force"]) == 0
    assert "tta" not in (out / "predictions.jsonl").read_text()


def test_evaluate_says_what_was_scored(tiny, tmp_path):
    labels = write_set(tmp_path / "set", 3)
    summaries = {}
    for text in ("", "identity", "flip,scale:1.25"):
        out = tmp_path / f"out {text}"
        command = ["evaluate", "--labels", str(labels), "--model", str(tiny), "--out", str(out)]
        assert main([*command, "--no-report", *(["--tta", text] if text else [])]) == 0
        summaries[text] = json.loads((out / "summary.json").read_text())
    conditions = {text: one.pop("conditions") for text, one in summaries.items()}
    assert "tta" not in conditions[""]
    assert conditions["identity"].pop("tta") == "identity: 1 picture of each image"
    assert conditions["flip,scale:1.25"].pop("tta") == "flip,scale:1.25: 4 pictures of each image"
    assert conditions[""] == conditions["identity"] == conditions["flip,scale:1.25"]
    assert summaries[""] == summaries["identity"] != summaries["flip,scale:1.25"]


def test_diff_tells_results_with_and_without_apart(tiny, tmp_path):
    labels, out = write_set(tmp_path / "set", 3), tmp_path / "diff"
    sides = [str(tmp_path / "a"), str(tmp_path / "b")]
    for side, more in zip(sides, ([], ["--tta", "flip"]), strict=True):
        command = ["evaluate", "--labels", str(labels), "--model", str(tiny), "--out", side]
        assert main([*command, "--no-report", *more]) == 0
    main(["diff", *sides, "--out", str(out)])
    conditions = json.loads((out / "diff.json").read_text())["conditions"]
    assert (conditions["A tta"], conditions["B tta"]) == ("none", "flip: 2 pictures of each image")


@pytest.mark.parametrize("command", ["predict", "evaluate"])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("flop", "argument --tta: there is no 'flop'; did you mean 'flip'"),
        ("", "argument --tta: the list is empty"),
        ("scale:0", "argument --tta: 'scale:0': expected scale:FACTOR with a number from 0.25"),
        ("flip,flip", "argument --tta: 'flip' stands in 'flip,flip' twice"),
    ],
)
def test_a_list_that_makes_no_sense_is_refused_at_once(command, text, message, tmp_path, capsys):
    source = ["--input", "nowhere"] if command == "predict" else ["--synthetic", "1"]
    with pytest.raises(SystemExit) as ended:
        main([command, *source, "--out", str(tmp_path / "out"), "--tta", text])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
