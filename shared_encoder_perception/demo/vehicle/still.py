# SPDX-License-Identifier: Apache-2.0
"""One picture of the video that ``demo`` makes of all questions, drawn again from its bag.

python -m shared_encoder_perception.demo.vehicle.still demo_output 4.2 docs/demo.jpg
"""

from __future__ import annotations

import argparse
import sys
from itertools import islice
from pathlib import Path
from typing import Final

import cv2

from shared_encoder_perception.demo.rigs.clip import RIG_FILE
from shared_encoder_perception.demo.vehicle.clip import SHOWN_HZ
from shared_encoder_perception.demo.vehicle.mosaic import mosaic_frames
from shared_encoder_perception.files.whole_file import write_bytes
from shared_encoder_perception.rig.rig_file import read_rig

QUALITY: Final = 88


def main() -> int:
    """Draw it; 0 when it is written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="that demo wrote: its --out")
    parser.add_argument("time_s", type=float, help="of the drive")
    parser.add_argument("picture", type=Path, help=".jpg")
    args = parser.parse_args()
    clips = sorted(
        args.folder.glob(f"cache/drive-*/{RIG_FILE}"), key=lambda one: one.stat().st_mtime
    )
    if not clips or not (args.folder / "bag").is_dir():
        print(f"error: {args.folder} holds no drive: `make demo` writes one", file=sys.stderr)
        return 2
    frames = mosaic_frames(args.folder / "bag", read_rig(clips[-1]))
    frame = next(islice(frames, round(args.time_s * SHOWN_HZ), None), None)
    if frame is None:
        print(f"error: the drive is shorter than {args.time_s:g} s", file=sys.stderr)
        return 2
    quality = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    write_bytes(args.picture, cv2.imencode(".jpg", frame, quality)[1].tobytes())
    return 0


if __name__ == "__main__":
    sys.exit(main())
