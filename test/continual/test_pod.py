# SPDX-License-Identifier: Apache-2.0
"""Local POD: what rows and columns of parts of the features hold; nothing else of them."""

import pytest

torch = pytest.importorskip("torch", reason="the offline side needs torch: make test")

from continual_steps import batch, config, gradients, moved, small_network, step_of

from shared_encoder_perception.continual.config import PodConfig
from shared_encoder_perception.continual.strategies.pod import Pod, distance, embedding


def strategy(weight=1.0, scales=(1, 2, 4)):
    return Pod(config(pod=PodConfig(weight, list(scales))))


def features(seed=0, shape=(2, 3, 8, 12)):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_a_network_that_did_not_move_has_no_loss_and_no_gradient():
    network, pod = small_network(), strategy()
    pod.begin(1, network)
    found = pod.losses(step_of(network, batch()))
    assert found["pod"] == 0
    assert all((one == 0).all() for one in gradients(found, network).values())


def test_a_network_that_moved_is_held_in_its_encoder_only():
    network, pod = small_network(), strategy()
    pod.begin(1, network)
    found = gradients(pod.losses(step_of(moved(network), batch())), network)
    touched = {name.split(".")[0] for name, one in found.items() if one.abs().max() > 0}
    assert touched == {"encoder"}


@pytest.mark.parametrize(("weight", "task"), [(0.0, 1), (1.0, 0)])
def test_without_weight_and_in_the_first_task_there_is_no_loss(weight, task):
    network, pod = small_network(), strategy(weight)
    pod.begin(task, network)
    assert pod.losses(step_of(moved(network), batch())) == {}


def test_the_loss_is_in_proportion_to_its_weight():
    network, one, two = small_network(), strategy(0.5), strategy(1.0)
    one.begin(1, network)
    two.begin(1, network)
    step = step_of(moved(network), batch())
    torch.testing.assert_close(2 * one.losses(step)["pod"], two.losses(step)["pod"])


def test_the_embedding_is_the_mean_of_squares_over_rows_and_columns_of_each_part():
    """Written out for 2 parts a side, of a map that is not square."""
    one = features()
    squares = one.square()
    across, along = [], []
    for part in range(2):
        across.append(squares[..., 6 * part : 6 * part + 6].mean(-1))
        along.append(squares[:, :, 4 * part : 4 * part + 4].mean(-2))
    expected = [torch.stack(across, -1).flatten(1), torch.stack(along, -2).flatten(1)]
    torch.testing.assert_close(embedding(one, [2]), torch.cat(expected, 1))


def test_each_scale_adds_the_rows_and_columns_of_its_parts():
    assert embedding(features(), [1, 2, 4]).shape == (2, 3 * (1 + 2 + 4) * (8 + 12))


def test_columns_may_change_places_within_a_part_as_far_as_rows_are_asked():
    one = features()
    order = [2, 0, 1, 5, 4, 3, 8, 6, 7, 11, 10, 9]  # within quarters of the width
    rows = 3 * 8 * 4
    same, other = embedding(one, [4]), embedding(one[..., order], [4])
    torch.testing.assert_close(same[:, :rows], other[:, :rows])
    columns = same[:, rows:].view(2, 3, 4, 12)[..., order].flatten(1)
    torch.testing.assert_close(columns, other[:, rows:])
    across_parts = torch.arange(12).roll(1)
    assert not torch.allclose(same[:, :rows], embedding(one[..., across_parts], [4])[:, :rows])


def test_signs_and_the_size_of_all_numbers_do_not_count():
    one, other = features(0), features(1)
    expected = distance([one], [other], [1, 2])
    torch.testing.assert_close(distance([-one], [other], [1, 2]), expected)
    torch.testing.assert_close(distance([7 * one], [0.1 * other], [1, 2]), expected)


@pytest.mark.parametrize("shape", [(2, 3, 8, 12), (2, 3, 5, 7), (1, 2, 2, 3), (1, 2, 1, 1)])
@pytest.mark.parametrize("axis", [2, 3])
def test_mirrored_maps_are_as_far_apart_whatever_their_size(shape, axis):
    one, other = features(0, shape), features(1, shape)
    mirrored = distance([one.flip(axis)], [other.flip(axis)], [1, 2, 4])
    torch.testing.assert_close(mirrored, distance([one], [other], [1, 2, 4]))


@pytest.mark.parametrize("shape", [(2, 3, 8, 12), (2, 3, 3, 7), (2, 3, 2, 1)])
def test_a_map_and_its_transpose_are_treated_alike(shape):
    """Both sides are cut and averaged by one rule; the wider one has no say over the other."""
    one, other = features(0, shape), features(1, shape)
    turned = distance([one.mT], [other.mT], [1, 2, 4])
    torch.testing.assert_close(turned, distance([one], [other], [1, 2, 4]))


def test_the_distance_is_symmetric_and_the_mean_of_images_and_levels():
    levels = [features(seed, (2, 3, 8 // side, 12 // side)) for seed, side in enumerate((1, 2))]
    others = [features(seed + 5, level.shape) for seed, level in enumerate(levels)]
    whole = distance(levels, others, [1, 2])
    torch.testing.assert_close(whole, distance(others, levels, [1, 2]))
    each = [
        distance([level[image : image + 1]], [other[image : image + 1]], [1, 2])
        for level, other in zip(levels, others, strict=True)
        for image in range(2)
    ]
    torch.testing.assert_close(whole, torch.stack(each).mean())


def test_nothing_is_further_apart_than_the_root_of_two():
    one, other = torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 4, 4)
    one[:, 0], other[:, 1] = 3.0, 1.0
    torch.testing.assert_close(distance([one], [other], [1]), torch.tensor(2.0).sqrt())


@pytest.mark.parametrize("scales", [[], [0, 1]])
def test_scales_that_cut_nothing_are_refused(scales):
    with pytest.raises(ValueError, match=r"pod\.scales is .* expected at least one, each 1 or"):
        strategy(scales=scales)


def test_a_weight_that_would_reward_forgetting_is_refused():
    with pytest.raises(ValueError, match=r"pod\.weight is -1, expected 0 or more"):
        strategy(-1)
