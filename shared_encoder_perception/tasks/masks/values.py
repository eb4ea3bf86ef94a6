# SPDX-License-Identifier: Apache-2.0
"""Values of labelled masks, one byte per pixel."""

from __future__ import annotations

from typing import Final

YES: Final = 255
NOT_KNOWN: Final = 127
NO: Final = 0
VALUES: Final = (NO, NOT_KNOWN, YES)
