# SPDX-License-Identifier: Apache-2.0
"""One encoder for both pictures, and what the head makes of them."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from smallest import ENCODER

from shared_encoder_perception.backends import load_backend
from shared_encoder_perception.images.variants import parse_variants
from shared_encoder_perception.model.network import NetworkConfig, PerceptionNetwork, promised
from shared_encoder_perception.model.onnx_export import export_onnx
from shared_encoder_perception.predictor import Predictor
from shared_encoder_perception.spec import ModelSpec
from shared_encoder_perception.tasks.foreground.head import LOGITS

SIZE = (64, 160)


def network_of(*names, **keys):
    torch.manual_seed(0)
    config = NetworkConfig(ENCODER, channels=16, head_channels=4, tasks=list(names), **keys)
    return PerceptionNetwork(config).eval()


def pictures(seed, count=2):
    noise = np.random.default_rng(seed).integers(0, 256, (count, *SIZE, 3), np.uint8)
    return torch.from_numpy(noise)


@pytest.fixture(scope="module")
def alone():
    return network_of("foreground")


def test_both_pictures_go_through_the_encoder_in_one_run(alone):
    batches = []
    hook = alone.encoder.register_forward_hook(lambda _, given, __: batches.append(len(given[0])))
    alone(pictures(0), inputs={"background": pictures(1)})
    hook.remove()
    assert batches == [4], "two images and their two backgrounds, together"


def test_a_pair_of_a_batch_is_answered_as_if_it_were_alone(alone):
    image, before = pictures(0, 3), pictures(1, 3)
    with torch.no_grad():
        together = alone(image, inputs={"background": before})[LOGITS]
        single = alone(image[1:2], inputs={"background": before[1:2]})[LOGITS]
        turned = alone(image.flip(0), inputs={"background": before.flip(0)})[LOGITS]
    assert torch.allclose(together[1:2], single, atol=1e-4)
    assert torch.allclose(together, turned.flip(0), atol=1e-4)


def test_the_background_counts(alone):
    with torch.no_grad():
        one, other = (
            alone(pictures(0), inputs={"background": pictures(s)})[LOGITS] for s in (1, 2)
        )
    assert (one - other).abs().max() > 1e-3


def test_without_a_background_the_network_says_what_it_misses(alone):
    with pytest.raises(ValueError, match="takes background beside the images"):
        alone(pictures(0))


def test_no_pyramid_is_made_that_no_head_reads():
    assert not any(
        name.startswith("decoder.neck") for name, _ in network_of("foreground").named_parameters()
    )
    both = network_of("foreground", "depth")
    assert any(name.startswith("decoder.neck") for name, _ in both.named_parameters())


def test_other_tasks_do_not_see_the_background():
    both = network_of("depth", "foreground")
    with torch.no_grad():
        one, other = (both(pictures(0), inputs={"background": pictures(s)}) for s in (1, 2))
    assert torch.equal(one["depth_logits"], other["depth_logits"])


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    """One artifact that answers depth and foreground of a pair."""
    network = network_of("depth", "foreground")
    path = tmp_path_factory.mktemp("pair") / "pair.onnx"
    export_onnx(network, ModelSpec("pair", "1", SIZE, promised(network.config, SIZE)), path)
    return path


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino", "torch"])
def test_one_artifact_answers_depth_and_foreground(artifact, engine):
    backend = load_backend(artifact, engine)
    predictor = Predictor(backend)
    assert predictor.companions == ("background",)
    predictor.warm_up()
    image, before = (pictures(seed, 1)[0].numpy() for seed in (0, 1))
    said = predictor(image, companions={"background": before})
    assert set(said.answers) == {"depth", "foreground"}
    given = predictor(image, extras={"background": before})
    assert np.array_equal(
        said.answers["foreground"].probability, given.answers["foreground"].probability
    ), "of the network's size there is nothing to resize"
    backend.close()


def test_mirrored_looks_mirror_both_pictures(artifact):
    predictor = Predictor(load_backend(artifact), variants=parse_variants("flip"))
    image, before = (pictures(seed, 1)[0].numpy() for seed in (0, 1))
    one = predictor(image, companions={"background": before}).answers["foreground"].probability
    other = (
        predictor(
            np.ascontiguousarray(image[:, ::-1]),
            companions={"background": np.ascontiguousarray(before[:, ::-1])},
        )
        .answers["foreground"]
        .probability
    )
    assert np.abs(one.astype(int) - other[:, ::-1]).max() <= 1


@pytest.mark.parametrize(
    "before",
    [
        np.zeros((32, 80, 3), np.uint8),
        np.zeros((*SIZE, 1), np.uint8),
        np.zeros((*SIZE, 3), np.int16),
    ],
)
def test_pictures_that_are_not_of_one_camera_are_refused(artifact, before):
    predictor = Predictor(load_backend(artifact))
    with pytest.raises(ValueError, match=r"background is .* expected two pictures of one camera"):
        predictor(pictures(0, 1)[0].numpy(), companions={"background": before})


def test_training_may_start_from_an_artifact_for_pairs(artifact):
    """Its norms were folded away: they come back, and say the same."""
    from shared_encoder_perception.training import shown
    from shared_encoder_perception.training.agreement import compare
    from shared_encoder_perception.training.from_artifact import load_artifact

    backend = load_backend(artifact)
    images = np.random.default_rng(3).integers(0, 256, (8, *SIZE, 3), np.uint8)
    config = NetworkConfig(ENCODER, channels=16, head_channels=4, tasks=["depth", "foreground"])
    network = load_artifact(artifact, config, shown.pictures(torch.from_numpy(images))).eval()
    assert compare(network, backend, list(images)).small
