# SPDX-License-Identifier: Apache-2.0
"""Sets are rendered by seed: what a seed shows must not change when the renderer grows.

Sums of all pixels as they were before cameras looked all round. Bit for bit on one machine; the
tolerance is for the last bit of another one's arithmetic.
"""

import numpy as np
import pytest

from shared_encoder_perception.world.rendered import CLASSES, DISTANCES, EMPTY
from shared_encoder_perception.world.synthetic import Drive

SUMS = {
    # seed: picture, mask, classes, picture of the empty place, depth up to 60 m
    0: (9255361, 2773635, 43280, 9814081, 315130.3),
    1: (10389308, 1009035, 120951, 9550107, 287805.6),
    2: (9867715, 1886745, 97476, 12418979, 306919.9),
    3: (6355695, 3565920, 74380, 5088846, 256914.8),
    4: (12455819, 3158940, 54015, 12174744, 273270.5),  # since 1.1: no slit below the body
    5: (1763030, 2512770, 46599, 2289983, 246942.0),
}


@pytest.mark.parametrize("seed", SUMS)
def test_a_seed_shows_what_it_always_did(seed):
    drive = Drive(seed, (96, 240), traffic_probability=1.0)
    seen = drive.render(25.0, (CLASSES, DISTANCES, EMPTY))
    near = seen.depth[np.isfinite(seen.depth) & (seen.depth < 60)]
    sums = [values.sum() for values in (seen.image, seen.drivable, seen.classes, seen.empty)]
    sums.append(near.sum(dtype=np.float64))
    assert sums == pytest.approx(SUMS[seed], rel=5e-5)
