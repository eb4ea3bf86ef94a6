# SPDX-License-Identifier: Apache-2.0
"""The settings of Fast DDS without which camera images get lost between processes.

Its shared memory is smaller than one image unless it is told otherwise.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Final

from shared_encoder_perception.files.installed import beside_the_code

PROFILE: Final = "config/fastdds_profile.xml"
PROFILE_VARIABLE: Final = "FASTRTPS_DEFAULT_PROFILES_FILE"
"""Says Fast DDS where its settings are."""
NEWER_VARIABLE: Final = "FASTDDS_DEFAULT_PROFILES_FILE"
"""The same, as later versions call it; they know both."""


def use_profile() -> None:
    """Give this process the shipped profile, unless it has one; before the first import of ROS.

    Other middleware takes no notice of it.
    """
    if PROFILE_VARIABLE not in os.environ and NEWER_VARIABLE not in os.environ:
        # Beside code that was copied without it, diagnostics tell where no image comes.
        with suppress(FileNotFoundError):
            os.environ[PROFILE_VARIABLE] = str(beside_the_code(PROFILE))
