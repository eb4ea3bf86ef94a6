# SPDX-License-Identifier: Apache-2.0
"""The block: its tensors follow from its grid, and what no network could be is refused."""

import pytest

from shared_encoder_perception.model.config import NetworkConfig
from shared_encoder_perception.rig.grid import BevGrid
from shared_encoder_perception.spec import SpecError, Tensor
from shared_encoder_perception.tasks.surround.spec import Block, block_of

SIZE = (96, 256)


def test_tensors_follow_from_the_grid():
    block = Block(cells_x=40, cells_y=16, heights_m=(0.0, 1.0, 2.0), views=1)
    assert block.outputs(SIZE) == {"surround": Tensor("float32", (5, 16, 40))}
    voxels = block.grid.voxels()[..., 0].size
    assert block.inputs(SIZE) == {
        "view_place": Tensor("float32", (1, voxels, 2)),
        "view_weight": Tensor("float32", (1, voxels)),
    }


def test_a_block_has_the_usual_grid():
    assert Block().grid == BevGrid()


def test_a_networks_block_has_the_grid_of_its_config():
    grid = BevGrid(-4.0, -8.0, 24, 32, 0.5, (0.0, 1.0))
    block = block_of(NetworkConfig(grid=grid, views=1), 8, SIZE)
    assert block.grid == grid
    assert block.views == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cells_x", 0),
        ("cells_y", -3),
        ("cells_x", 10**9),
        ("cell_m", 0.0),
        ("cell_m", float("nan")),
        ("cell_m", 50.0),
        ("x_min_m", float("inf")),
        ("y_min_m", -1e300),
        ("heights_m", ()),
        ("heights_m", (1.0, 0.0)),
        ("heights_m", tuple(map(float, range(900)))),
        ("stride", 3),
        ("views", 0),
        ("views", 9),
        ("vehicle_threshold", 0.0),
        ("drivable_threshold", 1.1),
        ("centre_threshold", float("nan")),
        ("vehicle_temperature", 0.0),
        ("drivable_bias", float("nan")),
    ],
)
def test_a_bad_block_is_refused(key, value):
    with pytest.raises(SpecError, match="model spec: "):
        Block(**{key: value})
