# SPDX-License-Identifier: Apache-2.0
"""Features of cameras, sampled at places of a table: against numpy, and two samplers as one."""

import numpy as np
import pytest

from shared_encoder_perception.rig.table import ViewTable, sample, side_by_side

torch = pytest.importorskip("torch", reason="layers are of torch: make test")

from shared_encoder_perception.layers import lift
from shared_encoder_perception.layers.lift import CHANNELS, SAMPLERS, Lift

CAMERAS, ROWS, COLUMNS = 4, 6, 15
HEIGHTS, GRID = 3, (5, 7)
VOXELS = HEIGHTS * GRID[0] * GRID[1]
VIEWS = 2
each_sampler = pytest.mark.parametrize("sampler", SAMPLERS)


def some_table(seed=0, cameras=CAMERAS, margin=0.0):
    """Random places that no camera's map is left by, a fifth of them without a view."""
    random = np.random.default_rng(seed)
    camera = random.integers(0, cameras, (VIEWS, VOXELS))
    sides = (COLUMNS - 1 + 2 * margin, ROWS - 1 + 2 * margin)
    cells = random.random((VIEWS, VOXELS, 2)) * sides - margin
    count = random.choice([0, 1, 2, 2, 2], VOXELS)
    weight = np.stack([(count > 0) / np.maximum(count, 1), (count > 1) / np.maximum(count, 1)])
    maps = (cameras, ROWS, COLUMNS)
    views = count.astype(np.uint8)
    place = side_by_side(cells, camera, maps)
    return ViewTable(place, weight.astype(np.float32), views, camera.astype(np.int8), maps)


def some_features(seed=0, cameras=CAMERAS, channels=8):
    return torch.randn(
        (cameras, channels, ROWS, COLUMNS), generator=torch.Generator().manual_seed(seed)
    )


def tensors(*tables):
    """Places and weights of several rigs."""
    return [
        torch.from_numpy(np.stack([getattr(t, n) for t in tables])) for n in ("place", "weight")
    ]


def sampled(sampler, features, *tables):
    """Voxels of several rigs, (R, C, V)."""
    maps = lift.side_by_side(features, len(tables))
    return SAMPLERS[sampler](maps, *tensors(*tables)).numpy()


@each_sampler
@pytest.mark.parametrize("cameras", [1, 4, 6])
def test_voxels_are_what_the_tables_own_reference_says(sampler, cameras):
    features, table = some_features(cameras=cameras), some_table(cameras=cameras)
    found = sampled(sampler, features, table)[0]
    assert np.abs(found - sample(features.numpy(), table)).max() < 1e-4
    assert found[:, table.views > 0].std() > 0.3


@each_sampler
def test_a_map_of_its_own_columns_and_rows_gives_the_places_back(sampler):
    """Half a cell of error, at the seams or anywhere, would be seen here."""
    table = some_table()
    column, row = np.meshgrid(np.arange(CAMERAS * COLUMNS), np.arange(ROWS))
    flat = np.stack((column, row)).reshape(2, ROWS, CAMERAS, COLUMNS).transpose(2, 0, 1, 3)
    found = sampled(sampler, torch.from_numpy(flat.astype(np.float32)), table)[0]
    cells = ((table.place[0].astype(np.float64) + 1) * (CAMERAS * COLUMNS, ROWS) - 1) / 2
    alone = table.views == 1
    assert alone.sum() > 10
    assert np.abs(found[:, alone].T - cells[alone]).max() < 1e-3


def test_both_samplers_say_the_same_also_beyond_the_outermost_cells():
    features, table = some_features(), some_table(margin=0.5)
    table.place[0, :6] = [(-1, -1), (1, 1), (-1.5, 0), (1.5, 0), (0, -1.5), (0, 1.5)]
    one, other = (sampled(name, features, table) for name in SAMPLERS)
    assert np.abs(one - other).max() < 1e-4


@each_sampler
def test_rigs_of_a_batch_do_not_touch(sampler):
    """Also not across the seam from the last camera of one to the first of the next."""
    features, tables = some_features(cameras=8), (some_table(1), some_table(2))
    both = sampled(sampler, features, *tables)
    for index, table in enumerate(tables):
        own = features[index * CAMERAS : (index + 1) * CAMERAS]
        assert np.abs(both[index] - sampled(sampler, own, table)[0]).max() < 1e-5
    assert np.abs(both[0] - both[1]).max() > 0.5


def test_both_learn_alike():
    table = some_table()
    gradients = []
    for name in SAMPLERS:
        features = some_features().requires_grad_()
        maps = lift.side_by_side(features, 1)
        SAMPLERS[name](maps, *tensors(table)).square().sum().backward()
        gradients.append(features.grad)
    assert torch.allclose(*gradients, atol=1e-3)
    assert gradients[0].abs().max() > 0.1


def some_lift(sampler="grid_sample"):
    torch.manual_seed(0)
    made = Lift(8, 16, HEIGHTS).eval()
    made.sampler = sampler
    return made


def lifted(made, features, *tables):
    with torch.inference_mode():
        return made(features, *tensors(*tables), GRID).numpy()


@each_sampler
def test_the_lift_gives_a_map_for_each_rig(sampler):
    found = lifted(some_lift(sampler), some_features(cameras=8), some_table(1), some_table(2))
    assert found.shape == (2, 16, *GRID)
    assert found.std() > 0.01


def test_voxels_above_one_another_come_into_one_cell():
    """A change of one voxel's place changes its own cell and no other."""
    made, features, table = some_lift(), some_features(), some_table()
    before = lifted(made, features, table)
    height, row, column = 1, 3, 4
    voxel = (height * GRID[0] + row) * GRID[1] + column
    table.weight[0, voxel] += 1
    changed = np.abs(lifted(made, features, table) - before)[0].max(axis=0) > 1e-6
    assert np.argwhere(changed).tolist() == [[row, column]]


def test_a_camera_without_weight_changes_nothing():
    made, table = some_lift(), some_table()
    table.weight[table.camera == 2] = 0
    features = some_features()
    before = lifted(made, features, table)
    features[2] = some_features(9)[2] * 100
    assert np.array_equal(lifted(made, features, table), before)
    features[1] = some_features(9)[1]
    assert not np.allclose(lifted(made, features, table), before)


def test_in_bf16_the_places_stay_exact():
    """240 columns need more than the 8 bits of bf16."""
    table = some_table(cameras=16)
    ramp = torch.arange(16.0)[:, None, None, None].expand(16, 1, ROWS, COLUMNS).contiguous()
    made = some_lift()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        maps = lift.side_by_side(ramp.bfloat16(), 1)
        found = SAMPLERS[made.sampler](maps, *tensors(table))
    alone = table.views == 1
    assert np.abs(found.numpy()[0, 0, alone] - table.camera[0, alone]).max() < 1e-3


def test_only_few_channels_are_sampled():
    made = some_lift()
    assert made.narrow.out_channels == CHANNELS == 32


def test_an_unknown_sampler_is_refused():
    with pytest.raises(ValueError, match=r"unknown sampler 'nearest': use one of \['grid_sample'"):
        lift.use_sampler(some_lift(), "nearest")


def test_the_sampler_of_a_whole_network_is_chosen_at_once():
    network = torch.nn.Sequential(some_lift(), torch.nn.ModuleDict({"other": some_lift()}))
    lift.use_sampler(network, "gather")
    assert [network[0].sampler, network[1]["other"].sampler] == ["gather", "gather"]
