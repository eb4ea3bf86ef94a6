# SPDX-License-Identifier: Apache-2.0
"""``python -m shared_encoder_perception.node --ros-args -r image:=/camera/image_raw``."""

import sys

from shared_encoder_perception.node.entry import start


def main() -> int:
    """Run the node."""
    return start("shared_encoder_perception.node.perception_node")


if __name__ == "__main__":
    sys.exit(main())
