"""``python -m shared_encoder_perception.node.rig --ros-args -p rig.file:=rig.yaml``."""

import signal
import sys

from shared_encoder_perception import libraries

USER_ERROR = 2


def main() -> int:
    """Run the node, if the libraries do; one line says why not."""
    # While Python still imports, Ctrl-C would be a traceback; the node handles it from its start.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        libraries.check()  # before the first import that fails of it
    except libraries.UnfitError as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR
    from shared_encoder_perception.node.rig.surround_node import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
