# SPDX-License-Identifier: Apache-2.0
"""What losses are divided by: counts over all processes that train together.

Processes average their gradients. Divided by the mean count, they do what one would do with all
their images.
"""

from __future__ import annotations

import torch
from torch import Tensor, distributed


def shared_count(count: Tensor) -> Tensor:
    """Mean of a count over all processes, as float; the count itself in a single process."""
    count = count.float()
    if distributed.is_available() and distributed.is_initialized():
        distributed.all_reduce(count)
        count = count / distributed.get_world_size()
    return count


def divisor(count: Tensor) -> Tensor:
    """Return ``shared_count``, where 0 would be a division of nothing by nothing."""
    shared = shared_count(count)
    return torch.where(shared > 0, shared, torch.ones_like(shared))
