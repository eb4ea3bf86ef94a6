# SPDX-License-Identifier: Apache-2.0
"""Runs ``rig check`` on the patterned ground."""

from types import SimpleNamespace

import cv2
from patterned_ground import photographs, rig_file

from shared_encoder_perception.__main__ import main
from shared_encoder_perception.rig.rig_file import RigFile, write_rig

OPTIONS = ("--grid", "-10", "-10", "10", "10", "0.2", "--max-disagreement", "10")
"""The ground is level and known, so the limit can be low."""


def check(tmp_path, capsys, rig=None, images=None, *options, files=None):
    """Run the command on a folder; return its status, what it prints, and its faults."""
    write_rig(tmp_path / "rig.yaml", files or RigFile.of(rig or rig_file().rig()))
    folder = tmp_path / "pictures"
    folder.mkdir(exist_ok=True)
    for name, picture in (images or photographs()).items():
        cv2.imwrite(str(folder / f"{name}.png"), picture)
    return run(tmp_path, capsys, folder, *options)


def run(tmp_path, capsys, source, *options, rig="rig.yaml"):
    """Run the command."""
    named = [str(tmp_path / rig)] if rig else []
    out = ["--out", str(tmp_path / "check.png")]
    status = main(["rig", "check", *named, "--input", str(source), *out, *OPTIONS, *options])
    said = capsys.readouterr()
    return SimpleNamespace(status=status, out=said.out, faults=said.err)
