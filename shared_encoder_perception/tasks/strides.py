# SPDX-License-Identifier: Apache-2.0
"""Grids of dense answers where an architecture has none for all tasks."""

from __future__ import annotations

from typing import Final

OWN_STRIDE: Final = 4
"""Input pixels per cell of a head that chooses its grid itself."""
