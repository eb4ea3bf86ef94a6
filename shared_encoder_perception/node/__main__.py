"""``python -m shared_encoder_perception.node --ros-args -r image:=/camera/image_raw``."""

import sys

from shared_encoder_perception.node.perception_node import main

if __name__ == "__main__":
    sys.exit(main())
