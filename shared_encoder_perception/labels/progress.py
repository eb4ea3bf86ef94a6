# SPDX-License-Identifier: Apache-2.0
"""Progress of commands on data sets: shown, but not before there is any.

So an error at the first line stands alone, without an empty bar above it.
"""

from __future__ import annotations

from functools import partial

from tqdm import tqdm

shown = partial(tqdm, unit="frame", delay=0.1)
"""``tqdm`` over frames, or what ``unit`` says."""
