# SPDX-License-Identifier: Apache-2.0
"""``python -m shared_encoder_perception.node.rig --ros-args -p rig.file:=rig.yaml``."""

import sys

from shared_encoder_perception.node.entry import start


def main() -> int:
    """Run the node."""
    return start("shared_encoder_perception.node.rig.surround_node")


if __name__ == "__main__":
    sys.exit(main())
